"""Sums of products of integers: accumulated in int32, which wraps around, and rescaled to integers again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.dtypes import FLOATS
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Window
from onnxconv.ops.conv import Conv, window_attributes
from onnxconv.ops.protocol import POINT, WHOLE_AXIS, Footprint, Form, Operator, Shape, To, Work, fixed, shape_text
from onnxconv.ops.quantize import saturated

__all__ = ["ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"]

BYTES = ("int8", "uint8")


def wrapped(values: Array) -> Array:
    """Whole numbers as an int32 holds them: modulo 2^32."""
    if values.dtype.kind in "iu":
        return values.astype(np.int32)
    return (values + 2.0**31) % 2.0**32 - 2.0**31


def _demand_bytes(dtypes: Sequence[str], zeros: Sequence[str | None]) -> None:
    """Both operands are of 8 bits, and each zero point is of its operand's type."""
    same = all(zero in (None, dtype) for dtype, zero in zip(dtypes, zeros, strict=True))
    if not same or not all(dtype in BYTES for dtype in dtypes):
        what = f"it multiplies {' and '.join(dtypes)} with zero points of {' and '.join(map(str, zeros))}"
        raise Refusal("dtype", what, "operands are int8 or uint8, zero points of the type of what they belong to")


def _demand_shape(found: Shape, wanted: Sequence[Shape], what: str) -> None:
    if found not in wanted:
        shown = " or ".join(map(shape_text, wanted))
        raise Refusal("scale-shape", f"{what} has shape {shape_text(found)}", f"it is {shown}")


def _at(xs: Sequence[Array], index: int) -> Array | int:
    """An optional zero point."""
    return xs[index] if index < len(xs) else 0


@dataclass(frozen=True, slots=True)
class _Sliding(Operator):
    """A convolution of integers, its filters a tensor w[M, C/groups, *K]."""

    window: Window
    groups: int = 1

    filters: ClassVar[int]
    """Which input the filters are."""

    def _conv(self, w: Shape) -> Conv:
        return Conv(self.window, fixed(w[0], "the number of filters"), self.groups, bias=False)

    def _accumulated(self, x: Array, w: Array, x_zero: Array | int, w_zero: Array | int) -> Array:
        """Σ (x − x_zero)·(w − w_zero); what lies beyond the edge is x_zero, and counts for nothing."""
        per_filter = np.reshape(w_zero, (-1, *[1] * (w.ndim - 1)))
        y: Array = self._conv(w.shape).define(x - np.reshape(x_zero, ()), weight=w - per_filter)
        return wrapped(y)

    def out_shape(self, *xs: Shape) -> Shape:
        conv = self._conv(xs[self.filters])
        y, wanted = conv.out_shape(xs[0]), conv.weight_shapes(xs[0])["weight"]
        _demand_shape(xs[self.filters], (wanted,), "its weight")
        return y

    def work(self, *xs: Shape) -> Work:
        return self._conv(xs[self.filters]).work(xs[0])

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Filters, and what there is one of for each of them, lie along the output's channels."""
        seen: list[Footprint] = []
        for index, x in enumerate(xs):
            if index == 0:
                seen.append(self._conv(xs[self.filters]).footprint(x)[0])
            else:
                first = To(1, POINT) if x and x[0] == xs[self.filters][0] != 1 else To(None, WHOLE_AXIS)
                seen.append((first, *[To(None, WHOLE_AXIS)] * (len(x) - 1)) if x else ())
        return tuple(seen)

    def terms(self, *xs: Shape) -> int:
        """Products summed for one output."""
        return math.prod(fixed(n, "a size of the weight") for n in xs[self.filters][1:])

    def _form(self, xs: Sequence[Shape]) -> tuple[Form]:
        operands = tuple(f"x{i}" for i in range(len(xs)))
        return (Form(self.kind, operands, {**window_attributes(self.window), "group": self.groups}),)


