"""Arithmetic on corresponding positions of several tensors, which are broadcast as in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.geometry import Array
from onnxconv.ops.broadcast import Elementwise, chain
from onnxconv.ops.protocol import Form, Shape

__all__ = ["Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"]


@dataclass(frozen=True, slots=True)
class Add(Elementwise):
    """y = x₀ + x₁ + …"""

    kind: ClassVar[str] = "Add"
    verb: ClassVar[str] = "add"

    def define(self, *xs: Array, **w: Array) -> Array:
        return reduce(np.add, xs)

    def roundings(self, *xs: Shape) -> int:
        return len(xs) - 1

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return chain("Add", xs)


@dataclass(frozen=True, slots=True)
class Mul(Elementwise):
    """y = x₀ · x₁ · …"""

    kind: ClassVar[str] = "Mul"
    verb: ClassVar[str] = "multiply"

    def define(self, *xs: Array, **w: Array) -> Array:
        return reduce(np.multiply, xs)

    def roundings(self, *xs: Shape) -> int:
        return len(xs) - 1

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return chain("Mul", xs)


@dataclass(frozen=True, slots=True)
class Sub(Elementwise):
    """y = x₀ − x₁."""

    kind: ClassVar[str] = "Sub"
    verb: ClassVar[str] = "subtract"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.subtract(*xs)
        return y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.add(*map(np.abs, xs))
        return y

    def roundings(self, *xs: Shape) -> int:
        return 1

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Sub", ("x0", "x1"), {}),)


class _Relative(Elementwise):
    """An operator that errs relative to its value."""

    __slots__ = ()

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(self.define(*xs))
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form(self.kind, ("x0", "x1"), {}),)


@dataclass(frozen=True, slots=True)
class Div(_Relative):
    """y = x₀ ÷ x₁; of integers towards zero."""

    kind: ClassVar[str] = "Div"
    verb: ClassVar[str] = "divide"

    def define(self, *xs: Array, **w: Array) -> Array:
        x, z = xs
        if x.dtype.kind not in "iu":
            y: Array = np.divide(x, z)
            return y
        down, left = np.divmod(x, z)
        towards_zero: Array = down + ((left != 0) & ((x < 0) != (z < 0)))
        return towards_zero

    def roundings(self, *xs: Shape) -> int:
        """Within 2.5 ulp, which OpenCL 3.0 C demands of a device, and which a product with the reciprocal keeps too."""
        return 5


@dataclass(frozen=True, slots=True)
class Pow(_Relative):
    """y = x₀ to the power of x₁, of x₀'s data type; NaN where x₀ is negative and x₁ no integer."""

    kind: ClassVar[str] = "Pow"
    verb: ClassVar[str] = "raise"

    def define(self, *xs: Array, **w: Array) -> Array:
        x, z = xs
        if x.dtype.kind in "iu":
            x = x.astype(np.float64)
        y: Array = np.power(x, z)
        return y

    def out_dtype(self, *dtypes: str) -> str:
        return dtypes[0]

    def roundings(self, *xs: Shape) -> int:
        """Within 16 ulp, which OpenCL 3.0 C demands of a device."""
        return 32


class _Extreme(Elementwise):
    """An operator that picks one of its inputs."""

    __slots__ = ()

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form(self.kind, tuple(f"x{i}" for i in range(len(xs))), {}),)


@dataclass(frozen=True, slots=True)
class Max(_Extreme):
    """y = the largest of x₀, x₁ …; NaN where one of them is."""

    kind: ClassVar[str] = "Max"
    verb: ClassVar[str] = "compare"

    def define(self, *xs: Array, **w: Array) -> Array:
        return reduce(np.maximum, xs)


@dataclass(frozen=True, slots=True)
class Min(_Extreme):
    """y = the smallest of x₀, x₁ …; NaN where one of them is."""

    kind: ClassVar[str] = "Min"
    verb: ClassVar[str] = "compare"

    def define(self, *xs: Array, **w: Array) -> Array:
        return reduce(np.minimum, xs)
