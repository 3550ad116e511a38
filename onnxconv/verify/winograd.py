"""How far Winograd's minimal filtering may be from the exact result: by tile, since a tile shares its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from onnxconv.graph import Node
from onnxconv.verify.rounding import gamma
from onnxconv.verify.words import Array

__all__ = ["KERNELS", "transforms", "winograd"]

KERNELS = (3, 5)
"""Taps along each axis for which cuDNN has such algorithms (WINOGRAD and WINOGRAD_NONFUSED)."""

POINTS = (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))
"""Interpolation points as runtimes choose them, beside infinity, the first ones first (Lavin and Gray, CVPR 2016; Cook and Toom)."""


def transforms(size: int, taps: int = 3) -> tuple[Array, Array, Array]:
    """(Aᵀ[m, t], G[t, r], Bᵀ[t, t]) of F(m, r), t = m + r − 1: y = Aᵀ((G·w) ⊙ (Bᵀ·x)).

    Aᵀ and G evaluate polynomials at the points, G divided by the products of their differences; Bᵀ is the transpose of
    what interpolates a product of t coefficients.
    """
    tile = size + taps - 1
    points = [Fraction(p) for p in POINTS[: tile - 1]]

    def evaluated(count: int) -> Array:
        rows = [[float(p**k) for k in range(count)] for p in points]
        return np.array([*rows, [0.0] * (count - 1) + [1.0]])

    apart = [float(np.prod([float(p - q) for q in points if q != p])) for p in points] + [1.0]
    interpolating = np.linalg.inv(evaluated(tile))
    return evaluated(size).T, evaluated(taps) / np.array(apart)[:, None], interpolating.T * np.array(apart)[:, None]


def winograd(node: Node, xs: Sequence[Array], w: Mapping[str, Array], size: int) -> Array | None:
    """The largest error of each output of a 3×3 or 5×5 convolution of stride 1; None where F(m, r) does not apply.

    γ_(K+1)·(|Aᵀ|[Σ_c (|G||w||Gᵀ|) ⊙ (|Bᵀ||x||B|)]|A| + |b|), K = channels + 6t: the roundings of the sum over channels
    and of the three transforms, at most t for each side of each (after Barabasz et al., ACM TOMS 46(4), 2020, section 3,
    without its constants for special points). The whole tile's |x| counts, also pixels beside the field. Tiles may begin
    anywhere: for |x| stands the largest pixel of any tile that covers the output, and of the tile's outputs the worst.
    """
    axes = getattr(node.op, "window", ())
    weight = w.get("weight")
    if node.op.kind != "Conv" or weight is None or weight.ndim != 4:
        return None
    taps, tile = weight.shape[3], size + weight.shape[3] - 1
    if weight.shape[2] != taps or taps not in KERNELS or tile - 1 > len(POINTS):
        return None
    if any(axis.stride != 1 or axis.dilation != 1 for axis in axes):
        return None
    (x,), groups = xs, int(getattr(node.op, "groups", 1))
    largest = _around(np.abs(x.astype(np.float64)), [axis.pad for axis in axes], tile, taps)  # [N, C, *S']
    heaviest = _growth(weight.astype(np.float64), size)  # [M, C/g]
    n, channels = len(x), weight.shape[1]
    blocks = largest.reshape(n, groups, channels, *largest.shape[2:])
    rows = heaviest.reshape(groups, -1, channels)
    summed = np.einsum("gmc,ngchw->ngmhw", rows, blocks).reshape(n, -1, *largest.shape[2:])
    bias = np.abs(w["bias"].astype(np.float64)).reshape(-1, 1, 1) if "bias" in w else 0.0
    limit: Array = gamma(channels + 6 * tile + 1, 2.0**-24) * (summed + bias)
    return limit


def _growth(weight: Array, size: int) -> Array:
    """[M, C/g]: the largest of |Aᵀ|[(|G||w||Gᵀ|) ⊙ (|Bᵀ|·1·|B|)]|A|, for pixels of 1."""
    a, g, b = (np.abs(m) for m in transforms(size, weight.shape[3]))
    kernels = np.einsum("ij,mcjk,lk->mcil", g, np.abs(weight), g) * np.outer(b.sum(axis=1), b.sum(axis=1))
    most: Array = np.einsum("ij,mcjk,lk->mcil", a, kernels, a).max(axis=(2, 3))
    return most


def _around(x: Array, pads: Sequence[tuple[int, int]], tile: int, taps: int) -> Array:
    """For each output the largest pixel of any tile that covers it, tiles reaching `tile` − 1 pixels to either side."""
    reach = tile - 1
    for axis, (begin, end) in enumerate(pads, start=2):
        widths = [(0, 0)] * x.ndim
        widths[axis] = (begin + reach, end + reach)
        padded = np.pad(x, widths)
        outs = x.shape[axis] + begin + end - taps + 1
        shifted = [np.take(padded, range(k, k + outs), axis=axis) for k in range(2 * reach + taps)]
        x = np.maximum.reduce(shifted)
    return x
