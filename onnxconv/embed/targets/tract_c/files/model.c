#include "model.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TENSORS = 64, MOST_AXES = 16 };

typedef void *handle; /* of tract's own; it owns what it points to */
typedef int outcome;  /* 0: it went well */

/* The functions of tract that are called, by their names there. */
#define FUNCTIONS(f) \
    f(const char *, tract_get_last_error, (void)) \
    f(outcome, tract_onnx_create, (handle *onnx)) \
    f(outcome, tract_onnx_destroy, (handle *onnx)) \
    f(outcome, tract_onnx_load, (handle onnx, const char *path, handle *inference)) \
    f(outcome, tract_inference_model_into_model, (handle *inference, handle *model)) \
    f(outcome, tract_inference_model_destroy, (handle *inference)) \
    f(outcome, tract_inference_model_input_count, (handle inference, size_t *count)) \
    f(outcome, tract_inference_model_output_count, (handle inference, size_t *count)) \
    f(outcome, tract_model_into_runnable, (handle *model, handle *runnable)) \
    f(outcome, tract_model_destroy, (handle *model)) \
    f(outcome, tract_runnable_run, (handle runnable, handle *inputs, handle *outputs)) \
    f(outcome, tract_runnable_release, (handle *runnable)) \
    f(outcome, tract_tensor_from_bytes, (uint32_t type, size_t axes, const size_t *shape, void *data, handle *tensor)) \
    f(outcome, tract_tensor_as_bytes, \
      (handle tensor, uint32_t *type, size_t *axes, const size_t **shape, const void **data)) \
    f(outcome, tract_tensor_destroy, (handle *tensor))

struct model {
    handle library, onnx, inference, typed, runnable;
    size_t inputs, outputs;
#define MEMBER(result, name, arguments) result(*name) arguments;
    FUNCTIONS(MEMBER)
};

/* tract's number of an element type: its kind, and its bytes. */
static uint32_t type_of(enum element type) {
    static const uint32_t known[] = {[FLOAT32] = 0x34, [UINT8] = 0x11,   [INT8] = 0x21,   [UINT16] = 0x12,
                                     [INT16] = 0x22,   [INT32] = 0x24,   [INT64] = 0x28,  [BOOL] = 0x01,
                                     [FLOAT16] = 0x32, [FLOAT64] = 0x38, [UINT32] = 0x14, [UINT64] = 0x18};
    return (size_t)type < sizeof known / sizeof *known ? known[type] : 0;
}

static int failed(const struct model *m, outcome found, char error[256]) {
    if (!found) return 0;
    const char *why = m->tract_get_last_error();
    snprintf(error, 256, "%s", why ? why : "tract does not say why");
    return 1;
}

void model_free(struct model *m) {
    if (!m) return;
    if (m->runnable) m->tract_runnable_release(&m->runnable);
    if (m->typed) m->tract_model_destroy(&m->typed);
    if (m->inference) m->tract_inference_model_destroy(&m->inference);
    if (m->onnx) m->tract_onnx_destroy(&m->onnx);
    free(m); /* the library stays open: its threads may still be ending */
}

/* Opens the library and finds every function there. */
static int found_all(struct model *m, const char *library, char error[256]) {
    m->library = dlopen(library ? library : "libtract.so", RTLD_NOW | RTLD_LOCAL);
    if (!m->library) {
        snprintf(error, 256, "%s", dlerror());
        return 0;
    }
#define FIND(result, name, arguments) \
    if (!(*(void **)&m->name = dlsym(m->library, #name))) { \
        snprintf(error, 256, "this tract has no %s", #name); \
        return 0; \
    }
    FUNCTIONS(FIND)
    return 1;
}

struct model *model_load(const char *library, const char *path, char error[256]) {
    struct model *m = calloc(1, sizeof *m);
    if (!m) {
        snprintf(error, 256, "no memory");
        return NULL;
    }
    if (!found_all(m, library, error) || failed(m, m->tract_onnx_create(&m->onnx), error) ||
        failed(m, m->tract_onnx_load(m->onnx, path, &m->inference), error) ||
        failed(m, m->tract_inference_model_input_count(m->inference, &m->inputs), error) ||
        failed(m, m->tract_inference_model_output_count(m->inference, &m->outputs), error) ||
        failed(m, m->tract_inference_model_into_model(&m->inference, &m->typed), error) ||
        failed(m, m->tract_model_into_runnable(&m->typed, &m->runnable), error)) {
        model_free(m);
        return NULL;
    }
    return m;
}

/* Copies a result to where it is expected, if it has that type and shape. */
static int taken(const struct model *m, handle result, const struct tensor *to, char error[256]) {
    uint32_t type = 0;
    size_t axes = 0;
    const size_t *shape = NULL;
    const void *data = NULL;
    if (failed(m, m->tract_tensor_as_bytes(result, &type, &axes, &shape, &data), error)) return 0;
    int same = type == type_of(to->type) && axes == to->axes;
    for (size_t axis = 0; same && axis < axes; ++axis) same = shape[axis] == (size_t)to->shape[axis];
    if (same)
        memcpy(to->data, data, to->bytes);
    else
        snprintf(error, 256, "output %s has another type or shape than was expected", to->name);
    return same;
}

int model_run(struct model *m,
              const struct tensor *inputs,
              size_t input_count,
              const struct tensor *outputs,
              size_t output_count,
              char error[256]) {
    handle in[MOST_TENSORS] = {0}, out[MOST_TENSORS] = {0};
    size_t shape[MOST_AXES];
    int status = -1;
    if (input_count != m->inputs || output_count != m->outputs || input_count > MOST_TENSORS ||
        output_count > MOST_TENSORS) {
        snprintf(error, 256, "the model has %zu inputs and %zu outputs", m->inputs, m->outputs);
        return -1;
    }
    for (size_t i = 0; i < input_count; ++i) {
        const struct tensor *x = &inputs[i];
        if (x->axes > MOST_AXES) {
            snprintf(error, 256, "input %s has more than %d axes", x->name, MOST_AXES);
            goto end;
        }
        for (size_t axis = 0; axis < x->axes; ++axis) shape[axis] = (size_t)x->shape[axis];
        if (failed(m, m->tract_tensor_from_bytes(type_of(x->type), x->axes, shape, x->data, &in[i]), error)) goto end;
    }
    if (failed(m, m->tract_runnable_run(m->runnable, in, out), error)) goto end;
    status = 0;
    for (size_t i = 0; !status && i < output_count; ++i)
        if (!taken(m, out[i], &outputs[i], error)) status = -1;
end:
    for (size_t i = 0; i < input_count; ++i)
        if (in[i]) m->tract_tensor_destroy(&in[i]);
    for (size_t i = 0; i < output_count; ++i)
        if (out[i]) m->tract_tensor_destroy(&out[i]);
    return status;
}
