"""Convolutions and dense layers whose weights are stored as integers, each filter with a scale: w = scale · integer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.dtypes import rounded
from onnxconv.geometry import Array
from onnxconv.ops.conv import Conv, Dense
from onnxconv.ops.protocol import Const, Footprint, Form, Operator, Shape, Work

__all__ = ["DequantizedConv", "DequantizedGemm"]


_STORED = {"weight": "int8", "bias": "int32"}
"""Data types of what is stored."""


@dataclass(frozen=True, slots=True)
class _Dequantized(Operator):
    """The layer `of` on weight[M, …] · weight_scale and bias[M] · bias_scale; a scale is [M], or [] for all filters.

    In ONNX a DequantizeLinear for each of the two, then the layer: the products are float32 numbers.
    """

    of: Conv | Dense
    per_channel: bool = True

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for role, shape in self.of.weight_shapes(*xs).items():
            shapes |= {role: shape, f"{role}_scale": shape[:1] if self.per_channel else ()}
        return shapes

    def out_shape(self, *xs: Shape) -> Shape:
        return self.of.out_shape(*xs)

    def define(self, *xs: Array, **w: Array) -> Array:
        return self.of.define(*xs, **self._as(xs[0], w))

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        return self.of.magnitude(*xs, **self._as(xs[0], w))

    def _as(self, x: Array, w: Mapping[str, Array]) -> dict[str, Array]:
        return {role: a.astype(x.dtype) for role, a in self.floats(w).items()}

    def floats(self, w: Mapping[str, Array]) -> dict[str, Array]:
        """The layer's own weights, float32 numbers: each stored integer times its scale, rounded once."""
        found: dict[str, Array] = {}
        for role in ("weight", "bias") if self.of.bias else ("weight",):
            values = w[role].astype(np.float64)
            scale = w[f"{role}_scale"].astype(np.float64).reshape(-1, *[1] * (values.ndim - 1))
            found[role] = rounded(values * scale, "float32")
        return found

    def roundings(self, *xs: Shape) -> int:
        """Those of the layer, and two: the scales may be multiplied in after the sum, as one or one after the other."""
        return self.of.roundings(*xs) + 2

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return self.of.footprint(*xs)

    def work(self, *xs: Shape) -> Work:
        return self.of.work(*xs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        (layer,) = self.of.onnx(*xs, opset=opset)
        along = {"axis": 0} if self.per_channel else {}
        forms = []
        for role, shape in self.of.weight_shapes(*xs).items():
            # onnxruntime 1.20 refuses products that it has fused from weights without a zero point.
            zeros = Const((0,) * (shape[0] if self.per_channel else 1), _STORED[role], scalar=not self.per_channel)
            forms.append(Form("DequantizeLinear", (f"w:{role}", f"w:{role}_scale", zeros), along, f"t:{role}", shape))
        operands = tuple(o.replace("w:", "t:", 1) if isinstance(o, str) else o for o in layer.operands)
        return (*forms, Form(layer.op_type, operands, layer.attributes))


@dataclass(frozen=True, slots=True)
class DequantizedConv(_Dequantized):
    """A convolution on dequantised weights."""

    kind: ClassVar[str] = "DequantizedConv"


@dataclass(frozen=True, slots=True)
class DequantizedGemm(_Dequantized):
    """A dense layer on dequantised weights."""

    kind: ClassVar[str] = "DequantizedGemm"
