"""One layer's output on given inputs against its definition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.execute import apply, otherwise
from onnxconv.graph import Node
from onnxconv.verify.arithmetic import Layer, allowed
from onnxconv.verify.compare import Comparison, within
from onnxconv.verify.legal import legal
from onnxconv.verify.words import Array

__all__ = ["compared", "nearest", "settled"]


def compared(node: Node, xs: list[Array], w: dict[str, Array], got: Array, arithmetic: str) -> Comparison:
    """Numbers are within what the arithmetic allows, integers among the legal ones."""
    n = node.op.roundings(*(x.shape for x in xs))
    with np.errstate(all="ignore"):
        if DTYPES[node.type.dtype].family == "integer" and n:
            return within(got, np.clip(got.astype(np.float64), *legal(node, xs, w)), 0.0)
        y = nearest(node, xs, apply(node, xs, w), got)
        return within(got, y, allowed(Layer(node, xs, w, y), arithmetic))


def nearest(node: Node, xs: Sequence[Array], y: Array, got: Array) -> Array:
    """The output y, or where a layer rounds positions what is as right and closer to what a runtime gave."""
    for other in otherwise(node, xs):
        closer = np.abs(got.astype(np.float64) - other) < np.abs(got.astype(np.float64) - y)
        y = np.where(closer, other.astype(y.dtype), y)
    return y


def settled(node: Node, xs: Sequence[Array]) -> bool:
    """No output of a layer depends on how a position is rounded. Shapes of the inputs decide, whatever they hold."""
    return next(otherwise(node, xs), None) is None
