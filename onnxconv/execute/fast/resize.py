"""Weighted resizes, one axis after the other, as products with small matrices: of a stretch of outputs and what it reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from onnxconv.execute.fast.block import BLOCK, Block, Call, cuts
from onnxconv.geometry import Array
from onnxconv.ops import Resize

__all__ = ["ResizeKernel", "by_matrices", "resize_kernel"]

STRETCH = 48
"""Outputs of one matrix product."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring outputs of an axis: `matrix` [outputs, inputs] times the inputs `read`."""

    outs: slice
    read: slice
    matrix: Array


@dataclass(frozen=True, slots=True)
class ResizeKernel:
    """Axis by axis, the innermost first, on some channels of an image; by definition where a number is not finite.

    A matrix has zeros, which would spread what is not finite to outputs that do not read it.
    """

    op: Resize
    axes: tuple[tuple[int, tuple[Stretch, ...]], ...]
    blocks: tuple[Block, ...]
    scratch: int = 0

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        yield partial(self._compute, xs[0][block.images, block.channels], out)

    def _compute(self, x: Array, out: Array) -> None:
        if not np.isfinite(x).all():
            out[...] = self.op.define(x).reshape(out.shape)
            return
        for axis, stretches in self.axes:
            x = _along(x, axis, stretches)
        out[...] = x.reshape(out.shape)


def _along(x: Array, axis: int, stretches: Sequence[Stretch]) -> Array:
    """One axis resized."""
    lead, tail = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    seen = np.ascontiguousarray(x).reshape(lead, x.shape[axis], tail)
    outs = stretches[-1].outs.stop
    y = np.empty((lead, outs, tail), x.dtype)
    for part in stretches:
        if tail == 1:
            np.matmul(seen[:, part.read, 0], part.matrix.T, out=y[:, part.outs, 0])
        else:
            np.matmul(part.matrix, seen[:, part.read], out=y[:, part.outs])
    return y.reshape(*x.shape[:axis], outs, *x.shape[axis + 1 :])


def by_matrices(op: Resize) -> bool:
    """Whether a resize is a weighted sum along spatial axes alone, without a value for what lies beyond."""
    spatial = all(one.axis >= 2 for one in op.axes)
    return spatial and op.sampling.mode != "nearest" and op.coordinates != "tf_crop_and_resize"


def resize_kernel(op: Resize, shape: Sequence[int], dtype: np.dtype[Any]) -> ResizeKernel:
    """A resize of x[N, C, *S] for which `by_matrices` holds."""
    axes = tuple((one.axis, _stretches(*op.reads(one, shape), dtype)) for one in reversed(op.axes))
    outs = math.prod(int(n) for n in op.out_shape(tuple(shape))[2:])
    most = max(1, BLOCK // max(outs, math.prod(shape[2:])))
    blocks = tuple(
        Block(slice(image, image + 1), channels, slice(0, outs))
        for image in range(shape[0])
        for channels in cuts(shape[1], most)
    )
    return ResizeKernel(op, axes, blocks)


def _stretches(positions: Array, weights: Array, dtype: np.dtype[Any]) -> tuple[Stretch, ...]:
    """The matrices of an axis, whose outputs read `positions` with `weights`, both [outputs, taps]."""
    found = []
    for outs in cuts(len(positions), STRETCH):
        read, share = positions[outs], weights[outs]
        low, high = int(read.min()), int(read.max()) + 1
        matrix = np.zeros((len(read), high - low))
        np.add.at(matrix, (np.arange(len(read))[:, None], read - low), share)
        found.append(Stretch(outs, slice(low, high), matrix.astype(dtype)))
    return tuple(found)
