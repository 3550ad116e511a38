"""Between numbers and integers: quantising, dequantising, and quantising by the range of the data.

A quotient is rounded to the data type of the scale, as the division that ONNX writes is, then to an integer, halves to
even; the zero point is added after that, and what is too large or too small saturates (ONNX, QuantizeLinear).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.dtypes import DTYPES, FLOATS, rounded
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.protocol import (
    POINT,
    WHOLE_AXIS,
    AttributeValue,
    Footprint,
    Form,
    Operator,
    Shape,
    To,
    points,
    shape_text,
)

__all__ = ["DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear", "saturated"]

INTEGERS = ("int8", "uint8", "int16", "uint16")
"""What numbers are quantised to."""


def saturated(values: Array, dtype: str) -> Array:
    """Whole numbers limited to the range of a data type; NaN becomes its lowest number, as in onnxruntime 1.32."""
    of = DTYPES[dtype]
    return np.clip(np.where(np.isnan(values), of.low, values), of.low, of.high)


def along(values: Array, x: Shape, axis: int, block: int) -> Array:
    """One value for all, one per position of an axis, or one per block of positions, shaped to broadcast over x."""
    if block:
        repeated: Array = np.repeat(values, block, axis)
        return repeated[(slice(None),) * axis + (slice(0, int(x[axis])),)]
    return values.reshape(()) if values.size == 1 else values.reshape([-1 if i == axis else 1 for i in range(len(x))])


@dataclass(frozen=True, slots=True)
class _Linear(Operator):
    """What quantising and dequantising have in common: x[…], scale[] or scale[n] along `axis`, and a zero point like it.

    `block`: positions of the axis that share a scale, which then has as many axes as x; 0: no blocks.
    """

    axis: int = 1
    block: int = 0

    def out_shape(self, *xs: Shape) -> Shape:
        x, scale = xs[:2]
        per_tensor = scale in ((), (1,))
        if not per_tensor and not 0 <= self.axis < len(x):
            raise Refusal("axis", f"a scale along axis {self.axis} of {shape_text(x)}", f"it has {len(x)} axes")
        if self.block:
            wanted = tuple(-(-n // self.block) if i == self.axis and isinstance(n, int) else n for i, n in enumerate(x))
        else:
            wanted = () if per_tensor else (x[self.axis],)
        if scale != wanted and not (per_tensor and not self.block):
            what = f"a scale of shape {shape_text(scale)} for {shape_text(x)}"
            raise Refusal("scale-shape", what, f"it is [], or {shape_text(wanted)} along axis {self.axis}")
        one = ((), (1,))  # onnxruntime's quantiser, 1.32, writes biases with a scale [1] and a zero point []
        if len(xs) > 2 and xs[2] != scale and not (xs[2] in one and scale in one):
            what = f"a zero point of shape {shape_text(xs[2])} beside a scale of shape {shape_text(scale)}"
            raise Refusal("scale-shape", what, "they have one shape")
        return x

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        x, *scales = xs
        if self.block:
            blocked = tuple(To(axis, WHOLE_AXIS) if axis == self.axis else POINT for axis in range(len(x)))
            return (*points(x), *(blocked for _ in scales))
        return (*points(x), *(tuple(To(None if n == 1 else self.axis) for n in scale) for scale in scales))

    def attributes(self, xs: Sequence[Shape], opset: int) -> dict[str, AttributeValue]:
        """Refuses what the opset cannot say."""
        per_tensor = xs[1] in ((), (1,)) and not self.block
        for needed, since, what in ((not per_tensor, 13, "one scale per position"), (self.block > 0, 21, "blocks")):
            if needed and opset < since:
                raise Refusal("opset", f"{self.kind} of opset {opset} has no {what}", f"it has since opset {since}")
        found: dict[str, AttributeValue] = {} if per_tensor else {"axis": self.axis}
        return found | ({"block_size": self.block} if self.block else {})


@dataclass(frozen=True, slots=True)
class QuantizeLinear(_Linear):
    """y = saturate(round(x ÷ scale) + zero_point), of data type `dtype`, which is that of the zero point."""

    kind: ClassVar[str] = "QuantizeLinear"
    dtype: str = "uint8"
    precision: str = "float32"
    """Data type of the scale and of the quotient."""

    def out_dtype(self, *dtypes: str) -> str:
        fits = dtypes[0] in (*FLOATS, "int32") and dtypes[1] == self.precision and dtypes[2:] in ((), (self.dtype,))
        if not fits or self.dtype not in INTEGERS:
            what = f"it quantises {' by '.join(dtypes)} to {self.dtype}"
            raise Refusal("dtype", what, f"floats are quantised to {', '.join(INTEGERS)}")
        return self.dtype

    def define(self, *xs: Array, **w: Array) -> Array:
        quotient = rounded(self._quotient(xs), self.precision)
        return self._whole(quotient.astype(xs[0].dtype), xs)

    def shifted(self, share: float, *xs: Array, **w: Array) -> Array:
        quotient = self._quotient(xs)
        return self._whole(quotient + share * np.abs(quotient), xs)

    def _quotient(self, xs: Sequence[Array]) -> Array:
        y: Array = xs[0] / along(xs[1], xs[0].shape, self.axis, self.block)
        return y

    def _whole(self, quotient: Array, xs: Sequence[Array]) -> Array:
        zero = along(xs[2], quotient.shape, self.axis, self.block) if len(xs) > 2 else 0
        return saturated(np.rint(quotient) + zero, self.dtype)

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """That of the quotient."""
        y: Array = np.abs(self._quotient(xs))
        return y

    def roundings(self, *xs: Shape) -> int:
        """Before the integer: an int32 turned into a float, a reciprocal, a product with it."""
        return 3

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        extra: dict[str, AttributeValue] = {}
        if len(xs) < 3 and self.dtype != "uint8":
            if opset < 21:
                raise Refusal("opset", f"it gives {self.dtype} without a zero point", "ONNX says so since opset 21")
            extra = {"output_dtype": _NUMBERS[self.dtype]}
        operands = tuple(f"x{i}" for i in range(len(xs)))
        return (Form("QuantizeLinear", operands, self.attributes(xs, opset) | extra),)


_NUMBERS = {"uint8": 2, "int8": 3, "uint16": 4, "int16": 5}
"""ONNX's numbers of data types (onnx.proto, TensorProto.DataType)."""


