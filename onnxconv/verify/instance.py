"""Operands on which a layer is exact: integers of graded widths whose sums of absolute products fit the significand.

With p bits of significand every integer up to 2^p is a number. If the absolute values of all terms of an output sum to
at most 2^p, every partial sum in every order is such an integer, and nothing is ever rounded. Wide operands matter as
much as full sums: those of h = ⌈p/2⌉ bits and more cannot pass through a narrower format unharmed (TF32 keeps 11 bits,
bfloat16 8), so each side in turn is given h and p bits, with the other side, and the number of non-zero weights of a
filter, only as small as the sum demands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from onnxconv.dtypes import DTYPES, numpy_dtype
from onnxconv.graph import Node
from onnxconv.verify.choice import CHOICES, operands
from onnxconv.verify.draw import Stream
from onnxconv.verify.integers import DEQUANTIZED, KINDS, dequantized, integers
from onnxconv.verify.operands import drawn_for, is_exact, weights_for
from onnxconv.verify.words import Array

__all__ = ["Instance", "instances"]

Shapes = tuple[tuple[int, ...], ...]
Maker = Callable[[Shapes], "Instance"]


@dataclass(frozen=True)
class Instance:
    """Operands of one layer. `exact`: equality may be demanded. `density`: share of non-zero weights of a filter."""

    grade: str
    exact: bool
    xs: tuple[Array, ...]
    weights: dict[str, Array] = field(default_factory=dict)
    density: float = 1.0


def instances(node: Node, dtype: str, keys: tuple[object, ...], dtypes: tuple[str, ...] = ()) -> Iterator[Maker]:
    """Makers of instances, given the shapes of the inputs, the densest first. `dtypes`: those of the inputs."""
    match node.op.kind:
        case "Conv" | "ConvTranspose" | "Gemm":
            for grade in _grades(node, dtype):
                yield lambda shapes, grade=grade: _products(node, dtype, shapes, grade, Stream(*keys, grade))  # type: ignore[misc]
        case kind if kind in KINDS:
            yield lambda shapes: Instance(*integers(node, dtypes, shapes, Stream(*keys)))
        case kind if kind in CHOICES:
            yield lambda shapes: Instance("full-width", True, operands(node, dtypes, shapes, Stream(*keys)))
        case "MaxUnpool":
            yield lambda shapes: _unpooled(node, dtype, shapes, Stream(*keys))
        case "MaxPoolIndices":
            yield lambda shapes: _other(node, dtypes[0], shapes, Stream(*keys))
        case kind if kind in DEQUANTIZED:
            yield lambda shapes: _stored_as_integers(node, shapes, Stream(*keys))
        case _:
            yield lambda shapes: _other(node, dtype, shapes, Stream(*keys))


def _stored_as_integers(node: Node, shapes: Shapes, stream: Stream) -> Instance:
    x, weights = dequantized(node, shapes, stream)
    return Instance("integer", True, (x,), weights)


Grade = tuple[int, int]
"""Bits of inputs and of weights; 0: as many as the sums allow."""


LARGE = 1 << 23
"""Weights of a kernel above which the operands of half width are left out; those of full width see all that they see."""


def _grades(node: Node, dtype: str) -> tuple[Grade, ...]:
    p = DTYPES[dtype].significand
    half = (p + 1) // 2
    large = math.prod(dict(node.params)["weight"].shape) > LARGE
    return ((0, 0), (p, 1), (1, p)) if large else ((0, 0), (half, 2), (2, half), (p, 1), (1, p))


def _products(node: Node, dtype: str, shapes: Shapes, grade: Grade, stream: Stream) -> Instance:
    """Sums of products: Σ|x·w| + |b| ≤ terms · X · W + B ≤ 2^p."""
    (shape,) = shapes
    budget = 1 << DTYPES[dtype].significand
    terms = node.op.roundings(*shapes) - 1
    kernel = node.op.weight_shapes(*shapes)
    x_bits, w_bits = grade
    b_max = 0 if DTYPES[dtype].significand in grade else budget // 8
    if grade == (0, 0):
        x_max = w_max = max(1, math.isqrt((budget - b_max) // terms))
        name = f"dense {x_max.bit_length()}-bit"
        x = stream.filled(shape, x_max, dtype)
    else:
        x_max, w_max = (1 << x_bits) - 1, (1 << w_bits) - 1
        name = f"{x_bits}-bit × {w_bits}-bit"
        x = stream.long(shape, x_bits, dtype) if x_bits > w_bits else stream.filled(shape, x_max, dtype)
    kept = min(terms, (budget - b_max) // (x_max * w_max))
    assert kept >= 1, "one product always fits"
    weight, density = _filters(node, kernel["weight"], kept, w_max, w_bits if w_bits > x_bits else 0, dtype, stream)
    weights = {"weight": weight}
    if "bias" in kernel:
        weights["bias"] = (
            stream.filled(kernel["bias"], b_max, dtype) if b_max else np.zeros(kernel["bias"], numpy_dtype(dtype))
        )
    return Instance(name, True, (x,), weights, density)


def _filters(
    node: Node, shape: tuple[int, ...], kept: int, w_max: int, long_bits: int, dtype: str, stream: Stream
) -> tuple[Array, float]:
    """Weights of which at most `kept` per filter are not 0, spread evenly from a random start; and their share."""
    groups = getattr(node.op, "groups", 1)
    transposed = node.op.kind == "ConvTranspose"
    rows, slots = (
        (groups * shape[1], shape[0] // groups * math.prod(shape[2:]))
        if transposed
        else (shape[0], math.prod(shape[1:]))
    )

    def draw(size: tuple[int, ...]) -> Array:
        return stream.long(size, long_bits, dtype) if long_bits else stream.filled(size, w_max, dtype)

    if kept >= slots:
        return draw(shape), 1.0
    flat = np.zeros((rows, slots), numpy_dtype(dtype))
    at = (stream.below(slots, rows)[:, None] + np.arange(kept) * slots // kept) % slots
    flat[np.arange(rows)[:, None], at] = draw((rows, kept))
    if not transposed:
        return flat.reshape(shape), kept / slots
    blocks = flat.reshape(groups, shape[1], shape[0] // groups, *shape[2:])  # [g, M/g, C/g, *K]
    return np.ascontiguousarray(np.swapaxes(blocks, 1, 2)).reshape(shape), kept / slots


def _other(node: Node, dtype: str, shapes: Shapes, stream: Stream) -> Instance:
    """Everything but sums of products. Inputs that are one tensor get one array."""
    given = dict(zip(node.inputs, shapes, strict=True))
    drawn = {name: drawn_for(node, dtype, shape, shapes, stream) for name, shape in given.items()}
    weights = weights_for(node, dtype, shapes, stream)
    exact = is_exact(node, dtype, shapes)
    grade = "integer" if exact else "judged by its bound"
    return Instance(grade, exact, tuple(drawn[name] for name in node.inputs), weights)


def _unpooled(node: Node, dtype: str, shapes: Shapes, stream: Stream) -> Instance:
    """Values with a place of its own for each, in any order."""
    values = stream.filled(shapes[0], 1 << (DTYPES[dtype].significand - 1), dtype)
    room = math.prod(int(n) for n in node.op.out_shape(*shapes))
    places = stream.order(values.size) % room
    return Instance("integer", values.size <= room, (values, places.astype(np.int64).reshape(shapes[1])))
