/* Golden vectors, and what is done with them in every check. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>

enum { MOST_ARRAYS = 64, MOST_AXES = 8 };

/* One array of golden.txt. */
struct array {
    char name[256], dtype[16], file[256];
    size_t shape[MOST_AXES], axes, count, bytes;
    double tolerance; /* of an output */
    char basis[16];   /* of an output: what its tolerance rests on, "derived" or "measured" */
    void *data;       /* of an output: what it must be */
    void *got;        /* of an output: room for what it is */
};

/* One set of golden.txt: arrays in the model's order. */
struct golden {
    char name[64], model[64];
    struct array inputs[MOST_ARRAYS], outputs[MOST_ARRAYS];
    size_t input_count, output_count;
};

/* The status of a whole check: 0 right, 1 a file was changed or an output is wrong, 2 it could not run. */
enum { RIGHT = 0, WRONG = 1, NOT_RUN = 2 };

/* Names every file of SHA256SUMS that is not as it was written; RIGHT or WRONG. */
int check_files(void);

/* Reads the set called `name` with its arrays; RIGHT or NOT_RUN. */
int read_golden(const char *name, struct golden *golden);

/* Compares what is in `got` with what must be there, and says so; RIGHT or WRONG. */
int compare(const struct golden *golden);

#endif
