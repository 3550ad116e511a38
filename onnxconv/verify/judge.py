"""One layer's output on given inputs against its definition."""

from __future__ import annotations

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.execute import apply
from onnxconv.graph import Node
from onnxconv.verify.arithmetic import Layer, allowed
from onnxconv.verify.compare import Comparison, within
from onnxconv.verify.legal import legal
from onnxconv.verify.words import Array

__all__ = ["compared"]


def compared(node: Node, xs: list[Array], w: dict[str, Array], got: Array, arithmetic: str) -> Comparison:
    """Numbers are within what the arithmetic allows, integers among the legal ones."""
    n = node.op.roundings(*(x.shape for x in xs))
    with np.errstate(all="ignore"):
        if DTYPES[node.type.dtype].family == "integer" and n:
            return within(got, np.clip(got.astype(np.float64), *legal(node, xs, w)), 0.0)
        y = apply(node, xs, w)
        return within(got, y, allowed(Layer(node, xs, w, y), arithmetic))
