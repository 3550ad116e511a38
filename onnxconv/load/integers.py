"""Quantising, dequantising and sums of products of integers, read from ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxconv.dtypes import DTYPES, rounded
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Axis
from onnxconv.load.file import dtype_name
from onnxconv.load.step import Reading, Step
from onnxconv.load.windows import window
from onnxconv.ops import (
    ConvInteger,
    DequantizeLinear,
    DynamicQuantizeLinear,
    MatMulInteger,
    Operator,
    QLinearConv,
    QLinearMatMul,
    QuantizeLinear,
)

__all__ = [
    "conv_integer",
    "dequantize",
    "dequantized",
    "dynamic_quantize",
    "matmul_integer",
    "qlinear_conv",
    "qlinear_matmul",
    "quantize",
]


def quantize(at: Reading) -> Sequence[Step]:
    axis, block = _axis_and_block(at)
    scale, asked = at.type(1).dtype, at.integer("output_dtype", 0)
    if at.integer("precision", 0) and dtype_name(at.integer("precision", 0)) != scale:
        raise Refusal("precision", "its division has another precision than its scale", "that is not read")
    dtype = at.type(2).dtype if at.has(2) else dtype_name(asked) if asked else "uint8"
    if asked and dtype_name(asked) != dtype:
        what = f"its output_dtype is {dtype_name(asked)}, its zero point {dtype}"
        raise Refusal("dtype", what, "both say the type of the output")
    if dtype not in DTYPES:
        raise Refusal("dtype", f"it quantises to {dtype}", "values are quantised to 8 or 16 bits")
    return (_step(at, QuantizeLinear(axis, block, dtype, scale), (1, 2)),)


def dequantize(at: Reading) -> Sequence[Step]:
    _check_output(at)
    return (_step(at, DequantizeLinear(*_axis_and_block(at)), (1, 2)),)


def dequantized(at: Reading) -> Array:
    """A constant that is dequantised, as the constant that it becomes."""
    _check_output(at)
    op = DequantizeLinear(*_axis_and_block(at))
    xs = [at.value(index) for index in range(3) if at.has(index)]
    op.out_shape(*(x.shape for x in xs))
    dtype = op.out_dtype(*(x.dtype.name for x in xs))
    return rounded(op.define(*(x.astype(np.float64) for x in xs)), dtype)


def _check_output(at: Reading) -> None:
    """Values are dequantised to the type of their scale."""
    asked = at.integer("output_dtype", 0)
    if asked and dtype_name(asked) != at.type(1).dtype:
        what = f"its output is {dtype_name(asked)}, its scale {at.type(1).dtype}"
        raise Refusal("dtype", what, "an output of another type than the scale is not read")


def _axis_and_block(at: Reading) -> tuple[int, int]:
    """The axis counted from the front. Where the scale is one number, no axis matters and it is 1."""
    block = at.integer("block_size", 0)
    if at.type(1).shape in ((), (1,)) and not block:
        return 1, 0
    return at.axis(1, len(at.type().shape)), block


def dynamic_quantize(at: Reading) -> Sequence[Step]:
    outputs = (("scale", 1), ("zero_point", 2), ("y", 0))
    return tuple(
        Step(DynamicQuantizeLinear(name), (at.tensor(),), output=at.node.output[index])
        for name, index in outputs
        if index < len(at.node.output) and at.node.output[index]
    )


def conv_integer(at: Reading) -> Sequence[Step]:
    return (_step(at, ConvInteger(*_window(at, 1)), (2, 3)),)


def qlinear_conv(at: Reading) -> Sequence[Step]:
    return (_step(at, QLinearConv(*_window(at, 3), at.type(7).dtype), (1, 2, 4, 5, 6, 7)),)


def _window(at: Reading, filters: int) -> tuple[tuple[Axis, ...], int]:
    w = at.type(filters).shape
    kernel = tuple(int(n) for n in w[2:] if isinstance(n, int))
    said = tuple(at.attributes.get("kernel_shape") or kernel)
    if said != kernel or len(kernel) != len(w) - 2:
        what = f"kernel_shape is {list(said)}, its weight has shape {list(w)}"
        raise Refusal("kernel-shape", what, "kernel_shape repeats the weight's spatial sizes, which are numbers")
    return window(at, kernel), at.integer("group", 1)


def matmul_integer(at: Reading) -> Sequence[Step]:
    return (_step(at, MatMulInteger(), (2, 3)),)


def qlinear_matmul(at: Reading) -> Sequence[Step]:
    return (_step(at, QLinearMatMul(at.type(7).dtype), (1, 2, 4, 5, 6, 7)),)


def _step(at: Reading, op: Operator, settled: Sequence[int]) -> Step:
    """The operator on all operands; those at the indices `settled` are scales and zero points, which are not learned."""
    names = at.operands()
    return Step(op, names, settled=tuple(names[index] for index in settled if index < len(names)))
