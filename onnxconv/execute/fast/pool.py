"""Pools, one axis after the other: the extremes or sums of windows are those of columns, taken along the rows."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from onnxconv.execute.fast.block import BLOCK, Block, Call, blocks_of, cuts, shared, triple
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

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        assert isinstance(block, Tile), "a pool is asked for its own blocks"
        seen = xs[0][block.images.start, block.channels]
        values, used = yield from slab(seen, block.read, self.padding, scratch)
        room = scratch[used:]
        for place in _order(self.window):
            axis, outs = self.window[place], block.read.outs[place]
            values, room = yield from _along(values, place + 1, axis, outs, self.take, room)
        yield partial(np.copyto, out.reshape(values.shape), values)
        if self.counted is not None:
            yield partial(np.divide, out, self.counted[block.positions], out=out)


def _apart(axis: Axis) -> bool:
    """Whether windows have nothing in common."""
    return axis.size <= axis.stride


def _order(window: Window) -> list[int]:
    """The axes, from the outermost to the innermost, which comes first where it makes fewest numbers."""
    places = list(range(len(window)))
    return [*places[-1:], *places[:-1]] if _apart(window[-1]) else places


def _along(
    values: Array, place: int, axis: Axis, outs: int, take: Any, room: Array
) -> Generator[Call, None, tuple[Array, Array]]:
    """The windows of one axis taken together, and what is left of the room; yields the calls."""
    if axis.size == 1:
        return _tap(values, place, axis, outs, 0), room
    if place == values.ndim - 1 and not _apart(axis) and values.flags.c_contiguous:
        return (yield from _in_a_row(values, axis, outs, take, room))
    first, *others = (_tap(values, place, axis, outs, tap) for tap in range(axis.size))
    total = room[: first.size].reshape(first.shape)
    yield partial(np.copyto, total, first)
    for seen in others:
        yield partial(take, total, seen, out=total)
    return total, room[total.size :]


def _tap(values: Array, place: int, axis: Axis, outs: int, tap: int) -> Array:
    """What one tap reads."""
    start = tap * axis.dilation
    return values[(*[slice(None)] * place, slice(start, start + (outs - 1) * axis.stride + 1, axis.stride))]


def _in_a_row(
    values: Array, axis: Axis, outs: int, take: Any, room: Array
) -> Generator[Call, None, tuple[Array, Array]]:
    """The windows of the last axis at every position of all rows as one row of numbers, of which those of the outputs are seen.

    One number after the other is what vector units are fast on; what a window takes together beyond an edge is not seen.
    """
    row = values.reshape(-1)
    total, count = room[: row.size], row.size - axis.dilation * (axis.size - 1)
    yield partial(take, row[:count], row[axis.dilation :][:count], out=total[:count])
    for tap in range(2, axis.size):
        yield partial(take, total[:count], row[tap * axis.dilation :][:count], out=total[:count])
    seen = total.reshape(values.shape)[..., : (outs - 1) * axis.stride + 1 : axis.stride]
    return seen, room[row.size :]


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
    scratch = max(_scratch(read, op.window) for read in boxes) * min(shape[1], together)
    if isinstance(op, MaxPool):
        lowest = -math.inf if dtype.kind not in "iu" else int(np.iinfo(dtype).min)
        return PoolKernel(op.window, np.maximum, lowest, None, tiles, scratch)
    return PoolKernel(op.window, np.add, 0.0, _counted(op, sizes, dtype), tiles, scratch)


def _scratch(read: Reading, window: Window) -> int:
    """Elements for a channel: its slab, and what each axis makes of it."""
    shape, total = list(read.slab), 0 if read.bare else math.prod(read.slab)
    for place in _order(window):
        if place < len(window) - 1 or _apart(window[place]):
            shape[place] = read.outs[place]
        total += math.prod(shape) if window[place].size > 1 else 0
    return total


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

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        x = xs[0].reshape(*xs[0].shape[:2], -1)[block.images, block.channels]
        yield partial(np.max if isinstance(self.op, GlobalMaxPool) else np.mean, x, axis=2, out=out[..., 0])


def global_kernel(op: GlobalAveragePool | GlobalMaxPool, shape: Sequence[int]) -> GlobalKernel:
    """A global pool of x[N, C, *S]."""
    n, c, s = triple(shape)
    return GlobalKernel(op, blocks_of((n, c, 1), shared(c, max(1, BLOCK // s), n * s)))
