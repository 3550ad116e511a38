"""Layers that compute with integers, and those between numbers and integers."""

from __future__ import annotations

from onnxconv.dtypes import FLOATS
from onnxconv.spec.vocabulary.attributes import BIAS, DILATION, GROUP, INIT, KERNEL, LARGEST_POSITION, PAD, STRIDE
from onnxconv.spec.vocabulary.kind import Attribute, Kind

__all__ = ["KINDS"]

_FILTERS = Attribute("filters", "integer", "output channels", required=True, least=1)
_WEIGHTS = Attribute("weights", "word", "data type of the weight", "int8", words=("int8", "uint8"))
_BLOCKED = (
    Attribute("axis", "integer", "the axis with a scale for each position; left out: one scale for all", least=0),
    Attribute("block", "integer", "positions of the axis that share a scale", least=1),
)


def _scale(name: str, left_out: str) -> Attribute:
    return Attribute(name, "number", f"what an integer is multiplied with; left out: {left_out}")


def _zero_point(name: str, left_out: str) -> Attribute:
    return Attribute(name, "integer", f"the integer that stands for 0; left out: {left_out}", least=-LARGEST_POSITION)


def _linear(prefix: str, left_out: str = "as the weights say") -> tuple[Attribute, Attribute]:
    return _scale(f"{prefix}scale", left_out), _zero_point(f"{prefix}zero_point", left_out)


_OWN = (_scale("scale", "as the weights say"), _zero_point("zero_point", "0 beside a scale, else as the weights say"))
_PER_FILTER = "one per filter, as the weights say"
_PER_COLUMN = "one per column of b, as the weights say"

KINDS = (
    Kind(
        "quantize_linear",
        "x / scale rounded to integers, halves to even, plus zero_point, within the range of the data type",
        (
            *_OWN,
            *_BLOCKED,
            Attribute("to", "word", "the data type", "uint8", words=("uint8", "int8", "uint16", "int16")),
            INIT,
        ),
        roles=("scale", "zero_point"),
    ),
    Kind(
        "dequantize_linear",
        "(x - zero_point) * scale",
        (*_OWN, *_BLOCKED, Attribute("to", "word", "the data type", "float32", words=FLOATS), INIT),
        roles=("scale", "zero_point"),
    ),
    Kind("dynamic_quantize_linear", "x quantised to uint8 by its least and its largest number, and 0"),
    Kind("dynamic_scale", "the scale that dynamic_quantize_linear quantises by"),
    Kind("dynamic_zero_point", "the zero point that dynamic_quantize_linear quantises by"),
    Kind(
        "conv_integer",
        "convolution of integers in int32; the second tensor is the zero point of the first",
        (
            _FILTERS,
            KERNEL,
            STRIDE,
            DILATION,
            GROUP,
            PAD,
            _WEIGHTS,
            _zero_point("weight_zero_point", _PER_FILTER),
            INIT,
        ),
        join=True,
        roles=("weight", "weight_zero_point"),
    ),
    Kind(
        "matmul_integer",
        "first tensor times the second as matrices of integers in int32; the third and fourth are their zero points",
        join=True,
    ),
    Kind(
        "qlinear_conv",
        "convolution of integers in int32, rescaled to integers",
        (
            _FILTERS,
            KERNEL,
            STRIDE,
            DILATION,
            GROUP,
            BIAS,
            PAD,
            *_linear("x_"),
            _WEIGHTS,
            *_linear("weight_", _PER_FILTER),
            *_linear("y_"),
            Attribute("to", "word", "data type of the output", "uint8", words=("uint8", "int8")),
            INIT,
        ),
        roles=(
            "x_scale",
            "x_zero_point",
            "weight",
            "weight_scale",
            "weight_zero_point",
            "y_scale",
            "y_zero_point",
            "bias",
        ),
    ),
    Kind(
        "qlinear_matmul",
        "first tensor times the second as matrices of integers in int32, rescaled to integers",
        (
            *_linear("a_"),
            *_linear("b_", _PER_COLUMN),
            *_linear("y_"),
            Attribute("to", "word", "data type of the output", "uint8", words=("uint8", "int8")),
            INIT,
        ),
        join=True,
        roles=("a_scale", "a_zero_point", "b_scale", "b_zero_point", "y_scale", "y_zero_point"),
    ),
)