@dataclass(frozen=True, slots=True)
class DequantizeLinear(_Linear):
    """y = (x − zero_point) · scale, of the scale's data type."""

    kind: ClassVar[str] = "DequantizeLinear"

    def out_dtype(self, *dtypes: str) -> str:
        if dtypes[0] not in (*INTEGERS, "int32") or dtypes[1] not in FLOATS or dtypes[2:] not in ((), dtypes[:1]):
            what = f"it dequantises {dtypes[0]} by {' and '.join(dtypes[1:])}"
            raise Refusal("dtype", what, "integers are dequantised by a float scale and a zero point of their type")
        return dtypes[1]

    def define(self, *xs: Array, **w: Array) -> Array:
        x, scale, *zero = xs
        offset = along(zero[0], x.shape, self.axis, self.block) if zero else 0
        y: Array = (x - offset) * along(scale, x.shape, self.axis, self.block)
        return y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(self.define(*xs))
        return y

    def roundings(self, *xs: Shape) -> int:
        """The difference as a float, which is exact for 8 bits, and the product."""
        return 2

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        operands = tuple(f"x{i}" for i in range(len(xs)))
        return (Form("DequantizeLinear", operands, self.attributes(xs, opset)),)


@dataclass(frozen=True, slots=True)
class DynamicQuantizeLinear(Operator):
    """One of the three outputs of quantising to uint8 by the range of the data: "y", "scale" or "zero_point".

    low = min(0, min x), high = max(0, max x); scale = (high − low) ÷ 255, and 1 where that is 0, as in onnxruntime 1.32;
    zero_point = saturate(round(−low ÷ scale)); y = saturate(round(x ÷ scale) + zero_point).
    """

    kind: ClassVar[str] = "DynamicQuantizeLinear"
    output: str = "y"

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        return x if self.output == "y" else ()

    def out_dtype(self, *dtypes: str) -> str:
        if dtypes != ("float32",):
            raise Refusal("dtype", f"it quantises {', '.join(dtypes)}", "DynamicQuantizeLinear quantises float32")
        return "float32" if self.output == "scale" else "uint8"

    def define(self, *xs: Array, **w: Array) -> Array:
        return self.shifted(0.0, *xs)

    def shifted(self, share: float, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        low, high = np.minimum(x.min(), 0), np.maximum(x.max(), 0)
        scale = np.asarray(_single(_single(high - low) / 255))
        scale = np.where(scale == 0, 1, scale).astype(x.dtype)
        if self.output == "scale":
            return np.asarray(scale * (1 + share))
        zero = saturated(np.rint(_bent(_single(-low / scale), share)), "uint8")
        if self.output == "zero_point":
            return np.asarray(zero, x.dtype)
        return saturated(np.rint(_bent(_single(x / scale), share)) + zero, "uint8")

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """That of the scale, or of the quotient."""
        (x,) = xs
        if self.output == "scale":
            return np.abs(self.define(*xs))
        scale = DynamicQuantizeLinear("scale").define(*xs)
        y: Array = np.abs((x if self.output == "y" else np.minimum(x.min(), 0)) / scale)
        return y

    def roundings(self, *xs: Shape) -> int:
        """A difference, a quotient, and for the integers a reciprocal and a product."""
        return 2 if self.output == "scale" else 4

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Every output sees every input, by the range."""
        if self.output == "y":
            return (tuple(WHOLE_AXIS for _ in xs[0]),)
        return (tuple(To(None, WHOLE_AXIS) for _ in xs[0]),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        names = ("y", "scale", "zero_point")
        rest = {"y": ("uint8", xs[0]), "scale": ("float32", ()), "zero_point": ("uint8", ())}
        beside = tuple(rest[name] for name in names if name != self.output)
        return (Form("DynamicQuantizeLinear", ("x0",), {}, beside=beside, place=names.index(self.output)),)


def _single(values: Array) -> Array:
    """Rounded to float32, in the arithmetic that it came in."""
    return rounded(np.asarray(values), "float32").astype(np.asarray(values).dtype)


def _bent(values: Array, share: float) -> Array:
    y: Array = values + share * np.abs(values)
    return y
