"""Operators that change which axes there are and in which order: transpose, squeeze, unsqueeze."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.protocol import POINT, Const, Footprint, Form, Operator, Shape, Step, To, check_axes, shape_text

__all__ = ["Squeeze", "Transpose", "Unsqueeze"]


@dataclass(frozen=True, slots=True)
class Transpose(Operator):
    """Axis i of y is axis perm[i] of x."""

    kind: ClassVar[str] = "Transpose"
    perm: tuple[int, ...]

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if sorted(self.perm) != list(range(len(x))):
            raise Refusal(
                "axes",
                f"a transpose to {list(self.perm)} of {shape_text(x)}",
                f"a transpose lists every axis once, counted from 0 to {len(x) - 1}",
                f"write each of {', '.join(map(str, range(len(x))))} once",
                "axes",
            )
        return tuple(x[axis] for axis in self.perm)

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        return x.transpose(self.perm)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return (tuple(along(axis, self.perm.index(axis)) for axis in range(len(xs[0]))),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Transpose", ("x0",), {"perm": self.perm}),)


@dataclass(frozen=True, slots=True)
class Squeeze(Operator):
    """x without these axes, each one position long; counted from 0, ascending."""

    kind: ClassVar[str] = "Squeeze"
    axes: tuple[int, ...]

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        check_axes(self.axes, len(x), f"a squeeze of {shape_text(x)}")
        wrong = next((axis for axis in self.axes if x[axis] != 1), None)
        if wrong is not None:
            raise Refusal(
                "squeeze",
                f"a squeeze of axis {wrong} of {shape_text(x)}, which has {x[wrong]} positions",
                "only axes one position long can be taken away",
                f"use the axes {[axis for axis, n in enumerate(x) if n == 1]}",
                "axes",
            )
        return tuple(n for axis, n in enumerate(x) if axis not in self.axes)

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        return np.squeeze(x, self.axes)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        kept = [axis for axis in range(len(xs[0])) if axis not in self.axes]
        return (
            tuple(along(axis, kept.index(axis)) if axis in kept else To(None, POINT) for axis in range(len(xs[0]))),
        )

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Squeeze", ("x0", Const(self.axes, "int64")), {}),)


@dataclass(frozen=True, slots=True)
class Unsqueeze(Operator):
    """x with these axes inserted, one position long; counted from 0 in the output, ascending."""

    kind: ClassVar[str] = "Unsqueeze"
    axes: tuple[int, ...]

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        rank = len(x) + len(self.axes)
        check_axes(self.axes, rank, f"an unsqueeze of {shape_text(x)}")
        sizes = iter(x)
        return tuple(1 if axis in self.axes else next(sizes) for axis in range(rank))

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        return np.expand_dims(x, self.axes)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        kept = [axis for axis in range(len(xs[0]) + len(self.axes)) if axis not in self.axes]
        return (tuple(along(axis, kept[axis]) for axis in range(len(xs[0]))),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Unsqueeze", ("x0", Const(self.axes, "int64")), {}),)


def along(axis: int, out: int, step: Step = POINT, *, exact: bool = True) -> Step | To:
    """The entry of a footprint for an input's axis that lies along the axis `out` of the output."""
    return step if axis == out and exact else To(out, step, exact)
