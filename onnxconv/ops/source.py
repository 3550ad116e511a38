"""Tensors that no computation of ours gives: constants, and what an operator that is not understood puts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.protocol import UNKNOWN, Footprint, Form, Operator, Shape, To, Work

__all__ = ["Constant", "Opaque"]


@dataclass(frozen=True, slots=True)
class Constant(Operator):
    """y = its weight "value". No inputs; in an ONNX model it is an initializer, not a node."""

    kind: ClassVar[str] = "Constant"
    shape: tuple[int, ...]

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        return {"value": self.shape}

    def out_shape(self, *xs: Shape) -> Shape:
        return self.shape

    def define(self, *xs: Array, **w: Array) -> Array:
        return w["value"]

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.abs(w["value"])
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return ()


@dataclass(frozen=True, slots=True)
class Opaque(Operator):
    """One output of an ONNX node that is not understood, of a shape that is known nevertheless.

    `op_type` and `domain` name the node's operator, `reason` says what is not understood. What it sees is unknown, and it
    cannot be executed or emitted: both raise `Refusal`.
    """

    kind: ClassVar[str] = "Opaque"
    op_type: str
    shape: Shape
    domain: str = ""
    reason: str = "it is not known"
    weights: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Shapes of the constants among its inputs, by the role they are listed under."""
    dtype: str = "float32"

    @property
    def called(self) -> str:
        return f"{self.domain}.{self.op_type}" if self.domain else self.op_type

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        return dict(self.weights)

    def out_shape(self, *xs: Shape) -> Shape:
        return self.shape

    def out_dtype(self, *dtypes: str) -> str:
        return self.dtype

    def define(self, *xs: Array, **w: Array) -> Array:
        raise self._refusal("executed")

    def roundings(self, *xs: Shape) -> int:
        raise self._refusal("executed")

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return tuple((To(None, UNKNOWN),) * len(x) for x in xs)

    def work(self, *xs: Shape) -> Work:
        raise self._refusal("counted")

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        raise self._refusal("written")

    def _refusal(self, verb: str) -> Refusal:
        why = "operators that are not understood are reported, and nothing more"
        return Refusal("not-understood", f"{self.called} cannot be {verb}: {self.reason}", why)
