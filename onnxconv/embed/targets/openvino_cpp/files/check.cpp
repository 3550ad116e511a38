// Checks this folder: see check.sh.
extern "C" {
#include "check.h"
}
#include "model.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>

static ov::element::Type type_of(const std::string &dtype) {
    static const std::map<std::string, ov::element::Type> known = {
        {"float32", ov::element::f32}, {"float64", ov::element::f64}, {"int8", ov::element::i8},
        {"uint8", ov::element::u8},    {"int16", ov::element::i16},   {"uint16", ov::element::u16},
        {"int32", ov::element::i32},   {"uint32", ov::element::u32},  {"int64", ov::element::i64},
        {"uint64", ov::element::u64},  {"bool", ov::element::boolean}};
    return known.at(dtype);
}

static ov::Shape shape_of(const struct array &from) {
    return ov::Shape(from.shape, from.shape + from.axes);
}

static double milliseconds() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static int run(struct golden &golden) {
    const double begun = milliseconds();
    Model model(golden.model);
    const double loaded = milliseconds();
    std::vector<ov::Tensor> inputs;
    for (size_t i = 0; i < golden.input_count; ++i)
        inputs.emplace_back(type_of(golden.inputs[i].dtype), shape_of(golden.inputs[i]), golden.inputs[i].data);
    const auto outputs = model.run(inputs);
    std::printf("%s: loaded in %.1f ms, ran in %.1f ms\n", golden.name, loaded - begun, milliseconds() - loaded);
    if (outputs.size() != golden.output_count) {
        std::printf("%s: %zu outputs instead of %zu\n", golden.name, outputs.size(), golden.output_count);
        return WRONG;
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
        auto &expected = golden.outputs[i];
        if (outputs[i].get_element_type() != type_of(expected.dtype) || outputs[i].get_shape() != shape_of(expected)) {
            std::printf("%s: %s: it has another type or shape than was expected\n", golden.name, expected.name);
            return WRONG;
        }
        std::memcpy(expected.got, outputs[i].data(), expected.bytes);
    }
    return compare(&golden);
}

int main(int count, char **words) {
    static struct golden golden;
    if (count < 2) {
        std::fprintf(stderr, "usage: %s SET\n", words[0]);
        return NOT_RUN;
    }
    if (check_files()) return WRONG;
    if (read_golden(words[1], &golden)) return NOT_RUN;
    try {
        return run(golden);
    } catch (const std::exception &error) {
        std::printf("cannot run %s: %s\n", golden.model, error.what());
        return NOT_RUN;
    }
}
