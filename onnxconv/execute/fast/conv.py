"""Convolutions as matrix products: of the weights and what a tile of outputs reads, with one column per output."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from onnxconv.execute.fast.block import SHARED, Block, Call, Triple, cuts, shared
from onnxconv.execute.fast.columns import Columns, columns_of
from onnxconv.execute.fast.window import box_cuts, start_of
from onnxconv.geometry import Array, Axis, Window
from onnxconv.ops import Conv

__all__ = ["MULTIPLIED", "ColumnsKernel", "ConvKernel", "Tile", "conv_kernel", "in_two", "is_direct"]

COLUMNS = 1 << 17
"""Elements of the gathered columns of a dense convolution: 512 KiB of float32, half of a processor's own cache."""

GROUPED_COLUMNS = 1 << 18
"""The same where there are groups, whose products are small."""

DIRECT = 1 << 19
"""Elements of the output that are made at a time where nothing is gathered."""

FEWEST = 768
"""Columns of a matrix product below which it gets slower, and neighbouring tiles read much of the same."""

MOST_COLUMNS = 1 << 22
"""Elements of gathered columns that are never exceeded for the sake of `FEWEST`: 16 MiB of float32."""

HALVED = 128
"""Filters of which half are worth a block where there is only one, for two to share."""

MULTIPLIED = 32
"""Products that are summed in the time that an element takes elsewhere."""


@dataclass(frozen=True, slots=True)
class Tile(Block):
    """A block of one image, the groups and their filters that it is of, and what it reads."""

    groups: slice
    filters: slice
    columns: Columns


@dataclass(frozen=True, slots=True)
class ConvKernel:
    """A convolution with weight [g, M/g, K], and its tiles. `direct`: its input is the columns, as it is or gathered before.

    Where columns are gathered, a bias is the last of the K, by which a row of ones is multiplied; else it is [g, M/g, 1].
    """

    weight: Array
    bias: Array | None
    blocks: tuple[Tile, ...]
    scratch: int
    direct: bool

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        """The product straight into the output, and the bias added while the block is in the cache."""
        assert isinstance(block, Tile), "a convolution is asked for its own blocks"
        weight = self.weight[block.groups, block.filters]
        made = out.reshape(*weight.shape[:2], -1)
        columns = yield from self._columns(block, xs[0][block.images.start], scratch)
        yield partial(np.matmul, weight, columns, out=made)
        if self.bias is not None:
            yield partial(np.add, made, self.bias[block.groups, block.filters], out=made)

    def _columns(self, tile: Tile, x: Array, scratch: Array) -> Generator[Call, None, Array]:
        """What a tile reads of x[C, *S], as [groups, K, positions]; yields the calls that gather it."""
        groups, each = tile.groups, len(x) // len(self.weight)
        count, rows = groups.stop - groups.start, self.weight.shape[2]
        seen = x[groups.start * each : groups.stop * each]
        if self.direct:
            return seen.reshape(count, each, -1)[:, :, tile.positions]
        used = tile.columns.scratch(len(seen))
        columns = scratch[used : used + count * rows * tile.columns.positions].reshape(count, rows, -1)
        terms = each * tile.columns.taps
        yield from tile.columns.gather(seen, columns[:, :terms], scratch)
        if terms < rows:
            yield partial(np.copyto, columns[:, terms:], 1)
        return columns


@dataclass(frozen=True, slots=True)
class Channels(Block):
    """The rows of the columns that are of some channels `source`; the last have the row of ones."""

    source: slice


@dataclass(frozen=True, slots=True)
class ColumnsKernel:
    """The columns of a convolution's one tile, of that `shape`: [1, K, positions]."""

    columns: Columns
    shape: Triple
    blocks: tuple[Channels, ...]
    scratch: int

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        assert isinstance(block, Channels), "columns are asked for their own blocks"
        seen = xs[0][0, block.source]
        terms = len(seen) * self.columns.taps
        yield from self.columns.gather(seen, out[:, :terms], scratch)
        if terms < out.shape[1]:
            yield partial(np.copyto, out[:, terms:], 1)


def is_direct(window: Window) -> bool:
    """Every output reads its own position alone: the input is the columns."""
    return all(axis.size == 1 == axis.stride and not any(axis.pad) for axis in window)