@dataclass(frozen=True, slots=True)
class ConvInteger(_Sliding):
    """y[N, M, *S'] = Σ (x − x_zero_point)·(w − w_zero_point) in int32; the inputs are x, w and the zero points."""

    kind: ClassVar[str] = "ConvInteger"
    filters: ClassVar[int] = 1

    def out_shape(self, *xs: Shape) -> Shape:
        y = _Sliding.out_shape(self, *xs)
        for index, wanted in ((2, ((), (1,))), (3, ((), (1,), (xs[1][0],)))):
            if index < len(xs):
                _demand_shape(xs[index], wanted, "its zero point")
        return y

    def out_dtype(self, *dtypes: str) -> str:
        _demand_bytes(dtypes[:2], [dtypes[i] if i < len(dtypes) else None for i in (2, 3)])
        return "int32"

    def define(self, *xs: Array, **w: Array) -> Array:
        return self._accumulated(xs[0], xs[1], _at(xs, 2), _at(xs, 3))

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        return np.zeros_like(self.define(*xs))

    def roundings(self, *xs: Shape) -> int:
        """Nothing is rounded; so many terms are summed."""
        return self.terms(*xs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return self._form(xs)


@dataclass(frozen=True, slots=True)
class QLinearConv(_Sliding):
    """y = saturate(round(a · x_scale · w_scale ÷ y_scale) + y_zero_point), a = Σ (x − x_zero)·(w − w_zero) + bias in int32.

    Inputs in ONNX's order: x, its scale and zero point, w, its scale and zero point, y's scale and zero point, the bias.
    """

    kind: ClassVar[str] = "QLinearConv"
    filters: ClassVar[int] = 3
    dtype: str = "uint8"

    def out_shape(self, *xs: Shape) -> Shape:
        y = _Sliding.out_shape(self, *xs)
        one, per_filter = ((), (1,)), ((), (1,), (xs[3][0],))
        for index, what in ((1, "scale"), (2, "zero point"), (6, "output scale"), (7, "output zero point")):
            _demand_shape(xs[index], one, f"its {what}")
        for index, what in ((4, "weight's scale"), (5, "weight's zero point")):
            _demand_shape(xs[index], per_filter, f"its {what}")
        if len(xs) > 8:
            _demand_shape(xs[8], ((xs[3][0],),), "its bias")
        return y

    def out_dtype(self, *dtypes: str) -> str:
        return _rescaled(dtypes, 3, self.dtype)

    def define(self, *xs: Array, **w: Array) -> Array:
        return self.shifted(0.0, *xs)

    def shifted(self, share: float, *xs: Array, **w: Array) -> Array:
        real = self._real(xs)
        return saturated(np.rint(real + share * np.abs(real)) + np.reshape(xs[7], ()), self.dtype)

    def _real(self, xs: Sequence[Array]) -> Array:
        per_filter = (-1, *[1] * len(self.window))
        total = self._accumulated(xs[0], xs[3], xs[2], xs[5])
        if len(xs) > 8:
            total = wrapped(total + xs[8].reshape(per_filter))
        y: Array = total * (np.reshape(xs[1], ()) * xs[4].reshape(per_filter) / np.reshape(xs[6], ()))
        return y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """That of the sum in units of the output's scale."""
        y: Array = np.abs(self._real(xs))
        return y

    def roundings(self, *xs: Shape) -> int:
        """Before the integer: the sum as a float, and three products and quotients with the scales."""
        return 4

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return self._form(xs)


def _rescaled(dtypes: Sequence[str], second: int, declared: str) -> str:
    """Output type of an operator with two operands, each followed by its scale and zero point, then those of the output."""
    _demand_bytes((dtypes[0], dtypes[second]), (dtypes[2], dtypes[second + 2]))
    scales = (dtypes[1], dtypes[second + 1], dtypes[second + 3])
    if (
        len(set(scales)) > 1
        or scales[0] not in FLOATS
        or dtypes[second + 4] != declared
        or dtypes[second + 5 :] not in ((), ("int32",))
    ):
        what = f"its scales are {', '.join(scales)}, its output {dtypes[second + 4]}"
        raise Refusal("dtype", what, "scales are of one float type, the output int8 or uint8, a bias int32")
    return declared


@dataclass(frozen=True, slots=True)
class _Product(Operator):
    """A matrix product of integers, a[…, M, K] by b[…, K, N]; zero points are one, or one per row of a or column of b."""

    second: ClassVar[int]
    """Which input the second matrix is."""

    def out_shape(self, *xs: Shape) -> Shape:
        a, b = xs[0], xs[self.second]
        if min(len(a), len(b)) < 2 or a[-1] != b[-2]:
            what = f"it multiplies {shape_text(a)} by {shape_text(b)}"
            raise Refusal("product-shape", what, "matrices [.., M, K] and [.., K, N] are multiplied")
        rank = max(len(a), len(b)) - 2
        pairs = zip(*((*[1] * (rank - len(x) + 2), *x[:-2]) for x in (a, b)), strict=True)
        batch = []
        for one, other in pairs:
            if one != other and 1 not in (one, other):
                raise Refusal("product-shape", f"{shape_text(a)} and {shape_text(b)} differ before the matrices")
            batch.append(other if one == 1 else one)
        return (*batch, a[-2], b[-1])

    def work(self, *xs: Shape) -> Work:
        y = self.out_shape(*xs)
        macs = math.prod(fixed(n, "a size") for n in (*y[1:], xs[0][-1]))
        return Work(macs, macs)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        rank = len(self.out_shape(*xs))
        return tuple(self._seen(index, x, rank) for index, x in enumerate(xs))

    def _seen(self, index: int, x: Shape, rank: int) -> Footprint:
        if index not in (0, self.second):
            return (To(None, WHOLE_AXIS),) * len(x)
        batch = [To(rank - len(x) + i) for i in range(len(x) - 2)]
        lies = (To(rank - 2), To(None, WHOLE_AXIS)) if index == 0 else (To(None, WHOLE_AXIS), To(rank - 1))
        return (*batch, *lies)

    def _accumulated(self, a: Array, b: Array, a_zero: Array | int, b_zero: Array | int) -> Array:
        rows = np.reshape(a_zero, (-1, 1)) if np.ndim(a_zero) == 1 else a_zero
        y: Array = np.matmul(a - rows, b - b_zero)
        return wrapped(y)

    def _form(self, xs: Sequence[Shape]) -> tuple[Form]:
        return (Form(self.kind, tuple(f"x{i}" for i in range(len(xs))), {}),)


@dataclass(frozen=True, slots=True)
class MatMulInteger(_Product):
    """y = Σ (a − a_zero_point)·(b − b_zero_point) in int32; the inputs are a, b and the zero points."""

    kind: ClassVar[str] = "MatMulInteger"
    second: ClassVar[int] = 1

    def out_dtype(self, *dtypes: str) -> str:
        _demand_bytes(dtypes[:2], [dtypes[i] if i < len(dtypes) else None for i in (2, 3)])
        return "int32"

    def define(self, *xs: Array, **w: Array) -> Array:
        return self._accumulated(xs[0], xs[1], _at(xs, 2), _at(xs, 3))

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        return np.zeros_like(self.define(*xs))

    def roundings(self, *xs: Shape) -> int:
        """Nothing is rounded; so many terms are summed."""
        return fixed(xs[0][-1], "the number of columns")

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return self._form(xs)


@dataclass(frozen=True, slots=True)
class QLinearMatMul(_Product):
    """y = saturate(round(Σ (a − a_zero)·(b − b_zero) · a_scale · b_scale ÷ y_scale) + y_zero_point), the sum in int32."""

    kind: ClassVar[str] = "QLinearMatMul"
    second: ClassVar[int] = 3
    dtype: str = "uint8"

    def out_dtype(self, *dtypes: str) -> str:
        return _rescaled(dtypes, 3, self.dtype)

    def define(self, *xs: Array, **w: Array) -> Array:
        return self.shifted(0.0, *xs)

    def shifted(self, share: float, *xs: Array, **w: Array) -> Array:
        real = self._real(xs)
        return saturated(np.rint(real + share * np.abs(real)) + xs[7], self.dtype)

    def _real(self, xs: Sequence[Array]) -> Array:
        a_scale = xs[1].reshape(-1, 1) if xs[1].ndim == 1 else xs[1]
        y: Array = self._accumulated(xs[0], xs[3], xs[2], xs[5]) * (a_scale * xs[4] / xs[6])
        return y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """That of the sum in units of the output's scale."""
        y: Array = np.abs(self._real(xs))
        return y

    def roundings(self, *xs: Shape) -> int:
        """Before the integer: the sum as a float, and three products and quotients with the scales."""
        return 4

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return self._form(xs)
