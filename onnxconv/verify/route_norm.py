"""Weights for normalisations by statistics: each channel is scaled and shifted afterwards, as by a batch norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxconv.dtypes import numpy_dtype, rounded
from onnxconv.execute import apply
from onnxconv.graph import Node
from onnxconv.verify.ahead import Ahead
from onnxconv.verify.carried import error_after
from onnxconv.verify.draw import Stream
from onnxconv.verify.level import Level
from onnxconv.verify.route import Routed, largest_errors, shift, shrinking, shrinking_to
from onnxconv.verify.signal import Signal, scaled, spread
from onnxconv.verify.words import Array

__all__ = ["route_norm"]

GRID = 24
"""Shifts are multiples of 2^-24 at the finest; nothing is exact behind a norm."""


def route_norm(node: Node, x: Signal, next: Ahead, stream: Stream) -> Routed:
    """y = ±2^-k·(x − m)/√(variance + ε) + shift, k and the shift per channel; one for all, where weights have several axes."""
    dtype, op = node.type.dtype, node.op
    shapes = op.weight_shapes(x.value.shape)
    weights = {role: np.full(shape, float(role == "weight"), numpy_dtype(dtype)) for role, shape in shapes.items()}
    if (axis := _channels(op)) is None:
        return Routed(_signal(node, x, weights), weights)
    plain = apply(node, [x.value], weights)
    error = error_after(node, [x], weights, plain, np.abs(plain))
    seen = Signal(np.moveaxis(plain, axis, 1), 0, np.abs(plain), np.moveaxis(error, axis, 1))
    extent, error = spread(seen.value), largest_errors(seen)
    next = next.given(error)
    one = Level(next.level.range or 1.0, next.level.faint)
    exponent = shrinking_to(extent, error, one).max() if next.open else shrinking(extent, error, next, dtype)
    scale = np.broadcast_to(2.0**-exponent, error.shape)
    factor = scale * stream.signs(len(scale))
    weights["weight"] = rounded(factor, dtype)
    if "bias" in weights:
        weights["bias"] = rounded(shift(scaled(extent, factor), error * scale, next, GRID, stream), dtype)
    return Routed(_signal(node, x, weights), weights)


def _channels(op: Any) -> int | None:
    """The axis along which weights lie, if it is one."""
    axes = getattr(op, "axes", (1,))
    return int(axes[0]) if len(axes) == 1 else None


def _signal(node: Node, x: Signal, weights: dict[str, Array]) -> Signal:
    y = apply(node, [x.value], weights)
    offset = np.abs(node.op.affine(y.shape, weights["bias"].astype(np.float64))) if "bias" in weights else 0.0  # type: ignore[attr-defined]
    return Signal(y, GRID, np.abs(y) + 2 * offset)
