"""The operator that changes the data type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.dtypes import DTYPES, rounded
from onnxconv.errors import Refusal, closest
from onnxconv.geometry import Array
from onnxconv.ops.protocol import Form, Operator, Shape

__all__ = ["Cast"]

_NUMBERS = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "uint32": 12,
    "bfloat16": 16,
}
"""The data types as ONNX numbers them (TensorProto.DataType)."""


@dataclass(frozen=True, slots=True)
class Cast(Operator):
    """x in the data type `to`: rounded to nearest between floats, towards 0 to integers, not 0 to bool.

    What an integer type cannot hold is undefined (ONNX, Cast).
    """

    kind: ClassVar[str] = "Cast"
    to: str

    def out_shape(self, *xs: Shape) -> Shape:
        if self.to not in DTYPES:
            why = f"data types are {', '.join(DTYPES)}"
            raise Refusal("dtype", f"a cast to {self.to!r}", why, closest(self.to, DTYPES), "to")
        return xs[0]

    def out_dtype(self, *dtypes: str) -> str:
        return self.to

    def define(self, *xs: Array, **w: Array) -> Array:
        return rounded(xs[0], self.to)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Cast", ("x0",), {"to": _NUMBERS[self.to]}),)
