"""Convolutions as matrix products: of the weights and what a tile of outputs reads, with one column per output."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnxconv.execute.fast.block import Block, cuts, shared
from onnxconv.execute.fast.window import Reading, box_cuts, reading, slab, start_of, windows
from onnxconv.geometry import Array, Axis, Window
from onnxconv.ops import Conv

__all__ = ["MULTIPLIED", "ConvKernel", "Tile", "conv_kernel", "is_direct"]

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
    read: Reading

    def reads_with(self, other: Block | None) -> bool:
        """Whether another tile reads the same."""
        return (
            isinstance(other, Tile)
            and other.read is self.read
            and (other.images, other.groups) == (self.images, self.groups)
        )


@dataclass(frozen=True, slots=True)
class ConvKernel:
    """A convolution with weight [g, M/g, K], K = C/g · taps, bias [g, M/g, 1] or none, and its tiles.

    `direct`: see `is_direct`.
    """

    window: Window
    weight: Array
    bias: Array | None
    blocks: tuple[Tile, ...]
    scratch: int
    direct: bool

    def fill(self, block: Block, xs: Sequence[Array], y: Array, scratch: Array, before: Block | None = None) -> None:
        """The product straight into the output, and the bias added while the block is in the cache."""
        assert isinstance(block, Tile), "a convolution is asked for its own blocks"
        groups, filters, _ = self.weight.shape
        image = y[block.images.start].reshape(groups, filters, -1)
        out = image[block.groups, block.filters, block.positions]
        columns = self._columns(block, xs[0][block.images.start], scratch, gathered=block.reads_with(before))
        np.matmul(self.weight[block.groups, block.filters], columns, out=out)
        if self.bias is not None:
            np.add(out, self.bias[block.groups, block.filters], out=out)

    def _columns(self, tile: Tile, x: Array, scratch: Array, *, gathered: bool) -> Array:
        """What a tile reads of x[C, *S], as [groups, C/g · taps, positions]; `gathered`: the scratch memory holds it."""
        groups, each = tile.groups, len(x) // len(self.weight)
        count = groups.stop - groups.start
        seen = x[groups.start * each : groups.stop * each]
        if self.direct:
            return seen.reshape(count, each, -1)[:, :, tile.positions]
        used = 0 if tile.read.bare else len(seen) * math.prod(tile.read.slab)
        rows = self.weight.shape[2]
        columns = scratch[used : used + count * rows * math.prod(tile.read.outs)]
        if not gathered:
            view = windows(slab(seen, tile.read, 0.0, scratch)[0], self.window, tile.read.outs)
            np.copyto(columns.reshape(view.shape), view)
        return columns.reshape(count, rows, -1)


def is_direct(window: Window) -> bool:
    """Every output reads its own position alone: the input is the columns."""
    return all(axis.size == 1 == axis.stride and not any(axis.pad) for axis in window)


def conv_kernel(op: Conv, shape: Sequence[int], weight: Array, bias: Array | None) -> ConvKernel:
    """A convolution of x[N, C, *S]; weight [M, C/g, *K] and bias [M] are of the data type to compute in."""
    sizes = tuple(shape[2:])
    outs = tuple(int(axis.out_size(n)) for axis, n in zip(op.window, sizes, strict=True))
    live = [_live(axis, n, out) for axis, n, out in zip(op.window, sizes, outs, strict=True)]
    op = replace(op, window=tuple(axis for _, axis in live))
    weight = weight[(slice(None), slice(None), *(taps for taps, _ in live))]
    kernel = np.ascontiguousarray(weight).reshape(op.groups, op.out_channels // op.groups, -1)
    direct = is_direct(op.window)
    tiles = tuple(_tiles(op, shape, kernel, outs))
    scratch = 0 if direct else max(_scratch(tile, shape[1] // op.groups, kernel.shape[2]) for tile in tiles)
    return ConvKernel(
        op.window, kernel, None if bias is None else bias.reshape(*kernel.shape[:2], 1), tiles, scratch, direct
    )


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


def _scratch(tile: Tile, each: int, terms: int) -> int:
    groups: int = tile.groups.stop - tile.groups.start
    return groups * (each * math.prod(tile.read.slab) + terms * math.prod(tile.read.outs))


def _tiles(op: Conv, shape: Sequence[int], kernel: Array, outs: tuple[int, ...]) -> Iterator[Tile]:
    groups, filters, terms = kernel.shape
    limit = COLUMNS if groups == 1 else GROUPED_COLUMNS
    most = max(1, limit // max(terms, filters), min(FEWEST, MOST_COLUMNS // terms))
    if is_direct(op.window):
        most = max(FEWEST, DIRECT // filters)
    work = terms * filters / MULTIPLIED  # of a position, for each group
    if shape[0] == groups == 1 and filters < HALVED:
        most = shared(math.prod(outs), most, work)
    boxes = tuple(reading(op.window, shape[2:], box) for box in box_cuts(outs, most))
    single = len(boxes) * shape[0] == 1
    gathered = terms * math.prod(boxes[0].outs)
    together = max(1, limit // gathered)
    together = min(
        together, max(-(-groups // 4), limit // 2 // gathered)
    )  # where it is most of the layer, memory matters more
    if single:
        together = shared(groups, together, work * math.prod(outs))
    halves = single and groups == 1 and filters >= HALVED
    for image in range(shape[0]):
        for group in cuts(groups, together):
            for mine in cuts(filters, -(-filters // 2) if halves else filters):
                channels = slice(group.start * filters, group.stop * filters) if groups > 1 else mine
                for read in boxes:
                    first = start_of(read.box, outs)
                    positions = slice(first, first + math.prod(read.outs))
                    yield Tile(slice(image, image + 1), channels, positions, group, mine, read)
