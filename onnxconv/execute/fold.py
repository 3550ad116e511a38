"""Batch norms as what they are at inference: a factor and a shift for each channel, which go into the layer before."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxconv.geometry import Array
from onnxconv.ops import BatchNorm, Conv, ConvTranspose, Dense

__all__ = ["affine", "folded"]


def affine(op: BatchNorm, w: Mapping[str, Array]) -> tuple[Array, Array]:
    """Factor and shift [C] of a batch norm, in float64: y = x · factor + shift. ε is the float32 that ONNX stores."""
    weight, bias, mean, var = (w[role].astype(np.float64) for role in ("weight", "bias", "running_mean", "running_var"))
    factor: Array = weight / np.sqrt(var + np.float64(np.float32(op.epsilon)))
    return factor, bias - mean * factor


def folded(
    op: Conv | ConvTranspose | Dense, w: Mapping[str, Array], norm: BatchNorm, statistics: Mapping[str, Array]
) -> dict[str, Array]:
    """Weight and bias, in float64, of a layer that also does what the batch norm behind it did: f·(W∗x + b) + shift."""
    factor, shift = affine(norm, statistics)
    weight, rows = w["weight"].astype(np.float64), factor[:, None]
    if isinstance(op, ConvTranspose):  # [C, M/g, *K]: the rows of a group lead to the filters of that group
        rows = np.repeat(factor.reshape(op.groups, -1), len(weight) // op.groups, axis=0)
    bias = w["bias"].astype(np.float64) * factor + shift if "bias" in w else shift
    return {"weight": weight * rows.reshape(*rows.shape, *[1] * (weight.ndim - 2)), "bias": bias}
