"""Activations that are curves: hyperbolic tangent, ELU, hard sigmoid, hard swish, softplus, GELU, Mish.

Their bounds assume the accuracies that OpenCL 3.0 C, table 'Relative error as ULPs', demands of a device: exp and log
within 3 ulp, tanh within 5, erf within 16. An ulp is at most 2u of the value, u being the unit roundoff.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.pointwise import Pointwise
from onnxconv.ops.protocol import Const, Form, Shape

__all__ = ["GELU_FORMS", "Elu", "Gelu", "HardSigmoid", "HardSwish", "Mish", "Softplus", "Tanh"]


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
        """|y|, but at least 2^-116: onnxruntime 1.32 divides polynomials, the upper one up to 2^10 below y.

        There it is a subnormal float32 from y < 2^-116 on, and the quotient errs by 2^-150 · 2^10 < 10u · 2^-116.
        """
        y: Array = np.maximum(np.abs(np.tanh(xs[0])), 2.0**-116)
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


GELU_FORMS = ("none", "tanh")
"""What ONNX and torch call GELU by erf, and its approximation by tanh."""


@dataclass(frozen=True, slots=True)
class Gelu(Pointwise):
    """y = ½x·(1 + erf(x/√2)), or `approximate` by tanh: ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))).

    One ONNX node since opset 20, before that several.
    """

    kind: ClassVar[str] = "Gelu"
    approximate: str = "none"

    def out_shape(self, *xs: Shape) -> Shape:
        if self.approximate not in GELU_FORMS:
            raise Refusal(
                "gelu-form",
                f"gelu by {self.approximate!r}",
                f"its form is one of {', '.join(GELU_FORMS)}",
                "use none, which is exact",
                "by",
            )
        return xs[0]

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        scalar = x.dtype.type
        if self.approximate == "tanh":
            curve = np.tanh(scalar(INNER) * (x + scalar(CUBE) * (x * x * x)))
        else:
            curve = erf(x / scalar(math.sqrt(2)))
        y: Array = x / 2 * (1 + curve)
        return y

    def roundings(self, *xs: Shape) -> int:
        """Relative to |x|; halving is exact, the last product is one rounding, and curve, addition count by half.

        erf: √2 and the division change t = x/√2 by 2u·t and erf t by at most 2u·max(t·erf′t) < u; erf itself is within
        16 ulp, 32u, and the sum of at most 2 is rounded by 2u: 1 + 35/2 < 19. tanh: the argument meets at most 7
        roundings, which change tanh v by at most 7u·max(v·tanh′v) < 3.2u; tanh is within 5 ulp: 1 + (3.2 + 10 + 2)/2 < 9.
        """
        return 9 if self.approximate == "tanh" else 19

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(xs[0])
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        if opset >= 20:
            return (Form("Gelu", ("x0",), {"approximate": self.approximate}),)
        half = Form("Mul", ("x0", Const((0.5,), scalar=True)), {}, "t:half")
        rise = Form("Add", ("t:curve", Const((1.0,), scalar=True)), {}, "t:rise")
        end = (half, rise, Form("Mul", ("t:half", "t:rise"), {}))
        if self.approximate == "none":
            scaled = Form("Div", ("x0", Const((math.sqrt(2),), scalar=True, exact=True)), {}, "t:scaled")
            return (scaled, Form("Erf", ("t:scaled",), {}, "t:curve"), *end)
        return (
            Form("Mul", ("x0", "x0"), {}, "t:square"),
            Form("Mul", ("t:square", "x0"), {}, "t:cube"),
            Form("Mul", ("t:cube", Const((CUBE,), scalar=True, exact=True)), {}, "t:bend"),
            Form("Add", ("x0", "t:bend"), {}, "t:bent"),
            Form("Mul", ("t:bent", Const((INNER,), scalar=True, exact=True)), {}, "t:scaled"),
            Form("Tanh", ("t:scaled",), {}, "t:curve"),
            *end,
        )


INNER, CUBE = math.sqrt(2 / math.pi), 0.044715
"""The constants of GELU by tanh."""


@dataclass(frozen=True, slots=True)
class Mish(Pointwise):
    """y = x · tanh(softplus(x)); before opset 18 those three ONNX nodes."""

    kind: ClassVar[str] = "Mish"

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = x * np.tanh(softplus(x))
        return y

    def roundings(self, *xs: Shape) -> int:
        """Relative to |x|: an error of 7u(1 + s) on s = softplus(x) changes tanh s by at most 7u·max((1 + s)·tanh′s) < 8.5u.

        tanh is within 5 ulp, and there is one product.
        """
        return 20

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(xs[0])
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        if opset >= 18:
            return (Form("Mish", ("x0",), {}),)
        return (
            Form("Softplus", ("x0",), {}, "t:softplus"),
            Form("Tanh", ("t:softplus",), {}, "t:tanh"),
            Form("Mul", ("x0", "t:tanh"), {}),
        )


def softplus(x: Array) -> Array:
    """log(1 + eˣ) without overflow: e^−|x| is at most 1."""
    y: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y


def erf(x: Array) -> Array:
    """The error function, by the C library's: NumPy has none."""
    y: Array = np.fromiter(map(math.erf, x.ravel()), x.dtype, x.size).reshape(x.shape)
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
