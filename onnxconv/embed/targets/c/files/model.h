/* The model: inputs, then outputs, in row-major order. */
#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>

PROTOTYPE;

enum { MODEL_INPUTS = INPUT_COUNT, MODEL_OUTPUTS = OUTPUT_COUNT };

/* The same by pointers to the first elements. */
static inline void model_call(const void *const *in, void *const *out) {
    CALL;
}

#endif
