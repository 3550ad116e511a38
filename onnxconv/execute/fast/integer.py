"""Sums of products of bytes, exact to the last bit: float32 matrix products of as many terms as no sum rounds.

With Σ|w|·|x| ≤ 2^24 every product and every partial sum is an integer that float32 holds, in whatever order they are added.
Longer sums are taken in stretches, which are added in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from onnxconv.dtypes import DTYPES, numpy_dtype
from onnxconv.execute.fast.block import Block, Call, Kernel, cuts, triple
from onnxconv.execute.fast.conv import ConvKernel, Tile, conv_kernel
from onnxconv.execute.fast.rescaling import Operands, Rescaling
from onnxconv.geometry import Array
from onnxconv.graph import Node
from onnxconv.ops import Conv, ConvInteger, MatMulInteger, QLinearConv, QLinearMatMul

__all__ = ["integer_kernel"]

EXACT = 1 << 24
"""Integers up to here are float32 numbers, all of them."""

ROWS = 1 << 16
"""Elements of the rows that are multiplied by a matrix at a time, and of what they give."""

Shape = tuple[int, ...]
_SLIDING = (ConvInteger, QLinearConv)
_PRODUCTS = (MatMulInteger, QLinearMatMul)


def stretches(weight: Array, largest: int) -> tuple[slice, ...]:
    """The terms of weight[…, K] in stretches of which Σ|w|·largest ≤ 2^24 holds for every filter."""
    sums = np.cumsum(np.abs(weight.reshape(-1, weight.shape[-1])), axis=1, dtype=np.float64)
    found, start, before = [], 0, np.zeros((len(sums), 1))
    while start < weight.shape[-1]:
        worst = (sums[:, start:] - before).max(axis=0)
        stop = start + max(1, int(np.searchsorted(worst, EXACT // largest, side="right")))
        found.append(slice(start, stop))
        start, before = stop, sums[:, stop - 1 : stop]
    return tuple(found)


def summed(pairs: Iterator[tuple[Array, Array]], product: Array, total: Array) -> None:
    """total = Σ a·b, each product made in `product` on its way."""
    for place, (a, b) in enumerate(pairs):
        np.matmul(a, b, out=product)
        if place:
            np.add(total, product, out=total)
        else:
            np.copyto(total, product)


@dataclass(frozen=True, slots=True)
class Room:
    """A thread's scratch memory: the sums in float64, and after them float32 for products and what they are made of."""

    sums: int
    rest: int

    @property
    def bytes(self) -> int:
        return 8 * self.sums + 4 * (self.sums + self.rest)

    def of(self, scratch: Array, shape: Shape) -> tuple[Array, Array, Array]:
        """(sums, products, the rest) for sums of that shape."""
        room, n = scratch.view(np.uint8), math.prod(shape)
        floats = room[8 * self.sums : self.bytes].view(np.float32)
        return room[: 8 * n].view(np.float64).reshape(shape), floats[:n].reshape(shape), floats[self.sums :]


@dataclass(frozen=True, slots=True)
class IntegerConvKernel:
    """A convolution of x − x_zero with `conv`'s weights, from which their own zero points are subtracted already."""

    conv: ConvKernel
    terms: tuple[slice, ...]
    rescaling: Rescaling
    room: Room
    scratch: int

    @property
    def blocks(self) -> Sequence[Block]:
        return self.conv.blocks

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        assert isinstance(block, Tile), "a convolution is asked for its own blocks"
        yield partial(self._compute, block, xs, out, scratch)

    def _compute(self, block: Tile, xs: Sequence[Array], out: Array, scratch: Array) -> None:
        weight = self.conv.weight[block.groups, block.filters]
        made = out.reshape(*weight.shape[:2], -1)
        total, product, rest = self.room.of(scratch, made.shape)
        columns = self._columns(block, xs[0][block.images.start], self.rescaling.x_zero(xs), rest)
        summed(((weight[:, :, k], columns[:, k]) for k in self.terms), product, total)
        self.rescaling.finish(total, xs, (block.groups, block.filters), made)

    def _columns(self, tile: Tile, x: Array, zero: Array, rest: Array) -> Array:
        """What a tile reads of x[C, *S], less the zero point, as [groups, C/g · taps, positions]; beyond the edge is 0."""
        groups, each = tile.groups, len(x) // len(self.conv.weight)
        count, rows = groups.stop - groups.start, self.conv.weight.shape[2]
        seen, less = x[groups.start * each : groups.stop * each], zero.astype(np.float32)
        used = 0 if self.conv.direct else tile.columns.scratch(len(seen))
        columns = rest[used : used + count * rows * tile.columns.positions].reshape(count, rows, -1)
        if self.conv.direct:
            np.subtract(seen.reshape(count, rows, -1)[:, :, tile.positions], less, out=columns)
        else:
            for call in tile.columns.gather(seen, columns, rest, less):
                call()
        return columns


@dataclass(frozen=True, slots=True)
class Rows(Block):
    """Some rows of the first matrix."""

    rows: slice


