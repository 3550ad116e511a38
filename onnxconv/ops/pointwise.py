"""Operators that look at one position: activations, batch normalisation, identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.protocol import POINT, WHOLE_AXIS, Const, Footprint, Form, Operator, Shape, fixed, shape_text

__all__ = ["BatchNorm", "Clip", "Identity", "LeakyRelu", "PRelu", "Pointwise", "Relu", "Sigmoid", "Silu", "Softmax"]


class Pointwise(Operator):
    __slots__ = ()

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        return x


@dataclass(frozen=True, slots=True)
class Identity(Pointwise):
    """y = x. Dropout at inference is this."""

    kind: ClassVar[str] = "Identity"

    def define(self, *xs: Array, **w: Array) -> Array:
        return xs[0]

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Identity", ("x0",), {}),)


@dataclass(frozen=True, slots=True)
class Relu(Pointwise):
    """y = max(x, 0); NaN stays NaN."""

    kind: ClassVar[str] = "Relu"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.maximum(xs[0], 0)
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Relu", ("x0",), {}),)


@dataclass(frozen=True, slots=True)
class LeakyRelu(Pointwise):
    """y = x where x ≥ 0, else slope·x. The slope is the float32 nearest to the one written, as ONNX stores it."""

    kind: ClassVar[str] = "LeakyRelu"
    slope: float = 0.01

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = np.where(x < 0, x * x.dtype.type(np.float32(self.slope)), x)
        return y

    def roundings(self, *xs: Shape) -> int:
        """A product, after the slope was rounded to the data type where that is narrower than float32."""
        return 2

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(self.define(*xs))
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("LeakyRelu", ("x0",), {"alpha": float(self.slope)}),)


@dataclass(frozen=True, slots=True)
class PRelu(Pointwise):
    """y = x where x ≥ 0, else weight·x, one weight per channel, or a `shared` one. Its shape is ONNX's: [C, 1 …]."""

    kind: ClassVar[str] = "PRelu"
    shared: bool = False

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        (x,) = xs
        return {"weight": (1 if self.shared else fixed(x[1], "the number of channels"), *[1] * (len(x) - 2))}

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = np.where(x < 0, x * w["weight"], x)
        return y

    def roundings(self, *xs: Shape) -> int:
        return 1

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(self.define(*xs, **w))
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("PRelu", ("x0", "w:weight"), {}),)


@dataclass(frozen=True, slots=True)
class Clip(Pointwise):
    """y = min(max(x, low), high); ReLU6 is Clip(0, 6)."""

    kind: ClassVar[str] = "Clip"
    low: float | None = None
    high: float | None = None

    def out_shape(self, *xs: Shape) -> Shape:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise Refusal(
                "clip-range",
                f"clip from {self.low} to {self.high}",
                "the lower limit is not above the upper one",
                f"swap them: min {self.high}, max {self.low}",
                "min",
            )
        return xs[0]

    def define(self, *xs: Array, **w: Array) -> Array:
        (y,) = xs
        if self.low is not None:
            y = np.maximum(y, _limit(self.low, y))
        if self.high is not None:
            y = np.minimum(y, _limit(self.high, y))
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        low, high = ("" if v is None else Const((float(v),), scalar=True) for v in (self.low, self.high))
        operands = ("x0", low, high) if high else ("x0", low) if low else ("x0",)
        return (Form("Clip", operands, {}),)


@dataclass(frozen=True, slots=True)
class Sigmoid(Pointwise):
    """y = 1 / (1 + e⁻ˣ)."""

    kind: ClassVar[str] = "Sigmoid"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = _sigmoid(xs[0])
        return y

    def roundings(self, *xs: Shape) -> int:
        """Relative to 1, the largest value: an exponential within 3 ulp, an addition, a division within 2.5 ulp.

        Those accuracies are what OpenCL 3.0 C, table 'Relative error as ULPs', demands of a device.
        """
        return 8

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        return np.ones_like(xs[0])

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Sigmoid", ("x0",), {}),)


