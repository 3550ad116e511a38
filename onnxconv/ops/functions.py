"""Functions of one number: roots, powers, signs and roundings.

Their bounds assume the accuracies that OpenCL 3.0 C, table 'Relative error as ULPs', demands of a device. An ulp is at
most 2u of the value, u being the unit roundoff.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.geometry import Array
from onnxconv.ops.curves import erf
from onnxconv.ops.pointwise import Pointwise
from onnxconv.ops.protocol import Form, Shape

__all__ = ["Abs", "Ceil", "Erf", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Round", "Sqrt"]


class _Function(Pointwise):
    """One ONNX node without attributes."""

    __slots__ = ()

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(self.define(*xs))
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form(self.kind, ("x0",), {}),)


class _Exact(_Function):
    """A function whose values are numbers of the data type."""

    __slots__ = ()

    def roundings(self, *xs: Shape) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Neg(_Exact):
    """y = −x."""

    kind: ClassVar[str] = "Neg"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.negative(xs[0])
        return y


@dataclass(frozen=True, slots=True)
class Abs(_Exact):
    """y = |x|."""

    kind: ClassVar[str] = "Abs"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(xs[0])
        return y


@dataclass(frozen=True, slots=True)
class Floor(_Exact):
    """y = the largest integer that is at most x."""

    kind: ClassVar[str] = "Floor"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.floor(xs[0])
        return y


@dataclass(frozen=True, slots=True)
class Ceil(_Exact):
    """y = the smallest integer that is at least x."""

    kind: ClassVar[str] = "Ceil"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.ceil(xs[0])
        return y


@dataclass(frozen=True, slots=True)
class Round(_Exact):
    """y = the nearest integer, of two the even one."""

    kind: ClassVar[str] = "Round"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.rint(xs[0])
        return y


@dataclass(frozen=True, slots=True)
class Sqrt(_Function):
    """y = √x; NaN below 0."""

    kind: ClassVar[str] = "Sqrt"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.sqrt(xs[0])
        return y

    def roundings(self, *xs: Shape) -> int:
        """Within 3 ulp."""
        return 6


@dataclass(frozen=True, slots=True)
class Exp(_Function):
    """y = eˣ."""

    kind: ClassVar[str] = "Exp"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.exp(xs[0])
        return y

    def roundings(self, *xs: Shape) -> int:
        """Within 3 ulp."""
        return 6


@dataclass(frozen=True, slots=True)
class Log(_Function):
    """y = the natural logarithm of x; −∞ at 0, NaN below."""

    kind: ClassVar[str] = "Log"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.log(xs[0])
        return y

    def roundings(self, *xs: Shape) -> int:
        """Within 3 ulp."""
        return 6


@dataclass(frozen=True, slots=True)
class Reciprocal(_Function):
    """y = 1 ÷ x."""

    kind: ClassVar[str] = "Reciprocal"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = 1 / xs[0]
        return y

    def roundings(self, *xs: Shape) -> int:
        """Within 2.5 ulp."""
        return 5


@dataclass(frozen=True, slots=True)
class Erf(_Function):
    """y = 2/√π · ∫₀ˣ exp(−t²) dt."""

    kind: ClassVar[str] = "Erf"

    def define(self, *xs: Array, **w: Array) -> Array:
        return erf(xs[0])

    def roundings(self, *xs: Shape) -> int:
        """Within 16 ulp."""
        return 32