@dataclass(frozen=True, slots=True)
class IntegerProductKernel:
    """(a − a_zero)[R, K] times `matrix` [K, N], from which its own zero points are subtracted already."""

    matrix: Array
    terms: tuple[slice, ...]
    rescaling: Rescaling
    blocks: tuple[Rows, ...]
    room: Room
    scratch: int

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        assert isinstance(block, Rows), "a product is asked for its own blocks"
        yield partial(self._compute, block, xs, out, scratch)

    def _compute(self, block: Rows, xs: Sequence[Array], out: Array, scratch: Array) -> None:
        deep, wide = self.matrix.shape
        made = out.reshape(-1, wide)[block.rows]
        total, product, rest = self.room.of(scratch, made.shape)
        rows = rest[: len(made) * deep].reshape(-1, deep)
        np.subtract(xs[0].reshape(-1, deep)[block.rows], self.rescaling.x_zero(xs), out=rows, dtype=np.float32)
        summed(((rows[:, k], self.matrix[k]) for k in self.terms), product, total)
        self.rescaling.finish(total, xs, (), made)


def integer_kernel(
    node: Node, shapes: Mapping[str, Shape], dtypes: Mapping[str, str], constants: Mapping[str, Array]
) -> Kernel | None:
    """The kernel of a convolution or product of bytes by constant weights; None for what it does not know."""
    if not isinstance(node.op, (*_SLIDING, *_PRODUCTS)):
        return None
    at = Operands.of(node)
    weight, zero, bias = (constants.get(node.inputs[i]) if i is not None else None for i in (at.w, at.w_zero, at.bias))
    held = weight is not None and (at.w_zero is None or zero is not None) and (at.bias is None or bias is not None)
    single = all(math.prod(shapes[node.inputs[i]]) == 1 for i in at.single)
    if weight is None or not held or not single:
        return None
    largest = _largest(dtypes[node.inputs[0]], constants.get(node.inputs[at.x_zero]) if at.x_zero else np.zeros(()))
    x, y, less = shapes[node.inputs[0]], shapes[node.output], np.zeros(()) if zero is None else zero
    if isinstance(node.op, ConvInteger | QLinearConv):
        return _conv(node.op, at, x, weight, less, bias, largest, node.type.dtype)
    return None if weight.ndim != 2 else _product(at, x, y, weight - less.astype(np.float32), largest, node.type.dtype)


def _largest(dtype: str, zero: Array | None) -> int:
    """|x − zero| at most; of a zero point that is not known yet, whatever it is."""
    of = DTYPES[dtype]
    if zero is None:
        return int(of.high - of.low)
    return max(int(of.high) - int(zero.reshape(-1)[0]), int(zero.reshape(-1)[0]) - int(of.low))


def _conv(
    op: ConvInteger | QLinearConv,
    at: Operands,
    shape: Shape,
    weight: Array,
    zero: Array,
    bias: Array | None,
    largest: int,
    dtype: str,
) -> IntegerConvKernel:
    less = weight.astype(np.float32) - zero.astype(np.float32).reshape(-1, *[1] * (weight.ndim - 1))
    conv = conv_kernel(Conv(op.window, len(weight), op.groups, bias=False), shape, less, None, copied=True)
    groups, filters, terms = conv.weight.shape
    each = shape[1] // groups
    room = Room(
        max(_groups(t) * (t.filters.stop - t.filters.start) * t.columns.positions for t in conv.blocks),
        max(
            (0 if conv.direct else t.columns.scratch(_groups(t) * each)) + _groups(t) * terms * t.columns.positions
            for t in conv.blocks
        ),
    )
    column = None if bias is None else bias.astype(np.float64).reshape(groups, filters, 1)
    most = float(np.abs(conv.weight).sum(axis=2, dtype=np.float64).max()) * largest
    rescaling = Rescaling(at, (groups, filters, 1), column, most, dtype)
    return IntegerConvKernel(conv, stretches(conv.weight, largest), rescaling, room, _elements(room, dtype))


def _groups(tile: Tile) -> int:
    count: int = tile.groups.stop - tile.groups.start
    return count


def _product(at: Operands, a: Shape, y: Shape, matrix: Array, largest: int, dtype: str) -> IntegerProductKernel:
    deep, wide = matrix.shape
    n, c, s = triple(y)
    rows = tuple(cuts(math.prod(a[:-1]), max(1, ROWS // max(deep, wide))))
    blocks = tuple(Rows(slice(0, n), slice(0, c), slice(0, s), mine) for mine in rows)
    most = max(mine.stop - mine.start for mine in rows)
    room = Room(most * wide, most * deep)
    bound = float(np.abs(matrix).sum(axis=0, dtype=np.float64).max()) * largest
    rescaling = Rescaling(at, (wide,), None, bound, dtype)
    return IntegerProductKernel(
        np.ascontiguousarray(matrix), stretches(matrix.T, largest), rescaling, blocks, room, _elements(room, dtype)
    )


def _elements(room: Room, dtype: str) -> int:
    """A room in elements of the output."""
    return -(-room.bytes // numpy_dtype(dtype).itemsize)
