"""Products of two tensors as matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.broadcast import broadcast, seen_through
from onnxconv.ops.protocol import WHOLE_AXIS, Footprint, Form, Operator, Shape, Step, To, Work, fixed, shape_text

__all__ = ["MatMul"]


@dataclass(frozen=True, slots=True)
class MatMul(Operator):
    """y[*B, M, N] = a[*B, M, K] · b[*B, K, N], the axes *B broadcast. An a[K] is a row and a b[K] a column, which y lacks."""

    kind: ClassVar[str] = "MatMul"

    def out_shape(self, *xs: Shape) -> Shape:
        a, b = xs
        inner = b[-2] if len(b) > 1 else b[0] if b else ""
        if not a or not b or a[-1] != inner:
            raise Refusal(
                "matmul-shape",
                f"cannot multiply {shape_text(a)} by {shape_text(b)}: {a[-1] if a else 1} columns and {inner or 1} rows",
                "the last size of the first tensor is the last but one of the second",
                "transpose one of them",
            )
        outer = broadcast("multiply", a[:-2], b[:-2])
        return (*outer, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array = np.matmul(*xs)
        return y

    def roundings(self, *xs: Shape) -> int:
        """K products, K − 1 additions: each product meets at most K of them."""
        return fixed(xs[0][-1], "the number of columns")

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        a, b = xs
        y = self.out_shape(a, b)
        rows, columns = int(len(a) > 1), int(len(b) > 1)
        outer = y[: len(y) - rows - columns]
        whole = To(None, WHOLE_AXIS)
        of_a: tuple[Step | To, ...] = (To(len(outer)),) if rows else ()
        of_b: tuple[Step | To, ...] = (To(len(y) - 1),) if columns else ()
        return (*seen_through(a[:-2], outer), *of_a, whole), (*seen_through(b[:-2], outer), whole, *of_b)

    def work(self, *xs: Shape) -> Work:
        """The first axis counts as the batch."""
        a, b = xs
        sizes = [fixed(n, "a size to multiply") for n in self.out_shape(a, b)[1:]]
        macs = math.prod(sizes) * fixed(a[-1], "the number of columns")
        return Work(macs, macs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("MatMul", ("x0", "x1"), {}),)
