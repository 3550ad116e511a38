"""Operators that pick positions of an axis: slice and gather."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Size, floor_div, listed, shift, strided
from onnxconv.ops.layout import along
from onnxconv.ops.protocol import (
    POINT,
    UNKNOWN,
    WHOLE_AXIS,
    Const,
    Footprint,
    Form,
    Operator,
    Shape,
    Step,
    To,
    check_axes,
    fixed,
    shape_text,
)

__all__ = ["END", "Gather", "Range", "Slice"]

END = 2**31 - 1
"""As the stop of a range: to the end of the axis, or with a negative step, as -END, to its beginning."""


@dataclass(frozen=True, slots=True)
class Range:
    """Positions start, start + step, … of an axis before `stop`. Negative ones count from the end of the axis."""

    axis: int
    start: int
    stop: int = END
    step: int = 1

    def size(self, n: Size) -> Size:
        """How many of n positions these are. Raises `Refusal` where a symbolic n does not tell."""
        if isinstance(n, int):
            return len(range(n)[self.slice()])
        whole = self.stop >= END if self.step > 0 else self.stop <= -END
        if self.step < 0 and whole and (self.start == -1 or self.start >= END):
            return self._steps(n)
        if self.step > 0 and self.start >= 0 and (whole or self.stop < 0):
            return self._steps(shift(n, -self.start if whole else self.stop - self.start))
        if self.step > 0 and self.start < 0 and (whole or self.stop < 0):
            return self._steps(-self.start if whole else self.stop - self.start)
        if self.step > 0 and self.start >= 0:
            return self._steps(self.stop - self.start)
        raise Refusal(
            "symbolic-size",
            f"a slice from {self.start} to {self.stop} by {self.step} of an axis of {n} positions",
            "how many positions that are depends on a size that is not known",
            "give this size a number (--input-shape)",
        )

    def _steps(self, n: Size) -> Size:
        return shift(floor_div(shift(n, -1), abs(self.step)), 1)

    def slice(self) -> slice:
        """As Python writes it."""
        to_edge = self.stop >= END if self.step > 0 else self.stop <= -END
        return slice(self.start, None if to_edge else self.stop, self.step)

    def seen(self, n: Size) -> Step:
        """What an output sees of n positions."""
        if isinstance(n, int):
            return strided(range(n)[self.slice()].start, self.step)
        return strided(self.start, self.step) if self.start >= 0 and self.step > 0 else UNKNOWN


@dataclass(frozen=True, slots=True)
class Slice(Operator):
    """x at the positions of a range along some axes, each at most once."""

    kind: ClassVar[str] = "Slice"
    ranges: tuple[Range, ...]

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        check_axes(tuple(sorted(r.axis for r in self.ranges)), len(x), f"a slice of {shape_text(x)}")
        sizes = list(x)
        for r in self.ranges:
            if r.step == 0:
                raise Refusal("slice", "a slice by steps of 0", "a step is not 0", "write 1", "step")
            sizes[r.axis] = r.size(x[r.axis])
        return tuple(sizes)

    def keeping(self, x: Shape) -> Slice:
        """The slice itself. Raises `Refusal` where nothing of x is kept, which a network's author cannot mean."""
        for r in self.ranges:
            if r.axis < len(x) and r.step and r.size(x[r.axis]) == 0:
                raise Refusal(
                    "empty-output",
                    f"a slice from {r.start} to {_stop_text(r)} by {r.step} of axis {r.axis} of {shape_text(x)} is empty",
                    f"positions of this axis are 0 to {shift(x[r.axis], -1)}, negative ones count from its end",
                    "keep at least one position",
                    "stop",
                )
        return self

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        by_axis = {r.axis: r.slice() for r in self.ranges}
        return x[tuple(by_axis.get(axis, slice(None)) for axis in range(x.ndim))]

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        (x,) = xs
        by_axis = {r.axis: r.seen(x[r.axis]) for r in self.ranges}
        return (tuple(by_axis.get(axis, POINT) for axis in range(len(x))),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        columns = zip(*((r.start, r.stop, r.axis, r.step) for r in self.ranges), strict=True)
        return (Form("Slice", ("x0", *(Const(tuple(column), "int64") for column in columns)), {}),)


def _stop_text(r: Range) -> str:
    return "its end" if abs(r.stop) >= END else str(r.stop)


@dataclass(frozen=True, slots=True)
class Gather(Operator):
    """x at listed positions of an axis, which becomes axes of shape `shape`; none where it is ()."""

    kind: ClassVar[str] = "Gather"
    indices: tuple[int, ...]
    shape: tuple[int, ...]
    axis: int = 0

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        check_axes((self.axis,), len(x), f"a gather of {shape_text(x)}")
        n = fixed(x[self.axis], "a size to gather from") if min(self.indices) < 0 else x[self.axis]
        wrong = next((i for i in self.indices if isinstance(n, int) and not -n <= i < n), None)
        if wrong is not None:
            raise Refusal(
                "gather",
                f"position {wrong} of axis {self.axis} of {shape_text(x)} is asked for",
                f"it has the positions {-int(n)} to {int(n) - 1}, negative ones counted from its end",
                f"use 0 to {int(n) - 1}",
                "indices",
            )
        return (*x[: self.axis], *self.shape, *x[self.axis + 1 :])

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        return np.take(x, np.array(self.indices, np.int64).reshape(self.shape), self.axis)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        (x,) = xs
        moved = len(self.shape) - 1
        return (
            tuple(
                self._seen(x[axis]) if axis == self.axis else along(axis, axis if axis < self.axis else axis + moved)
                for axis in range(len(x))
            ),
        )

    def _seen(self, n: Size) -> Step | To:
        found = listed([(i % n if isinstance(n, int) else i, 1) for i in self.indices])
        if not self.shape:
            return To(None, UNKNOWN if found is None else found)
        if len(self.shape) > 1:
            return To(None, WHOLE_AXIS, exact=False)
        return UNKNOWN if found is None else found

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        indices = Const(self.indices, "int64", shape=self.shape)
        return (Form("Gather", ("x0", indices), {"axis": self.axis}),)
