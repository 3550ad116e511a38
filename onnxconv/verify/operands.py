"""Operands of layers other than sums of products: integers where those are exact, else real numbers that tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxconv.dtypes import DTYPES, numpy_dtype, rounded
from onnxconv.graph import Node
from onnxconv.verify.draw import Stream, real
from onnxconv.verify.rounding import representable
from onnxconv.verify.words import Array

__all__ = ["drawn_for", "is_exact", "weights_for"]

MEANS = ("AveragePool", "GlobalAveragePool", "ReduceMean")


def drawn_for(
    node: Node, dtype: str, shape: tuple[int, ...], shapes: Sequence[tuple[int, ...]], stream: Stream
) -> Array:
    """An input of that shape, one of `shapes`."""
    p, op, n = DTYPES[dtype].significand, node.op, node.op.roundings(*shapes)
    if (limit := _largest(op.kind, p, n, len(shapes))) is not None:
        return stream.filled(shape, max(1, limit), dtype)
    match op.kind:
        case "LeakyRelu" | "PRelu":
            return _powers_below_zero(shape, p, dtype, stream)
        case "Round":
            halves: Array = stream.filled(shape, 1 << (p - 2), dtype) / numpy_dtype(dtype).type(2)
            return halves
        case _ if n == 0:
            return _around_limits(op, shape, p, dtype, stream)
        case _:
            return _for_its_domain(op, shape, dtype, stream)


def _largest(kind: str, p: int, n: int, count: int) -> int | None:
    """The largest integer whose sums and products with n roundings, over `count` inputs, are numbers of p bits."""
    match kind:
        case "Add" | "Sub":
            return (1 << p) // count
        case "Mul":
            return (1 << p // count) - 1
        case "MatMul":
            return math.isqrt((1 << p) // n)
        case "ReduceSum":
            return (1 << p) // (n + 1)
        case kind if kind in MEANS:
            return (1 << p) // (n - 1)
        case "BatchNormalization":
            return 1 << (p - 4)
        case _:
            return None


def is_exact(node: Node, dtype: str, shapes: Sequence[tuple[int, ...]]) -> bool:
    """On these operands no correct evaluation rounds anything."""
    p, op, n = DTYPES[dtype].significand, node.op, node.op.roundings(*shapes)
    match op.kind:
        case "AveragePool":
            unpadded = not any(any(axis.pad) for axis in getattr(op, "window", ()))
            return _summable(n - 1, p) and (unpadded or bool(getattr(op, "count_include_pad", False)))
        case "GlobalAveragePool" | "ReduceMean":
            return _summable(n - 1, p)
        case "BatchNormalization":
            return dtype != "float16"
        case "LeakyRelu":  # a narrower type rounds the slope
            return p >= DTYPES["float32"].significand
        case "MatMul":
            return n <= 1 << p
        case "ReduceSum":
            return n + 1 <= 1 << p
        case "Add" | "Sub" | "Mul" | "PRelu":
            return True
        case _:
            return n == 0


def weights_for(node: Node, dtype: str, shapes: Sequence[tuple[int, ...]], stream: Stream) -> dict[str, Array]:
    """Factors of powers of two for batch norms, slopes of p bits, real numbers elsewhere."""
    op, p = node.op, DTYPES[dtype].significand
    if op.kind == "BatchNormalization":
        return _normalisation(op, int(shapes[0][1]), dtype, stream)
    wanted = op.weight_shapes(*shapes).items()
    if op.kind == "PRelu":
        limit = (1 << p) - 1
        return {role: rounded(np.ldexp(stream.filled(s, limit, "float64"), -p), dtype) for role, s in wanted}
    return {role: real("normal", s, dtype, stream) for role, s in wanted}


def _for_its_domain(op: Any, shape: tuple[int, ...], dtype: str, stream: Stream) -> Array:
    """Real numbers where the operator is defined, and so large that the small numbers in its formula make a difference."""
    drawn = 2 * real("normal", shape, dtype, stream)
    scale = 1.0
    match op.kind:
        case "Sqrt" | "Log" | "Pow":
            drawn = np.abs(drawn)
        case "ReduceProd":
            drawn = (np.sign(drawn) * (1 + np.abs(drawn) / op.count(shape))).astype(drawn.dtype)
        case "LayerNormalization" | "GroupNormalization" | "InstanceNormalization" if op.epsilon > 0:
            scale = 2.0 ** round(math.log2(op.epsilon) / 2)
        case "LRN" if op.alpha > 0:
            scale = 2.0 ** round(-math.log2(op.alpha) / 2)
    y: Array = drawn * numpy_dtype(dtype).type(scale)
    return y


def _summable(count: int, p: int) -> bool:
    """A mean of integers is exact: it divides by a power of two, and so many ones are a number."""
    return count & (count - 1) == 0 and count <= 1 << p


def _powers_below_zero(shape: tuple[int, ...], p: int, dtype: str, stream: Stream) -> Array:
    """Positive integers, and negative powers of two, which times any slope are exact."""
    count = math.prod(shape)
    integers = stream.bits(p, count)
    powers = -(2.0 ** stream.below(p, count))
    return rounded(np.where(stream.below(2, count) == 0, integers, powers), dtype).reshape(shape)


def _around_limits(op: object, shape: tuple[int, ...], p: int, dtype: str, stream: Stream) -> Array:
    """Numbers of p bits on both sides of 0 and of a clip's limits."""
    limits = [
        abs(v) for v in (getattr(op, "low", None), getattr(op, "high", None)) if v is not None and math.isfinite(v)
    ]
    widest = DTYPES[dtype]
    reach = min(math.frexp(1.25 * max([6.0, *limits]))[1], math.frexp(widest.high)[1])  # the next power of two
    integers = stream.bits(p, math.prod(shape)) - (1 << (p - 1))
    numbers = np.ldexp(integers.astype(np.float64), reach - p + 1)
    return rounded(np.clip(numbers, widest.low, widest.high), dtype).reshape(shape)


def _normalisation(op: object, channels: int, dtype: str, stream: Stream) -> dict[str, Array]:
    """Factors ±½, ±1, ±2 by variances whose sum with epsilon is a power of four in every arithmetic.

    Even channels: 4^k − ε where that is a number, so that an epsilon left out shows. Odd ones: 2^60, which swallows ε.
    """
    p = DTYPES[dtype].significand
    factors = 2.0 ** (stream.below(3, channels) - 1) * stream.signs(channels)
    if dtype == "float16":
        variances, roots = np.full(channels, 4.0), np.full(channels, 2.0)
    else:
        variances, roots = np.full(channels, 2.0**60), np.full(channels, 2.0**30)
        epsilon = float(np.float32(getattr(op, "epsilon", 0.0)))
        if epsilon > 0:
            k = math.frexp(epsilon)[1]
            k += k % 2
            root, left = 2.0 ** (k // 2), 2.0**k - epsilon
            if left > 0 and representable(np.array(left), dtype):
                variances[::2], roots[::2] = left, root
    limit = 1 << (p - 4)
    return {
        "weight": rounded(factors * roots, dtype),
        "bias": stream.filled((channels,), limit, dtype),
        "running_mean": stream.filled((channels,), limit, dtype),
        "running_var": rounded(variances, dtype),
    }