def conv_kernel(
    op: Conv, shape: Sequence[int], weight: Array, bias: Array | None, *, copied: bool = False
) -> ConvKernel:
    """A convolution of x[N, C, *S]; weight [M, C/g, *K] and bias [M] are of the data type to compute in.

    `copied`: the input is not of that type, so that columns are never the input itself.
    """
    sizes = tuple(shape[2:])
    outs = tuple(int(axis.out_size(n)) for axis, n in zip(op.window, sizes, strict=True))
    live = [_live(axis, n, out) for axis, n, out in zip(op.window, sizes, outs, strict=True)]
    op = replace(op, window=tuple(axis for _, axis in live))
    weight = weight[(slice(None), slice(None), *(taps for taps, _ in live))]
    kernel = np.ascontiguousarray(weight).reshape(op.groups, op.out_channels // op.groups, -1)
    column = None if bias is None else bias.reshape(*kernel.shape[:2], 1)
    tiles = tuple(_tiles(op, shape, kernel, outs, copied))
    if is_direct(op.window):
        return ConvKernel(kernel, column, tiles, 0, True)
    if column is not None:
        kernel = np.concatenate([kernel, column], axis=2)
    scratch = max(_scratch(tile, shape[1] // op.groups, kernel.shape[2]) for tile in tiles)
    return ConvKernel(kernel, None, tiles, scratch, False)


def in_two(kernel: ConvKernel, channels: int) -> tuple[ColumnsKernel, ConvKernel] | None:
    """A convolution of one tile as the gathering of its columns and their product, for two to share both; None where it is no such."""
    _, filters, rows = kernel.weight.shape
    (tile, *others) = kernel.blocks
    if others or kernel.direct or len(kernel.weight) > 1 or filters < HALVED:
        return None
    taps, positions = tile.columns.taps, tile.positions
    halves = tuple(cuts(channels, -(-channels // 2)))
    parts = tuple(
        Channels(tile.images, slice(c.start * taps, rows if c is halves[-1] else c.stop * taps), positions, c)
        for c in halves
    )
    shape = (1, rows, positions.stop)
    gathering = ColumnsKernel(tile.columns, shape, parts, max(tile.columns.scratch(c.stop - c.start) for c in halves))
    tiles = tuple(replace(tile, channels=mine, filters=mine) for mine in cuts(filters, -(-filters // 2)))
    return gathering, replace(kernel, blocks=tiles, scratch=0, direct=True)


def _live(axis: Axis, n: int, outs: int) -> tuple[slice, Axis]:
    """The taps that read anything but padding, as far as the others lie before and after them, and the axis of these alone."""
    offsets = [axis.position(0, tap) for tap in range(axis.size)]
    taps = [
        k for k, at in enumerate(offsets) if max(0, -(at // axis.stride)) <= min(outs - 1, (n - 1 - at) // axis.stride)
    ]
    first, stop = (taps[0], taps[-1] + 1) if taps else (0, 1)
    begin = axis.pad[0] - first * axis.dilation
    end = axis.pad[1] - (axis.size - stop) * axis.dilation
    if min(begin, end) < 0:
        return slice(0, axis.size), axis
    return slice(first, stop), Axis(stop - first, axis.stride, axis.dilation, (begin, end))


def _scratch(tile: Tile, each: int, rows: int) -> int:
    groups: int = tile.groups.stop - tile.groups.start
    return tile.columns.scratch(groups * each) + groups * rows * tile.columns.positions


def _tiles(op: Conv, shape: Sequence[int], kernel: Array, outs: tuple[int, ...], copied: bool) -> Iterator[Tile]:
    groups, filters, terms = kernel.shape
    limit = COLUMNS if groups == 1 else GROUPED_COLUMNS
    most = max(1, limit // max(terms, filters), min(FEWEST, MOST_COLUMNS // terms))
    direct = is_direct(op.window)
    if direct:
        most = max(FEWEST, DIRECT // filters)
    count = math.prod(outs)
    work = terms * filters / MULTIPLIED  # of a position, for each group
    if shape[0] == groups == 1 and filters < HALVED and count * work >= SHARED:
        most = min(most, -(-outs[0] // 2) * (count // outs[0]))
    boxes = tuple(columns_of(op.window, shape[2:], box, copied=copied) for box in box_cuts(outs, most))
    single = len(boxes) * shape[0] == 1
    gathered = terms * boxes[0].positions
    together = max(1, limit // gathered)
    together = min(
        together, max(-(-groups // 4), limit // 2 // gathered)
    )  # where it is most of the layer, memory matters more
    if single:
        together = shared(groups, together, work * count)
    halves = single and groups == 1 and filters >= HALVED and (direct or copied)
    for image in range(shape[0]):
        for group in cuts(groups, together):
            for mine in cuts(filters, -(-filters // 2) if halves else filters):
                channels = slice(group.start * filters, group.stop * filters) if groups > 1 else mine
                for columns in boxes:
                    first = start_of(columns.read.box, outs)
                    positions = slice(first, first + columns.positions)
                    yield Tile(slice(image, image + 1), channels, positions, group, mine, columns)
