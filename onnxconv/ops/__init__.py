"""The operators: each states its shape rule, definition, weights, cost, reach and ONNX form."""

from onnxconv.ops.conv import Conv, ConvTranspose, Dense
from onnxconv.ops.join import Add, Concat, Mul
from onnxconv.ops.pointwise import BatchNorm, Clip, Identity, LeakyRelu, Relu, Sigmoid, Silu, Softmax
from onnxconv.ops.pool import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, average
from onnxconv.ops.protocol import (
    POINT,
    WHOLE_AXIS,
    AttributeValue,
    Const,
    Footprint,
    Form,
    Operator,
    Shape,
    Work,
    shape_text,
)
from onnxconv.ops.shape import PAD_MODES, Flatten, Pad

OPERATORS: tuple[type[Operator], ...] = (
    Conv,
    ConvTranspose,
    Dense,
    MaxPool,
    AveragePool,
    GlobalMaxPool,
    GlobalAveragePool,
    Relu,
    LeakyRelu,
    Clip,
    Sigmoid,
    Silu,
    Softmax,
    BatchNorm,
    Identity,
    Add,
    Mul,
    Concat,
    Flatten,
    Pad,
)
"""Every operator there is. A new one is added here, and nowhere by side effect."""

__all__ = [
    "OPERATORS",
    "PAD_MODES",
    "POINT",
    "WHOLE_AXIS",
    "Add",
    "AttributeValue",
    "AveragePool",
    "BatchNorm",
    "Clip",
    "Concat",
    "Const",
    "Conv",
    "ConvTranspose",
    "Dense",
    "Flatten",
    "Footprint",
    "Form",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "LeakyRelu",
    "MaxPool",
    "Mul",
    "Operator",
    "Pad",
    "Relu",
    "Shape",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Work",
    "average",
    "shape_text",
]
