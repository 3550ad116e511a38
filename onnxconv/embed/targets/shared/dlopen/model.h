/* A model on a runtime whose shared library is opened when it is needed: load once, run many. */
#ifndef MODEL_H
#define MODEL_H

#include <stddef.h>
#include <stdint.h>

struct model;

/* Element types, by ONNX's numbers. */
enum element {
    FLOAT32 = 1,
    UINT8 = 2,
    INT8 = 3,
    UINT16 = 4,
    INT16 = 5,
    INT32 = 6,
    INT64 = 7,
    BOOL = 9,
    FLOAT16 = 10,
    FLOAT64 = 11,
    UINT32 = 12,
    UINT64 = 13
};

/* An input: `data` in row-major order, which stays the caller's. */
struct tensor {
    const char *name;
    enum element type;
    const int64_t *shape;
    size_t axes;
    void *data;
    size_t bytes;
};

/* An output: `data` is the caller's room for `bytes` bytes. A result of another type, shape or size is an error. */

/* Opens `library` (NULL: the one of the runtime's own name, which the system finds) and loads the model at `path`, with as
   many threads as the runtime likes. NULL where that fails; `error` then says why. */
struct model *model_load(const char *library, const char *path, char error[256]);

/* Runs the model on all its inputs, for all its outputs, in the model's order; 0, or -1 where that fails; `error` then says
   why. Not for several threads at once on one model. */
int model_run(struct model *model,
              const struct tensor *inputs,
              size_t input_count,
              const struct tensor *outputs,
              size_t output_count,
              char error[256]);

void model_free(struct model *model);

#endif
