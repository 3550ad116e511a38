"""Tensors one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Axis, Size, plus, strided
from onnxconv.ops.protocol import POINT, UNKNOWN, Footprint, Form, Operator, Shape, Step, shape_text

__all__ = ["Concat"]


@dataclass(frozen=True, slots=True)
class Concat(Operator):
    """The inputs one after the other along `axis` (1: channels)."""

    kind: ClassVar[str] = "Concat"
    axis: int = 1

    def out_shape(self, *xs: Shape) -> Shape:
        first = xs[0]
        if not 0 <= self.axis < len(first):
            raise Refusal(
                "axis",
                f"concat along axis {self.axis} of {shape_text(first)}",
                f"axes are counted from 0 to {len(first) - 1}",
                "use axis 1 for the channels",
                "axis",
            )
        for x in xs[1:]:
            differing = [i for i, (a, b) in enumerate(zip(first, x, strict=False)) if a != b and i != self.axis]
            if len(x) != len(first) or differing:
                axis = (
                    f"axis {differing[0]}: {first[differing[0]]} and {x[differing[0]]}"
                    if differing
                    else "the number of axes"
                )
                raise Refusal(
                    "join-shape",
                    f"cannot concatenate {shape_text(first)} and {shape_text(x)}: they differ in {axis}",
                    f"to concatenate along axis {self.axis}, all other sizes must be equal",
                    "match the strides and pads of the branches",
                )
        return (*first[: self.axis], plus(x[self.axis] for x in xs), *first[self.axis + 1 :])

    def define(self, *xs: Array, **w: Array) -> Array:
        return np.concatenate(xs, axis=self.axis)

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Its own position; along the axis of concatenation, that position less the sizes of the inputs before."""
        sizes = [x[self.axis] for x in xs]
        return tuple(
            tuple(_placed(sizes[:i], sizes[i + 1 :]) if axis == self.axis else POINT for axis in range(len(x)))
            for i, x in enumerate(xs)
        )

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Concat", tuple(f"x{i}" for i in range(len(xs))), {"axis": self.axis}),)


def _placed(before: Sequence[Size], after: Sequence[Size]) -> Step:
    """What an output of a concatenation sees of one part. Where that begins at a symbolic size, nobody knows."""
    begin, end = plus(before), plus(after)
    if isinstance(begin, str):
        return UNKNOWN
    return Axis(1, pad=(begin, end)) if isinstance(end, int) else strided(-begin)
