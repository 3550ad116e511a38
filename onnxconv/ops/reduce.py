"""Reductions: sums, means, norms, products and extremes along some axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.protocol import (
    POINT,
    WHOLE_AXIS,
    Const,
    Footprint,
    Form,
    Operator,
    Shape,
    Step,
    To,
    fixed,
    need_numbers,
    shape_text,
)

__all__ = [
    "REDUCTIONS",
    "ReduceL1",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Reduction",
    "reducing",
]


def reducing(
    op_type: str, x: str, axes: tuple[int, ...], opset: int, output: str, shape: Shape, keepdims: bool = True
) -> Form:
    """A reduction as an ONNX node: its axes are an input since opset 18 (ReduceSum: 13), before that an attribute."""
    kept = {"keepdims": int(keepdims)}
    if opset >= (13 if op_type == "ReduceSum" else 18):
        return Form(op_type, (x, Const(axes, "int64")), kept, output, shape)
    return Form(op_type, (x,), {"axes": axes, **kept}, output, shape)


@dataclass(frozen=True, slots=True)
class Reduction(Operator):
    """x taken together along `axes`, counted from 0 in ascending order; they stay with size 1, or go without `keepdims`."""

    axes: tuple[int, ...]
    keepdims: bool = True

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if not self.axes or list(self.axes) != sorted({*self.axes}) or not 0 <= self.axes[0] <= self.axes[-1] < len(x):
            raise Refusal(
                "axis",
                f"it reduces the axes {list(self.axes)} of {shape_text(x)}",
                f"axes are counted from 0 to {len(x) - 1}, each once",
                "use axes 2 and up for all positions of an image",
                "axes",
            )
        kept = (1,) if self.keepdims else ()
        return tuple(m for axis, n in enumerate(x) for m in (kept if axis in self.axes else (n,)))

    def roundings(self, *xs: Shape) -> int:
        """One less than there are terms."""
        return max(0, self.count(*xs) - 1)

    def count(self, *xs: Shape) -> int:
        """Values taken together for one output."""
        return math.prod(fixed(xs[0][axis], "a size to reduce") for axis in self.axes)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return (tuple(self._seen(axis) for axis in range(len(xs[0]))),)

    def _seen(self, axis: int) -> Step | To:
        gone = axis in self.axes
        if self.keepdims:
            return WHOLE_AXIS if gone else POINT
        if gone:
            return To(None, WHOLE_AXIS)
        before = sum(other < axis for other in self.axes)
        return To(axis - before) if before else POINT

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (reducing(self.kind, "x0", self.axes, opset, "y", self.out_shape(*xs), self.keepdims),)


class ReduceSum(Reduction):
    """y = Σ x."""

    __slots__ = ()
    kind: ClassVar[str] = "ReduceSum"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = xs[0].sum(axis=self.axes, keepdims=self.keepdims)
        return y


class ReduceMean(Reduction):
    """y = Σ x ÷ the number of terms."""

    __slots__ = ()
    kind: ClassVar[str] = "ReduceMean"

    def out_shape(self, *xs: Shape) -> Shape:
        need_numbers(xs[0], self.axes, "the mean")
        return Reduction.out_shape(self, *xs)

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = xs[0].mean(axis=self.axes, keepdims=self.keepdims)
        return y

    def roundings(self, *xs: Shape) -> int:
        """The sum's, and a division or a product with a rounded reciprocal."""
        return self.count(*xs) + 1


class ReduceMax(Reduction):
    """y = the largest x; of no numbers the least that there is."""

    __slots__ = ()
    kind: ClassVar[str] = "ReduceMax"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = xs[0].max(axis=self.axes, keepdims=self.keepdims, **_least(xs[0]))
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0


class ReduceMin(Reduction):
    """y = the smallest x; of no numbers the largest that there is."""

    __slots__ = ()
    kind: ClassVar[str] = "ReduceMin"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = xs[0].min(axis=self.axes, keepdims=self.keepdims, **_largest(xs[0]))
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0


class ReduceL1(Reduction):
    """y = Σ |x|."""

    __slots__ = ()
    kind: ClassVar[str] = "ReduceL1"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(xs[0]).sum(axis=self.axes, keepdims=self.keepdims)
        return y


class ReduceSumSquare(Reduction):
    """y = Σ x²."""

    __slots__ = ()
    kind: ClassVar[str] = "ReduceSumSquare"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.square(xs[0]).sum(axis=self.axes, keepdims=self.keepdims)
        return y

    def roundings(self, *xs: Shape) -> int:
        return self.count(*xs)


class ReduceL2(Reduction):
    """y = √Σ x²."""

    __slots__ = ()
    kind: ClassVar[str] = "ReduceL2"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.sqrt(np.square(xs[0]).sum(axis=self.axes, keepdims=self.keepdims))
        return y

    def roundings(self, *xs: Shape) -> int:
        """The sum of squares errs by γ_n, its root by half of that and 3 ulp."""
        return self.count(*xs) + 6

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        return rooted(self.define(*xs))


def rooted(y: Array) -> Array:
    """The magnitude of y = √Σ x²: y, but at least 2^-50, and infinite from 2^62 on.

    n squares of float32 may each be off by 2^-149 where they are subnormal; then y is off by at most √n · 2^-74.5, less
    than n·u·2^-50. Squares overflow from 2^64 on.
    """
    return np.where(y < 2.0**62, np.maximum(y, 2.0**-50), np.inf)


class ReduceProd(Reduction):
    """y = ∏ x."""

    __slots__ = ()
    kind: ClassVar[str] = "ReduceProd"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = xs[0].prod(axis=self.axes, keepdims=self.keepdims)
        return y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """|y|; infinite where a partial product in some order may leave the range of float32: Σ |log₂ |x|| > 120."""
        with np.errstate(divide="ignore"):
            widths = np.abs(np.log2(np.abs(xs[0]))).sum(axis=self.axes, keepdims=self.keepdims)
        return np.where(widths > 120, np.inf, np.abs(self.define(*xs)))


REDUCTIONS: tuple[type[Reduction], ...] = (
    ReduceSum,
    ReduceMean,
    ReduceMax,
    ReduceMin,
    ReduceL1,
    ReduceL2,
    ReduceSumSquare,
    ReduceProd,
)


def _least(x: Array) -> dict[str, Any]:
    """What the largest of no numbers is, as NumPy is told: −∞, or the least number of the data type (ONNX, ReduceMax)."""
    return (
        {}
        if x.size
        else {"initial": np.iinfo(x.dtype).min if x.dtype.kind in "iu" else x.dtype.kind != "b" and -np.inf}
    )


def _largest(x: Array) -> dict[str, Any]:
    return (
        {} if x.size else {"initial": np.iinfo(x.dtype).max if x.dtype.kind in "iu" else x.dtype.kind == "b" or np.inf}
    )
