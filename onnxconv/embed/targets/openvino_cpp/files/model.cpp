#include "model.hpp"

#include <openvino/runtime/core.hpp>

#include <sstream>
#include <stdexcept>

// Without the hint, OpenVINO computes in bfloat16 on processors that have it.
Model::Model(const std::string &path, const std::string &device)
    : request(ov::Core()
                  .compile_model(path, device, ov::hint::inference_precision(ov::element::f32))
                  .create_infer_request()) {}

static void demand_fit(const ov::Output<const ov::Node> &expected, const ov::Tensor &x) {
    if (x.get_element_type() == expected.get_element_type() && expected.get_partial_shape().compatible(x.get_shape()))
        return;
    std::ostringstream why;
    why << "input " << expected.get_any_name() << " is " << x.get_element_type() << " " << x.get_shape()
        << ", the model takes " << expected.get_element_type() << " " << expected.get_partial_shape();
    throw std::invalid_argument(why.str());
}

std::vector<ov::Tensor> Model::run(const std::vector<ov::Tensor> &inputs) {
    const auto compiled = request.get_compiled_model();
    const auto expected = compiled.inputs();
    if (inputs.size() != expected.size())
        throw std::invalid_argument("the model takes " + std::to_string(expected.size()) + " inputs, not " +
                                    std::to_string(inputs.size()));
    for (size_t i = 0; i < inputs.size(); ++i) {
        demand_fit(expected[i], inputs[i]);
        request.set_input_tensor(i, inputs[i]);
    }
    request.infer();
    std::vector<ov::Tensor> outputs;
    for (size_t i = 0; i < compiled.outputs().size(); ++i) outputs.push_back(request.get_output_tensor(i));
    return outputs;
}
