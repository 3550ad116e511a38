"""Activations that are curves: hyperbolic tangent, ELU, hard sigmoid, hard swish, softplus.

Their bounds assume the accuracies that OpenCL 3.0 C, table 'Relative error as ULPs', demands of a device: exp and log
within 3 ulp, tanh within 5. An ulp is at most 2u of the value, u being the unit roundoff.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from onnxconv.geometry import Array
from onnxconv.ops.pointwise import Pointwise
from onnxconv.ops.protocol import Form, Shape

__all__ = ["Elu", "HardSigmoid", "HardSwish", "Softplus", "Tanh"]


@dataclass(frozen=True, slots=True)
class Tanh(Pointwise):
    """y = tanh x."""

    kind: ClassVar[str] = "Tanh"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.tanh(xs[0])
        return y

    def roundings(self, *xs: Shape) -> int:
        """Within 5 ulp of the value."""
        return 10

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(np.tanh(xs[0]))
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Tanh", ("x0",), {}),)


@dataclass(frozen=True, slots=True)
class Elu(Pointwise):
    """y = x where x ≥ 0, else alpha·(eˣ − 1). Alpha is the float32 nearest to the one written, as ONNX stores it."""

    kind: ClassVar[str] = "Elu"
    alpha: float = 1.0

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = np.where(x < 0, x.dtype.type(np.float32(self.alpha)) * np.expm1(np.minimum(x, 0)), x)
        return y

    def roundings(self, *xs: Shape) -> int:
        """An exponential within 3 ulp, the subtraction, the product, and alpha rounded to a narrower data type."""
        return 9

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """|alpha|·(eˣ + 1) below 0: the two terms of the difference."""
        (x,) = xs
        y: Array = np.where(x < 0, abs(float(np.float32(self.alpha))) * (np.exp(np.minimum(x, 0)) + 1), x)
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Elu", ("x0",), {"alpha": float(self.alpha)}),)


@dataclass(frozen=True, slots=True)
class HardSigmoid(Pointwise):
    """y = min(max(alpha·x + beta, 0), 1), alpha and beta as float32, as ONNX stores them."""

    kind: ClassVar[str] = "HardSigmoid"
    alpha: float = 0.2
    beta: float = 0.5

    def define(self, *xs: Array, **w: Array) -> Array:
        return _hard_sigmoid(xs[0], self.alpha, self.beta)

    def roundings(self, *xs: Shape) -> int:
        """A product and an addition, after alpha was rounded to the data type where that is narrower than float32."""
        return 3

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        return _hard_terms(xs[0], self.alpha, self.beta)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("HardSigmoid", ("x0",), {"alpha": float(self.alpha), "beta": float(self.beta)}),)


SIXTH = 1 / 6


@dataclass(frozen=True, slots=True)
class HardSwish(Pointwise):
    """y = x · min(max(x/6 + ½, 0), 1), 1/6 as float32, as in ONNX's definition; before opset 14 HardSigmoid and Mul."""

    kind: ClassVar[str] = "HardSwish"

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = x * _hard_sigmoid(x, SIXTH, 0.5)
        return y

    def roundings(self, *xs: Shape) -> int:
        """As `HardSigmoid`, and one product."""
        return 4

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = np.abs(x) * _hard_terms(x, SIXTH, 0.5)
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        if opset >= 14:
            return (Form("HardSwish", ("x0",), {}),)
        gate = Form("HardSigmoid", ("x0",), {"alpha": SIXTH, "beta": 0.5}, "t:gate")
        return (gate, Form("Mul", ("x0", "t:gate"), {}))


@dataclass(frozen=True, slots=True)
class Softplus(Pointwise):
    """y = log(1 + eˣ)."""

    kind: ClassVar[str] = "Softplus"

    def define(self, *xs: Array, **w: Array) -> Array:
        return softplus(xs[0])

    def roundings(self, *xs: Shape) -> int:
        """Relative to 1 + y. With z = log(1 + e^−|x|), y is z, or x + z where x > 0.

        The exponential within 3 ulp and the addition change 1 + e^−|x| by a factor within 1 ± 4u, since e^−|x| is at most
        half of it, and z by 4u; a logarithm within 3 ulp adds 6u·z, the last addition u·y: 4u + 7u·y together.
        """
        return 7

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = 1 + softplus(xs[0])
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Softplus", ("x0",), {}),)


def softplus(x: Array) -> Array:
    """log(1 + eˣ) without overflow: e^−|x| is at most 1."""
    y: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    a, b = (x.dtype.type(np.float32(v)) for v in (alpha, beta))
    y: Array = np.clip(a * x + b, 0, 1)
    return y


def _hard_terms(x: Array, alpha: float, beta: float) -> Array:
    """|αx| + |β|, but at most 1 + 2|β|: so large are the terms where the line leaves [0, 1], and beyond nothing errs more.

    Beyond, at αx + β = t > 1, a computed value is at least t − γ(t + 2|β|), which falls short of 1 by at most γ(1 + 2|β|).
    """
    a, b = (abs(float(np.float32(v))) for v in (alpha, beta))
    y: Array = np.minimum(a * np.abs(x) + b, 1 + 2 * b)
    return y
