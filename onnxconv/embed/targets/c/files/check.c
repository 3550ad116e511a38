/* Checks this folder: see check.sh. Compiled once with the model and once with its twin. */
#include "check.h"
#include "model.h"

#include <stdio.h>
#include <time.h>

int main(int count, char **words) {
    static struct golden golden;
    const void *in[MOST_ARRAYS];
    void *out[MOST_ARRAYS];
    if (count != 2) {
        fprintf(stderr, "usage: %s SET\n", words[0]);
        return NOT_RUN;
    }
    if (check_files()) return WRONG;
    if (read_golden(words[1], &golden)) return NOT_RUN;
    if (golden.input_count != MODEL_INPUTS || golden.output_count != MODEL_OUTPUTS) {
        puts("cannot run: golden/golden.txt is of another model");
        return NOT_RUN;
    }
    for (size_t i = 0; i < golden.input_count; ++i) in[i] = golden.inputs[i].data;
    for (size_t i = 0; i < golden.output_count; ++i) out[i] = golden.outputs[i].got;
    clock_t begun = clock();
    model_call(in, out);
    printf("%s: ran in %.1f ms\n", golden.name, 1e3 * (double)(clock() - begun) / CLOCKS_PER_SEC);
    return compare(&golden);
}
