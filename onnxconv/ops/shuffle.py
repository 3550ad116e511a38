"""Operators that move values between channels, and between channels and space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.errors import Refusal
from onnxconv.geometry import MOST_PHASES, Array, Size, blocks, cycled, floor_div, listed, repeated, times
from onnxconv.ops.protocol import (
    POINT,
    UNKNOWN,
    Const,
    Footprint,
    Form,
    Operator,
    Shape,
    Step,
    fixed,
    need_spatial,
    shape_text,
)

__all__ = ["DEPTH_ORDERS", "ChannelShuffle", "DepthToSpace", "SpaceToDepth"]

DEPTH_ORDERS = ("DCR", "CRD")
"""Where in the channels the offset inside a block lies: before the channel (depth, column, row), or after it."""


@dataclass(frozen=True, slots=True)
class ChannelShuffle(Operator):
    """Channels in g groups of k, read across the groups: output channel j·g + i is input channel i·k + j (ShuffleNet)."""

    kind: ClassVar[str] = "ChannelShuffle"
    groups: int

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        channels = _channels(x)
        if self.groups < 1 or channels % self.groups:
            raise Refusal(
                "groups",
                f"{channels} channels cannot be shuffled in {self.groups} groups",
                "all groups have the same number of channels",
                f"use a divisor of {channels}",
                "group",
            )
        return x

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        n, c, *spatial = x.shape
        return x.reshape(n, self.groups, c // self.groups, *spatial).swapaxes(1, 2).reshape(x.shape)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        (x,) = xs
        order = listed([(i, 1) for i in self._order(_channels(x))])
        return ((POINT, UNKNOWN if order is None else order, *(POINT,) * (len(x) - 2)),)

    def _order(self, channels: int) -> tuple[int, ...]:
        k = channels // self.groups
        return tuple(i * k + j for j in range(k) for i in range(self.groups))

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        """Reshape, transpose, reshape; where several sizes are symbols, which a reshape cannot name, a gather."""
        (x,) = xs
        g, k = self.groups, _channels(x) // self.groups
        spatial = x[2:]
        if any(isinstance(n, str) for n in spatial):
            order = self._order(g * k)
            return (Form("Gather", ("x0", Const(order, "int64")), {"axis": 1}),)
        return recut(x, (g, k, *spatial), (0, 2, 1, *range(3, len(x) + 1)), x)


@dataclass(frozen=True, slots=True)
class DepthToSpace(Operator):
    """x[N, C·bᵣ, *S] → y[N, C, *(S·b)] with r spatial axes: a block of b positions per axis out of bʳ channels.

    `order` DCR: input channel = offset·C + c; CRD (pixel shuffle): input channel = c·bʳ + offset. Offsets count the
    positions of a block, the last axis fastest.
    """

    kind: ClassVar[str] = "DepthToSpace"
    block: int
    order: str = "DCR"

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_spatial(x)
        channels, offsets = _channels(x), self.block ** (len(x) - 2)
        if self.block < 1 or channels % offsets:
            raise Refusal(
                "block",
                f"blocks of {self.block} per axis out of {channels} channels",
                f"a block takes {self.block}^{len(x) - 2} = {offsets} channels",
                f"use a multiple of {offsets} channels",
                "block",
            )
        return (x[0], channels // offsets, *(times(n, self.block) for n in x[2:]))

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        split, perm = self._plan(x.shape)
        return x.reshape(x.shape[0], *split).transpose(perm).reshape([int(n) for n in self.out_shape(x.shape)])

    def _plan(self, x: Shape) -> tuple[tuple[Size, ...], tuple[int, ...]]:
        """The sizes into which all but the batch is split, and the order in which they are merged."""
        rank, b = len(x) - 2, self.block
        c = _channels(x) // b**rank
        first = 1 if self.order == "DCR" else 2  # axis of the first offset
        channel = rank + 1 if self.order == "DCR" else 1
        split = (*(b,) * rank, c, *x[2:]) if self.order == "DCR" else (c, *(b,) * rank, *x[2:])
        pairs = ((rank + 2 + i, first + i) for i in range(rank))
        return split, (0, channel, *(axis for pair in pairs for axis in pair))

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Of the channels, those of a block; which of them, the place in the block decides."""
        (x,) = xs
        offsets = self.block ** (len(x) - 2)
        c = _channels(x) // offsets
        channels: Step = UNKNOWN
        if offsets <= MOST_PHASES:
            channels = blocks(offsets, 1, apart=c) if self.order == "DCR" else blocks(offsets)
        return ((POINT, channels, *(repeated(self.block),) * (len(x) - 2)),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        (x,) = xs
        if len(x) == 4:
            return (Form("DepthToSpace", ("x0",), {"blocksize": self.block, "mode": self.order}),)
        return recut(x, *self._plan(x), self.out_shape(x))


@dataclass(frozen=True, slots=True)
class SpaceToDepth(Operator):
    """x[N, C, *S] → y[N, C·bʳ, *(S÷b)] with r spatial axes: the inverse of `DepthToSpace` of the same block and order."""

    kind: ClassVar[str] = "SpaceToDepth"
    block: int
    order: str = "DCR"

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_spatial(x)
        wrong = next((n for n in x[2:] if self.block < 1 or (isinstance(n, int) and n % self.block)), None)
        if wrong is not None:
            raise Refusal(
                "block",
                f"blocks of {self.block} pixels along {wrong} pixels",
                "blocks fill the input",
                f"use a divisor of {wrong}",
                "block",
            )
        return (x[0], _channels(x) * self.block ** (len(x) - 2), *(floor_div(n, self.block) for n in x[2:]))

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        split, perm = self._plan(x.shape)
        return x.reshape(x.shape[0], *split).transpose(perm).reshape([int(n) for n in self.out_shape(x.shape)])

    def _plan(self, x: Shape) -> tuple[tuple[Size, ...], tuple[int, ...]]:
        rank, b = len(x) - 2, self.block
        split = (x[1], *(size for n in x[2:] for size in (floor_div(n, b), b)))
        offsets, places = (tuple(first + 2 * i for i in range(rank)) for first in (3, 2))
        return split, (0, *((*offsets, 1) if self.order == "DCR" else (1, *offsets)), *places)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Along space the whole block, which the channels have together."""
        (x,) = xs
        c, offsets = _channels(x), self.block ** (len(x) - 2)
        channels: Step = UNKNOWN
        if self.order == "DCR" and c <= MOST_PHASES:
            channels = cycled(c)
        elif self.order == "CRD" and offsets <= MOST_PHASES:
            channels = repeated(offsets)
        block: Step = blocks(self.block) if self.block <= MOST_PHASES else UNKNOWN
        return ((POINT, channels, *(block,) * (len(x) - 2)),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        """Since opset 28 it has a mode; before, it was DCR."""
        (x,) = xs
        if len(x) == 4 and (opset >= 28 or self.order == "DCR"):
            mode = {"mode": self.order} if opset >= 28 else {}
            return (Form("SpaceToDepth", ("x0",), {"blocksize": self.block, **mode}),)
        return recut(x, *self._plan(x), self.out_shape(x))


def recut(x: Shape, split: Sequence[Size], perm: Sequence[int], y: Shape) -> Sequence[Form]:
    """The nodes that split all axes of x but the batch, transpose, and merge them to y. Refused for symbolic sizes."""
    sizes = [fixed(n, "a size that is split or merged") for n in (*split, *y[1:])]
    apart, whole = sizes[: len(split)], sizes[len(split) :]
    moved = tuple((x[0], *apart)[axis] for axis in perm)
    return (
        Form("Reshape", ("x0", Const((0, *apart), "int64")), {}, "t:split", (x[0], *apart)),
        Form("Transpose", ("t:split",), {"perm": tuple(perm)}, "t:moved", moved),
        Form("Reshape", ("t:moved", Const((0, *whole), "int64")), {}),
    )


def _channels(x: Shape) -> int:
    if len(x) < 2:
        raise Refusal(
            "rank",
            f"the input {shape_text(x)} has no channels",
            "tensors are [N, C, *spatial]",
            "add an axis of channels",
        )
    return fixed(x[1], "the number of channels")
