#include "check.h"
#include "sha256.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int check_files(void) {
    char line[512], digits[65];
    int wrong = 0, vouched = 0;
    FILE *list = fopen("SHA256SUMS", "r");
    if (!list) {
        puts("changed: SHA256SUMS is missing");
        return WRONG;
    }
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        if (strlen(line) > 66 && !strcmp(line + 66, "bundle.json")) vouched = 1;
        if (strlen(line) < 67) {
            wrong = 1;
            puts("changed: SHA256SUMS");
        } else if (sha256_of(line + 66, digits) || strncmp(digits, line, 64)) {
            wrong = 1;
            printf("changed: %s\n", line + 66);
        }
    }
    fclose(list);
    if (!vouched) {
        wrong = 1;
        puts("changed: SHA256SUMS does not list bundle.json");
    }
    return wrong ? WRONG : RIGHT;
}

static size_t size_of(const char *dtype) {
    static const struct {
        const char *dtype;
        size_t size;
    } known[] = {{"float32", 4}, {"float64", 8}, {"int8", 1},  {"uint8", 1},  {"int16", 2}, {"uint16", 2},
                 {"int32", 4},   {"uint32", 4},  {"int64", 8}, {"uint64", 8}, {"bool", 1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (!strcmp(known[i].dtype, dtype)) return known[i].size;
    return 0;
}

/* dtype, tolerance, what it rests on, file, axes, sizes, name */
static int read_array(const char *text, struct array *to) {
    int used = 0, more = 0;
    int read =
        sscanf(text, "%15s %lf %15s %255s %zu%n", to->dtype, &to->tolerance, to->basis, to->file, &to->axes, &used);
    if (read != 5 || to->axes > MOST_AXES) return NOT_RUN;
    to->count = 1;
    for (size_t axis = 0; axis < to->axes; ++axis) {
        text += used;
        if (sscanf(text, "%zu%n", &to->shape[axis], &used) != 1) return NOT_RUN;
        to->count *= to->shape[axis];
    }
    text += used;
    sscanf(text, " %n", &more);
    snprintf(to->name, sizeof to->name, "%s", text + more);
    to->bytes = to->count * size_of(to->dtype);
    char path[300];
    snprintf(path, sizeof path, "golden/%s", to->file);
    FILE *file = fopen(path, "rb");
    to->data = malloc(to->bytes ? to->bytes : 1);
    to->got = malloc(to->bytes ? to->bytes : 1);
    int whole = file && to->data && to->got && fread(to->data, 1, to->bytes, file) == to->bytes;
    if (file) fclose(file);
    if (to->got) memset(to->got, 0xff, to->bytes); /* what is not written is not what must be there */
    return whole && to->bytes ? RIGHT : NOT_RUN;
}

int read_golden(const char *name, struct golden *golden) {
    char line[1024], word[16], rest[1000], set[64], model[64];
    int inside = 0, status = NOT_RUN;
    FILE *file = fopen("golden/golden.txt", "r");
    memset(golden, 0, sizeof *golden);
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%15s %999[^\n]", word, rest) != 2) continue;
        if (!strcmp(word, "set")) {
            inside = sscanf(rest, "%63s %63s", set, model) == 2 && !strcmp(set, name);
            if (inside) {
                status = RIGHT;
                snprintf(golden->model, sizeof golden->model, "%s", model);
            }
            continue;
        }
        if (!inside) continue;
        int input = !strcmp(word, "input");
        size_t *count = input ? &golden->input_count : &golden->output_count;
        if (*count == MOST_ARRAYS || read_array(rest, &(input ? golden->inputs : golden->outputs)[*count])) {
            status = NOT_RUN;
            break;
        }
        ++*count;
    }
    if (file) fclose(file);
    snprintf(golden->name, sizeof golden->name, "%s", name);
    if (status) printf("cannot run: golden/golden.txt has no set %s that can be read\n", name);
    return status;
}

static double number(const char *dtype, const void *data, size_t i) {
    if (!strcmp(dtype, "float32")) return ((const float *)data)[i];
    if (!strcmp(dtype, "float64")) return ((const double *)data)[i];
    if (!strcmp(dtype, "int8")) return ((const int8_t *)data)[i];
    if (!strcmp(dtype, "uint8") || !strcmp(dtype, "bool")) return ((const uint8_t *)data)[i];
    if (!strcmp(dtype, "int16")) return ((const int16_t *)data)[i];
    if (!strcmp(dtype, "uint16")) return ((const uint16_t *)data)[i];
    if (!strcmp(dtype, "int32")) return ((const int32_t *)data)[i];
    if (!strcmp(dtype, "uint32")) return ((const uint32_t *)data)[i];
    if (!strcmp(dtype, "int64")) return (double)((const int64_t *)data)[i];
    return (double)((const uint64_t *)data)[i];
}

int compare(const struct golden *golden) {
    int status = RIGHT;
    for (size_t n = 0; n < golden->output_count; ++n) {
        const struct array *y = &golden->outputs[n];
        size_t wrong = 0, at = 0;
        double worst = -1;
        for (size_t i = 0; i < y->count; ++i) {
            double off = fabs(number(y->dtype, y->got, i) - number(y->dtype, y->data, i));
            if (off <= y->tolerance) continue;
            ++wrong;
            if (off != off) off = HUGE_VAL;
            if (off > worst) {
                worst = off;
                at = i;
            }
        }
        printf("%s: %s: ", golden->name, y->name);
        if (wrong) {
            printf("%zu of %zu elements; number %zu is %.9g instead of %.9g", wrong, y->count, at,
                   number(y->dtype, y->got, at), number(y->dtype, y->data, at));
            status = WRONG;
        } else {
            printf("right");
        }
        printf(" (tolerance %g, %s)\n", y->tolerance, y->basis);
    }
    return status;
}
