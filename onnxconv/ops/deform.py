"""Convolution whose taps a second tensor moves, by fractions of a pixel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Axis, Window
from onnxconv.ops.conv import Conv, window_attributes
from onnxconv.ops.protocol import POINT, UNKNOWN, WHOLE_AXIS, Footprint, Form, Operator, Shape, Work, shape_text

__all__ = ["DeformConv"]


@dataclass(frozen=True, slots=True)
class DeformConv(Operator):
    """y[N, M, *S'] = weight[M, C/groups, *K] correlated with x[N, C, *S], every tap moved, plus bias[M].

    A second input offset[N, O·∏K·r, *S'] holds, for each of O `offset_groups` of channels, each tap and each of the r
    spatial axes, by how many pixels the tap is moved; a third one, mask[N, O·∏K, *S'], if there is one, what its value is
    multiplied by. Values between pixels are interpolated linearly, outside the input they are 0 (ONNX, DeformConv).
    """

    kind: ClassVar[str] = "DeformConv"
    window: Window
    out_channels: int
    groups: int = 1
    bias: bool = True
    offset_groups: int = 1

    def _rigid(self) -> Conv:
        return Conv(self.window, self.out_channels, self.groups, self.bias)

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        return self._rigid().weight_shapes(xs[0])

    def out_shape(self, *xs: Shape) -> Shape:
        x, *rest = xs
        y, taps = self._rigid().out_shape(x), math.prod(a.size for a in self.window)
        if not 1 <= len(rest) <= 2:
            what = f"it has {len(xs)} inputs"
            raise Refusal("inputs", what, "a deformable convolution reads a tensor, offsets and perhaps a mask")
        if self.offset_groups < 1 or int(x[1]) % self.offset_groups:
            what = f"{x[1]} channels in {self.offset_groups} groups of offsets"
            raise Refusal("groups", what, "all groups have the same number of channels", "", "offset_groups")
        for name, found, each in zip(("offset", "mask"), rest, (len(self.window), 1), strict=False):
            wanted = (y[0], self.offset_groups * taps * each, *y[2:])
            if found != wanted:
                what = f"its {name} has shape {shape_text(found)}"
                raise Refusal(f"{name}-shape", what, f"here that is {shape_text(wanted)}")
        return y

    def define(self, *xs: Array, **w: Array) -> Array:
        y = np.zeros([int(n) for n in self.out_shape(*(x.shape for x in xs))], xs[0].dtype)
        for tap, places, share in self._places(*xs):
            seen = self._interpolated(xs[0], places, share).reshape(*xs[0].shape[:2], *y.shape[2:])
            y += self._weighed(seen, w["weight"][_at(*tap)])
        return y + w["bias"].reshape(-1, *[1] * len(self.window)) if self.bias else y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """Σ|w·mask|·max|x|·2^r·(1 + Σ|p|): a place p is rounded by u·|p|, which moves a value by that times its slope."""
        x = np.abs(xs[0])
        highest = x.reshape(*self._split(x.shape), -1).max(axis=-1, keepdims=True)  # [N, O, C/O, 1]
        y = np.zeros([int(n) for n in self.out_shape(*(x.shape for x in xs))], x.dtype)
        for tap, places, share in self._places(*xs):
            far = 2.0 ** len(self.window) * (1 + sum(np.abs(p) for p in places)) * np.abs(share)
            seen = (highest * far[:, :, None]).reshape(*x.shape[:2], *y.shape[2:])
            y += self._weighed(seen, np.abs(w["weight"])[_at(*tap)])
        return y + np.abs(w["bias"]).reshape(-1, *[1] * len(self.window)) if self.bias else y

    def _split(self, x: tuple[int, ...]) -> tuple[int, int, int]:
        return x[0], self.offset_groups, x[1] // self.offset_groups

    def _places(self, *xs: Array) -> Iterator[tuple[tuple[int, ...], list[Array], Array]]:
        """For every tap: its index, the place it reads on each axis, and what multiplies it, each [N, O, ∏S']."""
        x, offset, *mask = xs
        sizes, outs = [a.size for a in self.window], offset.shape[2:]
        grouped = (len(x), self.offset_groups, *sizes)
        moved = offset.reshape(*grouped, len(sizes), -1)
        shares = (mask[0] if mask else np.ones((*grouped, math.prod(outs)), x.dtype)).reshape(*grouped, -1)
        for tap in itertools.product(*map(range, sizes)):
            still = np.meshgrid(
                *(_read(a, k, n) for a, k, n in zip(self.window, tap, outs, strict=True)), indexing="ij"
            )
            places = [
                grid.reshape(-1).astype(x.dtype) + moved[_at(*tap, axis, slice(None))]
                for axis, grid in enumerate(still)
            ]
            yield tap, places, shares[_at(*tap, slice(None))]

    def _interpolated(self, x: Array, places: Sequence[Array], share: Array) -> Array:
        """share · x at these places, linearly between the 2^r pixels around, those outside counting as 0: [N, O, C/O, ∏S']."""
        flat = x.reshape(*self._split(x.shape), -1)
        seen = np.zeros((*flat.shape[:3], share.shape[-1]), x.dtype)
        for corner in itertools.product((0, 1), repeat=len(places)):
            part, index, inside = share, np.zeros(share.shape, np.int64), np.ones(share.shape, bool)
            for p, up, n in zip(places, corner, x.shape[2:], strict=True):
                at = np.floor(p) + up
                part = part * (1 - np.abs(p - at))
                inside &= (at >= 0) & (at < n)
                index = index * n + np.clip(at, 0, n - 1).astype(np.int64)
            values = np.take_along_axis(flat, index[:, :, None], axis=3)
            seen += values * np.where(inside, part, 0)[:, :, None]
        return seen

    def _weighed(self, seen: Array, weight: Array) -> Array:
        """seen[N, C, *S'], weight[M, C/groups] → [N, M, *S']."""
        n, c, *outs = seen.shape
        split = seen.reshape(n, self.groups, c // self.groups, -1)
        y: Array = weight.reshape(self.groups, -1, c // self.groups) @ split
        return y.reshape(n, self.out_channels, *outs)

    def roundings(self, *xs: Shape) -> int:
        """As of a convolution; a place, 2r factors and 2^r sums of the interpolation, and the mask."""
        rank = len(self.window)
        return self._rigid().roundings(xs[0]) + 2 * rank + int(2**rank) + 3

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Offsets decide what is seen: it may be any pixel."""
        rank = len(self.window)
        seen: Footprint = (POINT, WHOLE_AXIS, *(UNKNOWN,) * rank)
        moving: Footprint = (POINT, WHOLE_AXIS, *(POINT,) * rank)
        return (seen, *(moving for _ in xs[1:]))

    def work(self, *xs: Shape) -> Work:
        """Those of the convolution, wherever its taps lie; the interpolation does not count."""
        macs = self._rigid().work(xs[0]).macs
        return Work(macs, macs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        if opset < 19:
            what = f"a deformable convolution cannot be written in opset {opset}"
            raise Refusal("opset", what, "there is DeformConv since opset 19", "build with --opset 19 or later")
        operands = ["x0", "w:weight", "x1", "w:bias" if self.bias else ""] + (["x2"] if len(xs) > 2 else [])
        while not operands[-1]:
            operands.pop()
        attributes = {"group": self.groups, "offset_group": self.offset_groups}
        return (Form("DeformConv", tuple(operands), {**window_attributes(self.window), **attributes}),)


def _at(*index: Any) -> tuple[Any, ...]:
    return (..., *index)


def _read(axis: Axis, k: int, outs: int) -> Array:
    """Where the outputs read with tap k, as long as it is not moved."""
    return np.arange(outs) * axis.stride - axis.pad[0] + k * axis.dilation
