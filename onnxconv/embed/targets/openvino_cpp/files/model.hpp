// A model on OpenVINO, in float32: load once, run many.
#pragma once

#include <openvino/runtime/infer_request.hpp>
#include <openvino/runtime/tensor.hpp>

#include <string>
#include <vector>

class Model {
public:
    // Compiles the model at `path`. Throws `ov::Exception` where that fails.
    explicit Model(const std::string &path, const std::string &device = "CPU");

    // Runs the model on all its inputs, in the order of bundle.json; all outputs, in that order, which stay valid until the next
    // run. A tensor may be a view of memory: ov::Tensor(ov::element::f32, {1, 3, 224, 224}, pointer). Throws
    // `std::invalid_argument` for inputs of another number, type or shape, `ov::Exception` where OpenVINO fails. Not for several
    // threads at once on one model.
    std::vector<ov::Tensor> run(const std::vector<ov::Tensor> &inputs);

private:
    ov::InferRequest request;
};