@dataclass(frozen=True, slots=True)
class Silu(Pointwise):
    """y = x · sigmoid(x), in ONNX a Sigmoid and a Mul."""

    kind: ClassVar[str] = "Silu"

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = xs[0] * _sigmoid(xs[0])
        return y

    def roundings(self, *xs: Shape) -> int:
        """As `Sigmoid`, and one product; relative to |x|."""
        return 9

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(xs[0])
        return y

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Sigmoid", ("x0",), {}, "t:sigmoid"), Form("Mul", ("x0", "t:sigmoid"), {}))


@dataclass(frozen=True, slots=True)
class Softmax(Pointwise):
    """y = eˣ ÷ Σ eˣ along one axis, counted from 0 (the batch)."""

    kind: ClassVar[str] = "Softmax"
    axis: int = 1

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if not 0 <= self.axis < len(x):
            raise Refusal(
                "axis",
                f"softmax over axis {self.axis} of {shape_text(x)}",
                f"axes are counted from 0 to {len(x) - 1}",
                "use axis 1 for the channels",
                "axis",
            )
        return x

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        powers = np.exp(x - x.max(axis=self.axis, keepdims=True))
        y: Array = powers / powers.sum(axis=self.axis, keepdims=True)
        return y

    def roundings(self, *xs: Shape) -> int:
        """n − 1 additions, exponentials within 3 ulp above and below, a division within 2.5 ulp; see `magnitude`."""
        return fixed(xs[0][self.axis], "the size of the softmax axis") + 16

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """y·(1 + |x − max x|): rounding x − max x by u shifts the exponent by u·|x − max x|."""
        (x,) = xs
        away = np.abs(x - x.max(axis=self.axis, keepdims=True))
        y: Array = self.define(x) * (1 + away + away.max(axis=self.axis, keepdims=True))
        return y

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        (x,) = xs
        return (tuple(WHOLE_AXIS if axis == self.axis else POINT for axis in range(len(x))),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Softmax", ("x0",), {"axis": self.axis}),)


@dataclass(frozen=True, slots=True)
class BatchNorm(Pointwise):
    """y = weight · (x − running_mean) ÷ √(running_var + epsilon) + bias, one of each per channel (inference)."""

    kind: ClassVar[str] = "BatchNormalization"
    epsilon: float = 1e-5

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        channels = fixed(xs[0][1], "the number of channels")
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,))

    def _affine(self, x: Array, w: dict[str, Array]) -> tuple[Array, Array, Array]:
        """(factor, mean, bias), each shaped to broadcast over x[N, C, *S]."""
        factor = w["weight"] / np.sqrt(w["running_var"] + x.dtype.type(np.float32(self.epsilon)))
        shape = (-1, *[1] * (x.ndim - 2))
        return factor.reshape(shape), w["running_mean"].reshape(shape), w["bias"].reshape(shape)

    def define(self, *xs: Array, **w: Array) -> Array:
        factor, mean, bias = self._affine(xs[0], w)
        y: Array = (xs[0] - mean) * factor + bias
        return y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        factor, mean, bias = self._affine(xs[0], w)
        y: Array = np.abs(factor) * (np.abs(xs[0]) + np.abs(mean)) + np.abs(bias)
        return y

    def roundings(self, *xs: Shape) -> int:
        """var + ε, √, ÷, then at most three more on each term, whether evaluated as (x − m)·f + b or as x·f + (b − m·f)."""
        return 6

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        operands = ("x0", "w:weight", "w:bias", "w:running_mean", "w:running_var")
        return (Form("BatchNormalization", operands, {"epsilon": float(self.epsilon)}),)


def _limit(value: float, x: Array) -> Any:
    """A limit in the data type that it meets: the float32 nearest to the one written, as ONNX stores it, or an integer."""
    return x.dtype.type(value if x.dtype.kind in "iu" else np.float32(value))


def _sigmoid(x: Array) -> Array:
    """Evaluated without overflow: e^−|x| is at most 1."""
    power = np.exp(-np.abs(x))
    y: Array = np.where(x >= 0, 1 / (1 + power), power / (1 + power))
    return y
