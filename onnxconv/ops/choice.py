"""Comparisons, logic, and the choice between two tensors at each position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.broadcast import Elementwise, chain
from onnxconv.ops.pointwise import Pointwise
from onnxconv.ops.protocol import Form, Shape

__all__ = [
    "COMPARISONS",
    "And",
    "Comparison",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Not",
    "Or",
    "Where",
    "Xor",
]


class Comparison(Elementwise):
    """A question about two numbers, answered as IEEE 754 does: false where one is NaN."""

    __slots__ = ()

    verb: ClassVar[str] = "compare"
    asked: ClassVar[str]
    """A function of NumPy's."""

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = getattr(np, self.asked)(*xs)
        return y

    def out_dtype(self, *dtypes: str) -> str:
        super().out_dtype(*dtypes)
        return "bool"

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form(self.kind, ("x0", "x1"), {}),)


@dataclass(frozen=True, slots=True)
class Equal(Comparison):
    """y: whether x₀ = x₁."""

    kind: ClassVar[str] = "Equal"
    asked: ClassVar[str] = "equal"


@dataclass(frozen=True, slots=True)
class Less(Comparison):
    """y: whether x₀ < x₁."""

    kind: ClassVar[str] = "Less"
    asked: ClassVar[str] = "less"


@dataclass(frozen=True, slots=True)
class LessOrEqual(Comparison):
    """y: whether x₀ ≤ x₁."""

    kind: ClassVar[str] = "LessOrEqual"
    asked: ClassVar[str] = "less_equal"


@dataclass(frozen=True, slots=True)
class Greater(Comparison):
    """y: whether x₀ > x₁."""

    kind: ClassVar[str] = "Greater"
    asked: ClassVar[str] = "greater"


@dataclass(frozen=True, slots=True)
class GreaterOrEqual(Comparison):
    """y: whether x₀ ≥ x₁."""

    kind: ClassVar[str] = "GreaterOrEqual"
    asked: ClassVar[str] = "greater_equal"


class _Logic(Elementwise):
    """Of truth values alone."""

    __slots__ = ()

    asked: ClassVar[str]
    """A function of NumPy's."""

    def define(self, *xs: Array, **w: Array) -> Array:
        return reduce(getattr(np, self.asked), xs)

    def out_dtype(self, *dtypes: str) -> str:
        return _truth(*dtypes)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return chain(self.kind, xs)


@dataclass(frozen=True, slots=True)
class And(_Logic):
    """y = all of x₀, x₁ …"""

    kind: ClassVar[str] = "And"
    asked: ClassVar[str] = "logical_and"


@dataclass(frozen=True, slots=True)
class Or(_Logic):
    """y = any of x₀, x₁ …"""

    kind: ClassVar[str] = "Or"
    asked: ClassVar[str] = "logical_or"


@dataclass(frozen=True, slots=True)
class Xor(_Logic):
    """y = an odd number of x₀, x₁ …"""

    kind: ClassVar[str] = "Xor"
    asked: ClassVar[str] = "logical_xor"


@dataclass(frozen=True, slots=True)
class Not(Pointwise):
    """y = not x."""

    kind: ClassVar[str] = "Not"

    def out_dtype(self, *dtypes: str) -> str:
        return _truth(*dtypes)

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.logical_not(xs[0])
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Not", ("x0",), {}),)


@dataclass(frozen=True, slots=True)
class Where(Elementwise):
    """y = x₁ where x₀ is true, else x₂."""

    kind: ClassVar[str] = "Where"
    verb: ClassVar[str] = "choose between"

    def out_dtype(self, *dtypes: str) -> str:
        _truth(dtypes[0])
        return Elementwise.out_dtype(self, *dtypes[1:])  # slots leave no super() to a dataclass

    def define(self, *xs: Array, **w: Array) -> Array:
        condition, x, z = xs
        y: Array = np.where(condition != 0, x, z)
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Where", ("x0", "x1", "x2"), {}),)


COMPARISONS: tuple[type[Comparison], ...] = (Equal, Less, LessOrEqual, Greater, GreaterOrEqual)


def _truth(*dtypes: str) -> str:
    if wrong := sorted(set(dtypes) - {"bool"}):
        raise Refusal("dtype", f"it asks whether {wrong[0]} is true", "true and false are of type bool", "compare it")
    return "bool"
