#include "model.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* onnxruntime's C interface is a table of functions that only ever grows at its end. The numbers below are places in it,
   unchanged since version 1 of the interface; version 10 is what is asked for. */
enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    CREATE_TENSOR_WITH_DATA = 49,
    GET_TENSOR_MUTABLE_DATA = 51,
    GET_TENSOR_ELEMENT_TYPE = 60,
    GET_DIMENSIONS_COUNT = 61,
    GET_DIMENSIONS = 62,
    GET_TENSOR_TYPE_AND_SHAPE = 65,
    CREATE_CPU_MEMORY_INFO = 69,
    RELEASE_ENV = 92,
    RELEASE_STATUS = 93,
    RELEASE_MEMORY_INFO = 94,
    RELEASE_SESSION = 95,
    RELEASE_VALUE = 96,
    RELEASE_TENSOR_TYPE_AND_SHAPE = 99,
    RELEASE_SESSION_OPTIONS = 100
};
enum { VERSION = 10, LOG_ERRORS = 3, ARENA_ALLOCATOR = 1, DEFAULT_MEMORY = 0, MOST_TENSORS = 64, MOST_AXES = 16 };

typedef void *status; /* NULL: it went well */
typedef void (*function)(void);
typedef void release(void *);

struct api_base {
    const void *(*get_api)(uint32_t version);
    const char *(*get_version_string)(void);
};

struct model {
    void *library, *env, *options, *session, *memory;
    const function *api;
};

/* A function of the table, as what it is. */
#define CALL(model, place, result, ...) ((result(*) __VA_ARGS__)(model)->api[place])

static int failed(const struct model *model, status found, char error[256]) {
    if (!found) return 0;
    snprintf(error, 256, "%s", CALL(model, GET_ERROR_MESSAGE, const char *, (status))(found));
    CALL(model, RELEASE_STATUS, void, (status))(found);
    return 1;
}

static void let_go(const struct model *model, int place, void *what) {
    if (what) ((release *)model->api[place])(what);
}

void model_free(struct model *model) {
    if (!model) return;
    if (model->api) {
        let_go(model, RELEASE_MEMORY_INFO, model->memory);
        let_go(model, RELEASE_SESSION, model->session);
        let_go(model, RELEASE_SESSION_OPTIONS, model->options);
        let_go(model, RELEASE_ENV, model->env);
    }
    free(model); /* the library stays open: its threads may still be ending */
}

struct model *model_load(const char *library, const char *path, char error[256]) {
    struct model *m = calloc(1, sizeof *m);
    const struct api_base *(*base)(void) = NULL;
    if (!m) {
        snprintf(error, 256, "no memory");
        return NULL;
    }
    m->library = dlopen(library ? library : "libonnxruntime.so", RTLD_NOW | RTLD_LOCAL);
    if (m->library) *(void **)&base = dlsym(m->library, "OrtGetApiBase");
    if (base) *(const void **)&m->api = base()->get_api(VERSION);
    if (!m->api) {
        const char *why = dlerror();
        snprintf(error, 256, "%s", why ? why : "the library does not have this version of the interface");
        model_free(m);
        return NULL;
    }
    if (failed(m, CALL(m, CREATE_ENV, status, (int, const char *, void **))(LOG_ERRORS, "model", &m->env), error) ||
        failed(m, CALL(m, CREATE_SESSION_OPTIONS, status, (void **))(&m->options), error) ||
        failed(m,
               CALL(m, CREATE_SESSION, status, (void *, const char *, void *, void **))(m->env, path, m->options,
                                                                                        &m->session),
               error) ||
        failed(
            m,
            CALL(m, CREATE_CPU_MEMORY_INFO, status, (int, int, void **))(ARENA_ALLOCATOR, DEFAULT_MEMORY, &m->memory),
            error)) {
        model_free(m);
        return NULL;
    }
    return m;
}

/* Whether a value has the type and shape that are expected. */
static int fits(const struct model *m, void *value, const struct tensor *expected, char error[256]) {
    void *info = NULL;
    int type = 0, same = 0;
    size_t axes = 0;
    int64_t shape[MOST_AXES];
    if (failed(m, CALL(m, GET_TENSOR_TYPE_AND_SHAPE, status, (void *, void **))(value, &info), error)) return 0;
    if (!failed(m, CALL(m, GET_TENSOR_ELEMENT_TYPE, status, (void *, int *))(info, &type), error) &&
        !failed(m, CALL(m, GET_DIMENSIONS_COUNT, status, (void *, size_t *))(info, &axes), error) &&
        axes <= MOST_AXES &&
        !failed(m, CALL(m, GET_DIMENSIONS, status, (void *, int64_t *, size_t))(info, shape, axes), error)) {
        same = type == (int)expected->type && axes == expected->axes;
        for (size_t axis = 0; same && axis < axes; ++axis) same = shape[axis] == expected->shape[axis];
        if (!same) snprintf(error, 256, "output %s has another type or shape than was expected", expected->name);
    }
    let_go(m, RELEASE_TENSOR_TYPE_AND_SHAPE, info);
    return same;
}

int model_run(struct model *m,
              const struct tensor *inputs,
              size_t input_count,
              const struct tensor *outputs,
              size_t output_count,
              char error[256]) {
    const char *given[MOST_TENSORS], *asked[MOST_TENSORS];
    void *in[MOST_TENSORS] = {0}, *out[MOST_TENSORS] = {0}, *data = NULL;
    int status_of_all = -1;
    if (input_count > MOST_TENSORS || output_count > MOST_TENSORS) {
        snprintf(error, 256, "more than %d inputs or outputs", MOST_TENSORS);
        return -1;
    }
    for (size_t i = 0; i < input_count; ++i) {
        const struct tensor *x = &inputs[i];
        given[i] = x->name;
        if (failed(m,
                   CALL(m, CREATE_TENSOR_WITH_DATA, status,
                        (void *, void *, size_t, const int64_t *, size_t, int, void **))(
                       m->memory, x->data, x->bytes, x->shape, x->axes, x->type, &in[i]),
                   error))
            goto end;
    }
    for (size_t i = 0; i < output_count; ++i) asked[i] = outputs[i].name;
    if (failed(m,
               CALL(m, RUN, status,
                    (void *, void *, const char *const *, void *const *, size_t, const char *const *, size_t, void **))(
                   m->session, NULL, given, in, input_count, asked, output_count, out),
               error))
        goto end;
    for (size_t i = 0; i < output_count; ++i) {
        if (!fits(m, out[i], &outputs[i], error) ||
            failed(m, CALL(m, GET_TENSOR_MUTABLE_DATA, status, (void *, void **))(out[i], &data), error))
            goto end;
        memcpy(outputs[i].data, data, outputs[i].bytes);
    }
    status_of_all = 0;
end:
    for (size_t i = 0; i < input_count; ++i) let_go(m, RELEASE_VALUE, in[i]);
    for (size_t i = 0; i < output_count; ++i) let_go(m, RELEASE_VALUE, out[i]);
    return status_of_all;
}
