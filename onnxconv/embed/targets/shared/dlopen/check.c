/* Checks this folder: see check.sh. */
#include "check.h"
#include "model.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static enum element element_of(const char *dtype) {
    static const struct {
        const char *dtype;
        enum element element;
    } known[] = {{"float32", FLOAT32}, {"float64", FLOAT64}, {"int8", INT8},   {"uint8", UINT8},
                 {"int16", INT16},     {"uint16", UINT16},   {"int32", INT32}, {"uint32", UINT32},
                 {"int64", INT64},     {"uint64", UINT64},   {"bool", BOOL}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (!strcmp(known[i].dtype, dtype)) return known[i].element;
    return 0;
}

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void describe(const struct array *from, size_t n, int output, struct tensor *to, int64_t sizes[][MOST_AXES]) {
    for (size_t i = 0; i < n; ++i) {
        for (size_t axis = 0; axis < from[i].axes; ++axis) sizes[i][axis] = (int64_t)from[i].shape[axis];
        to[i] = (struct tensor){from[i].name, element_of(from[i].dtype),           sizes[i],
                                from[i].axes, output ? from[i].got : from[i].data, from[i].bytes};
    }
}

int main(int count, char **words) {
    static struct golden golden;
    static struct tensor in[MOST_ARRAYS], out[MOST_ARRAYS];
    static int64_t in_shapes[MOST_ARRAYS][MOST_AXES], out_shapes[MOST_ARRAYS][MOST_AXES];
    char error[256] = "";
    if (count != 3) {
        fprintf(stderr, "usage: %s SET LIBRARY\n", words[0]);
        return NOT_RUN;
    }
    if (check_files()) return WRONG;
    if (read_golden(words[1], &golden)) return NOT_RUN;
    describe(golden.inputs, golden.input_count, 0, in, in_shapes);
    describe(golden.outputs, golden.output_count, 1, out, out_shapes);
    double begun = milliseconds();
    struct model *model = model_load(*words[2] ? words[2] : NULL, golden.model, error);
    if (!model) {
        printf("cannot run %s: %s\n", golden.model, error);
        return NOT_RUN;
    }
    double loaded = milliseconds();
    int status = NOT_RUN;
    if (model_run(model, in, golden.input_count, out, golden.output_count, error))
        printf("cannot run %s: %s\n", golden.model, error);
    else {
        printf("%s: loaded in %.1f ms, ran in %.1f ms\n", golden.name, loaded - begun, milliseconds() - loaded);
        status = compare(&golden);
    }
    model_free(model);
    return status;
}
