"""Operators that repeat a tensor along its axes: expand and tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import MOST_PHASES, Array, Size, cycled, times
from onnxconv.ops.broadcast import aligned
from onnxconv.ops.layout import along
from onnxconv.ops.protocol import BROADCAST, POINT, UNKNOWN, Const, Footprint, Form, Operator, Shape, Step, shape_text
from onnxconv.ops.sizes import measured, unseen, vector

__all__ = ["Expand", "Tile"]


@dataclass(frozen=True, slots=True)
class Expand(Operator):
    """x broadcast to a shape, its last axes those of x: axes of size 1 are repeated, a size of 1 in `shape` asks nothing.

    A size may be a formula over those of further inputs, see `onnxconv.ops.sizes`.
    """

    kind: ClassVar[str] = "Expand"
    shape: Shape

    def out_shape(self, *xs: Shape) -> Shape:
        x, sizes = xs[0], measured(self.shape, xs)
        rank = max(len(x), len(sizes))
        mine, asked = aligned(x, rank), aligned(sizes, rank)
        for a, b in zip(mine, asked, strict=True):
            if (isinstance(b, int) and b < 0) or (b != 1 and a not in (1, b)):
                raise Refusal(
                    "broadcast",
                    f"{shape_text(x)} expanded to {shape_text(self.shape)}",
                    "sizes must be equal, or 1 in one of the two",
                    "use 1 for what stays as it is",
                    "shape",
                )
        return tuple(a if b == 1 else b for a, b in zip(mine, asked, strict=True))

    def out_dtype(self, *dtypes: str) -> str:
        return dtypes[0]

    def define(self, *xs: Array, **w: Array) -> Array:
        return np.broadcast_to(xs[0], [int(n) for n in self.out_shape(*(x.shape for x in xs))])

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        x, y = xs[0], self.out_shape(*xs)
        new = len(y) - len(x)
        steps = (BROADCAST if a == 1 != b else POINT for a, b in zip(x, y[new:], strict=True))
        return (tuple(along(axis, axis + new, step) for axis, step in enumerate(steps)), *unseen(xs[1:]))

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        before, shape = vector(self.shape, xs)
        return (*before, Form("Expand", ("x0", shape), {}))


@dataclass(frozen=True, slots=True)
class Tile(Operator):
    """x, `repeats` times one after the other along each axis."""

    kind: ClassVar[str] = "Tile"
    repeats: tuple[int, ...]

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if len(self.repeats) != len(x) or min(self.repeats, default=1) < 0:
            raise Refusal(
                "repeats",
                f"{shape_text(x)} repeated {list(self.repeats)} times",
                "each axis has a number of times, at least 0",
                f"write {len(x)} numbers",
                "repeats",
            )
        return tuple(times(n, count) for n, count in zip(x, self.repeats, strict=True))

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        return np.tile(x, self.repeats)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return (tuple(_tiled(n, count) for n, count in zip(xs[0], self.repeats, strict=True)),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Tile", ("x0", Const(self.repeats, "int64")), {}),)


def _tiled(n: Size, count: int) -> Step:
    if count == 1:
        return POINT
    if n == 1:
        return BROADCAST
    return cycled(n) if isinstance(n, int) and n <= MOST_PHASES else UNKNOWN
