"""Activations."""

from __future__ import annotations

from onnxconv.spec.vocabulary.attributes import AXIS, INIT
from onnxconv.spec.vocabulary.kind import Attribute, Kind

__all__ = ["KINDS"]

KINDS = (
    Kind("relu", "max(x, 0)"),
    Kind("relu6", "min(max(x, 0), 6)"),
    Kind(
        "leaky_relu",
        "x where x >= 0, else slope * x",
        (Attribute("slope", "number", "the factor below zero", 0.01),),
        bare="slope",
    ),
    Kind(
        "prelu",
        "x where x >= 0, else weight * x",
        (Attribute("shared", "boolean", "one learned weight for all channels", False), INIT),
        bare="shared",
        roles=("weight",),
    ),
    Kind(
        "clip",
        "x limited to a range",
        (
            Attribute("min", "number", "lower limit; left out: none"),
            Attribute("max", "number", "upper limit; left out: none"),
        ),
    ),
    Kind("sigmoid", "1 / (1 + exp(-x))"),
    Kind("silu", "x * sigmoid(x)"),
    Kind("tanh", "hyperbolic tangent"),
    Kind(
        "elu",
        "x where x >= 0, else alpha * (exp(x) - 1)",
        (Attribute("alpha", "number", "minus the limit far below zero", 1),),
        bare="alpha",
    ),
    Kind(
        "hard_sigmoid",
        "min(max(alpha * x + beta, 0), 1); the defaults are ONNX's, torch and MobileNetV3 have alpha 1/6",
        (
            Attribute("alpha", "number", "the slope", 0.2),
            Attribute("beta", "number", "the value at 0", 0.5),
        ),
    ),
    Kind("hard_swish", "x * min(max(x / 6 + 0.5, 0), 1)"),
    Kind("softplus", "log(1 + exp(x))"),
    Kind(
        "gelu",
        "x * Phi(x), with the normal distribution Phi",
        (Attribute("by", "word", "erf, which is exact, or the approximation by tanh", "erf", words=("erf", "tanh")),),
        bare="by",
    ),
    Kind("mish", "x * tanh(softplus(x))"),
    Kind("softmax", "exponentials that sum to 1 along an axis", (AXIS,), bare="axis"),
)
