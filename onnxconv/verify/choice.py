"""Comparisons, logic and choices: operands that tell them apart, and where an error leaves the answer open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np

from onnxconv.dtypes import DTYPES, rounded
from onnxconv.graph import Node
from onnxconv.verify.draw import Stream
from onnxconv.verify.words import Array

__all__ = ["CHOICES", "COMPARED", "error_of_choice", "operands", "undecided"]

COMPARED = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
CHOICES = (*COMPARED, "Not", "And", "Or", "Xor", "Where")


def operands(node: Node, dtypes: Sequence[str], shapes: Sequence[tuple[int, ...]], stream: Stream) -> tuple[Array, ...]:
    """Inputs in order: numbers of full width that lie next to each other, truth values as often true as false.

    Neighbours (and equals) alone show whether all bits are compared. Inputs that are one tensor get one array.
    """
    given = dict(zip(node.inputs, zip(dtypes, shapes, strict=True), strict=True))
    drawn = {name: _neighbours(shape, dtype, stream) for name, (dtype, shape) in given.items()}
    return tuple(drawn[name] for name in node.inputs)


def _neighbours(shape: tuple[int, ...], dtype: str, stream: Stream) -> Array:
    """±(2^(p−1) + 0, 1 or 2), p bits of significand; of one bit, 0 or 1."""
    of, count = DTYPES[dtype], math.prod(shape)
    if of.family == "boolean":
        return stream.below(2, count).astype(bool).reshape(shape)
    near = (1 << (of.significand - 1)) + stream.below(3, count).astype(object)
    signed = near * stream.signs(count).astype(object) if of.low < 0 else near
    return rounded(np.array(signed, "float64" if of.family == "float" else dtype), dtype).reshape(shape)


def undecided(values: Sequence[Array], errors: Sequence[Array]) -> Array:
    """Where two numbers lie so close to each other that errors on them may turn a comparison over."""
    (a, b), error = values, reduce(np.add, errors)
    with np.errstate(invalid="ignore"):
        apart: Array = np.abs(a - b) > error
    return ~apart & (error > 0)


def error_of_choice(node: Node, values: Sequence[Array], errors: Sequence[Array]) -> Array:
    """|runtime − reference| of the output is at most this: 1 where a truth value is open, for what is chosen by it the distance."""
    if node.op.kind in COMPARED:
        return undecided(values, errors).astype(np.float64)
    if node.op.kind != "Where":
        return reduce(np.maximum, errors)
    (condition, one, other), (open_, *own) = values, errors
    chosen = np.where(condition != 0, *own)
    either = np.abs(one - other) + reduce(np.maximum, own)
    return np.where(open_ > 0, either, chosen)
