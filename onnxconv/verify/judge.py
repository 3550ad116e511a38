"""One layer's output on given inputs against its definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import add

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.execute import apply, beside, otherwise
from onnxconv.graph import Node
from onnxconv.verify.arithmetic import DIRECT, Layer, allowed
from onnxconv.verify.choice import COMPARED
from onnxconv.verify.compare import Comparison, merge, within
from onnxconv.verify.legal import legal
from onnxconv.verify.rounding import bound
from onnxconv.verify.words import Array

__all__ = ["compared", "nearest", "settled"]


def compared(node: Node, xs: list[Array], w: dict[str, Array], got: Array, arithmetic: str) -> Comparison:
    """Numbers are within what the arithmetic allows, integers among the legal ones."""
    n = node.op.roundings(*(x.shape for x in xs))
    with np.errstate(all="ignore"):
        if DTYPES[node.type.dtype].family == "integer" and n:
            return within(got, np.clip(got.astype(np.float64), *legal(node, xs, w)), 0.0)
        if n and got.size and (arithmetic == DIRECT or _one_model(node)) and settled(node, xs):
            found = _in_pieces(node, xs, w, got, n)
            if not found.mismatches:
                return found
        y = nearest(node, xs, apply(node, xs, w), got)
        if n == 0 and (arithmetic == DIRECT or _one_model(node)):
            return within(got, y, 0.0)
        return within(got, y, allowed(Layer(node, xs, w, y), arithmetic))


def _one_model(node: Node) -> bool:
    """Whether there is no other model than direct evaluation for the layer's data type."""
    return node.type.dtype != "float32" and node.op.kind not in COMPARED


def _in_pieces(node: Node, xs: list[Array], w: dict[str, Array], got: Array, n: int) -> Comparison:
    """Under the direct model, a piece of the output after the other, of which nothing is kept but the verdict."""

    def judge(piece: Array, y: Array, size: Array) -> Comparison:
        return within(piece, y, bound(node.type.dtype, n, size))

    total: Comparison | None = None
    for start, found in beside(node, xs, w, got, judge):
        at = tuple(map(add, start, found.worst)) if start else found.worst
        total = merge(total, replace(found, worst=at, shape=got.shape))
    assert total is not None, "there is at least one piece"
    return total


def nearest(node: Node, xs: Sequence[Array], y: Array, got: Array) -> Array:
    """The output y, or where a layer rounds positions what is as right and closer to what a runtime gave."""
    for other in otherwise(node, xs):
        closer = np.abs(got.astype(np.float64) - other) < np.abs(got.astype(np.float64) - y)
        y = np.where(closer, other.astype(y.dtype), y)
    return y


def settled(node: Node, xs: Sequence[Array]) -> bool:
    """No output of a layer depends on how a position is rounded. Shapes of the inputs decide, whatever they hold."""
    return next(otherwise(node, xs), None) is None
