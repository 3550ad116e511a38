"""Pools, one axis after the other: the extremes or sums of windows are those of rows of columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from onnxconv.execute.fast.block import BLOCK, Block, blocks_of, cuts, shared, triple
from onnxconv.execute.fast.window import Reading, box_cuts, reading, slab, start_of
from onnxconv.geometry import Array, Axis, Window
from onnxconv.ops import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool

__all__ = ["GlobalKernel", "PoolKernel", "global_kernel", "pool_kernel"]


@dataclass(frozen=True, slots=True)
class Tile(Block):
    """Channels of one image, and what a box of their positions reads."""

    read: Reading


@dataclass(frozen=True, slots=True)
class PoolKernel:
    """`take` two values together under a window over an input padded with `padding`; then divide by `counted` [S'], if given."""

    window: Window
    take: Any
    padding: float
    counted: Array | None
    blocks: tuple[Tile, ...]
    scratch: int

    def fill(self, block: Block, xs: Sequence[Array], y: Array, scratch: Array, before: Block | None = None) -> None:
        assert isinstance(block, Tile), "a pool is asked for its own blocks"
        seen = xs[0][block.images.start, block.channels]
        values, used = slab(seen, block.read, self.padding, scratch)
        if values.flags.c_contiguous and _overlap(self.window):
            values = _flat(values, self.window, block.read.outs, self.take, scratch[used:])
        else:
            for place, axis in reversed(tuple(enumerate(self.window))):
                values = _along(values, place + 1, axis, block.read.outs[place], self.take)
        out = block.of(y)[0]
        if self.counted is None:
            np.copyto(out.reshape(values.shape), values)
        else:
            np.divide(values.reshape(out.shape), self.counted[block.positions], out=out)


def _overlap(window: Window) -> bool:
    """Whether there is a window at every position, so that they are fastest taken together in one row."""
    return all(axis.stride == 1 for axis in window)


def _flat(padded: Array, window: Window, outs: Sequence[int], take: Any, scratch: Array) -> Array:
    """The windows of stride 1 at every position of a slab [C, *S] as one row of numbers, of which those of the outputs are seen.

    Rows of one number after the other are what vector units are fast on; what a window takes together beyond an edge is not seen.
    """
    values, n = padded.reshape(-1), padded.size
    made, other = scratch[:n], scratch[n : 2 * n]
    steps = [math.prod(padded.shape[place + 2 :]) for place in range(len(window))]
    for axis, step in reversed(tuple(zip(window, steps, strict=True))):
        if axis.size == 1:
            continue
        apart = step * axis.dilation
        count = len(values) - apart * (axis.size - 1)
        total = made[:count]
        take(values[:count], values[apart : apart + count], out=total)
        for tap in range(2, axis.size):
            take(total, values[tap * apart : tap * apart + count], out=total)
        values, made, other = total, other, made
    strides = tuple(step * values.itemsize for step in (math.prod(padded.shape[1:]), *steps))
    return as_strided(values, (len(padded), *outs), strides, writeable=False)


def _along(x: Array, at: int, axis: Axis, outs: int, take: Any) -> Array:
    """The windows of one axis taken together."""
    total: Array | None = None
    for tap in range(axis.size):
        start = tap * axis.dilation
        seen = x[(*(slice(None),) * at, slice(start, start + (outs - 1) * axis.stride + 1, axis.stride))]
        if total is None:
            total = seen if axis.size == 1 else seen.copy()
        else:
            take(total, seen, out=total)
    assert total is not None, "a window has at least one tap"
    return total


def pool_kernel(op: MaxPool | AveragePool, shape: Sequence[int], dtype: np.dtype[Any]) -> PoolKernel:
    """A pool of x[N, C, *S] of that data type."""
    sizes = tuple(shape[2:])
    outs = tuple(int(axis.out_size(n)) for axis, n in zip(op.window, sizes, strict=True))
    boxes = tuple(reading(op.window, sizes, box) for box in box_cuts(outs, BLOCK))
    slabs = max(math.prod(read.slab) for read in boxes)
    together = shared(shape[1], max(1, BLOCK // slabs), slabs)
    tiles = tuple(
        Tile(slice(image, image + 1), channels, slice(first, first + math.prod(read.outs)), read)
        for image in range(shape[0])
        for channels in cuts(shape[1], together)
        for read in boxes
        for first in [start_of(read.box, outs)]
    )
    scratch = (3 if _overlap(op.window) else 1) * slabs * min(shape[1], together)
    if isinstance(op, MaxPool):
        lowest = -math.inf if dtype.kind not in "iu" else int(np.iinfo(dtype).min)
        return PoolKernel(op.window, np.maximum, lowest, None, tiles, scratch)
    return PoolKernel(op.window, np.add, 0.0, _counted(op, sizes, dtype), tiles, scratch)


def _counted(op: AveragePool, sizes: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """What each position's sum is divided by: the pixels of its window, without padding or with it."""
    counted: Array = np.ones((), dtype)
    for axis, n in zip(op.window, sizes, strict=True):
        outs, taps = int(axis.out_size(n)), np.arange(axis.size) * axis.dilation
        at = np.arange(outs)[:, None] * axis.stride - axis.pad[0] + taps
        pixels = np.full(outs, axis.size) if op.count_include_pad else ((at >= 0) & (at < n)).sum(axis=1)
        counted = np.multiply.outer(counted, pixels.astype(dtype))
    return counted.reshape(-1)


@dataclass(frozen=True, slots=True)
class GlobalKernel:
    """The mean or the largest of all positions of a channel."""

    op: GlobalAveragePool | GlobalMaxPool
    blocks: tuple[Block, ...]
    scratch: int = 0

    def fill(self, block: Block, xs: Sequence[Array], y: Array, scratch: Array, before: Block | None = None) -> None:
        x = xs[0].reshape(*xs[0].shape[:2], -1)[block.images, block.channels]
        out = block.of(y)[..., 0]
        if isinstance(self.op, GlobalMaxPool):
            np.max(x, axis=2, out=out)
        else:
            np.mean(x, axis=2, out=out)


def global_kernel(op: GlobalAveragePool | GlobalMaxPool, shape: Sequence[int]) -> GlobalKernel:
    """A global pool of x[N, C, *S]."""
    n, c, s = triple(shape)
    return GlobalKernel(op, blocks_of((n, c, 1), shared(c, max(1, BLOCK // s), n * s)))
