"""Operators that cut the same row of numbers into other axes: reshape and flatten."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from onnxconv.errors import Refusal
from onnxconv.geometry import MOST_PHASES, Array, Size, blocks, cycled, differ, divided, product, repeated
from onnxconv.ops.layout import along
from onnxconv.ops.protocol import (
    POINT,
    UNKNOWN,
    WHOLE_AXIS,
    Footprint,
    Form,
    Operator,
    Shape,
    Step,
    To,
    shape_text,
)
from onnxconv.ops.sizes import measured, unseen, vector

__all__ = ["Flatten", "Reshape"]


@dataclass(frozen=True, slots=True)
class Reshape(Operator):
    """The numbers of x, in order, as a tensor of another shape: 0 keeps the size of that axis, -1 takes what is left.

    A size may be a formula over those of x and of further inputs, see `onnxconv.ops.sizes`. With `zeros` 0 is a size, too.
    """

    kind: ClassVar[str] = "Reshape"
    shape: Shape
    zeros: bool = False

    def out_shape(self, *xs: Shape) -> Shape:
        x, asked = xs[0], measured(self.shape, xs)
        least = min((n for n in asked if isinstance(n, int)), default=1)
        beyond = {0, -1}.issubset(asked) if self.zeros else 0 in asked[len(x) :]
        if asked.count(-1) > 1 or least < -1 or beyond:
            raise self._refusal(x, "a shape has sizes, 0 for that of the same axis of the input, and at most one -1")
        sizes: list[Size] = [x[axis] if n == 0 and not self.zeros else n for axis, n in enumerate(asked)]
        if -1 in sizes:
            left = divided(x, (n for n in sizes if n != -1))
            if left is None or (left == 0 and 0 not in x):
                raise self._refusal(x, "the sizes that are given must divide the number of elements")
            sizes[sizes.index(-1)] = left
        if differ(product(x), product(sizes)):
            raise self._refusal(x, "the number of elements stays the same")
        return tuple(sizes)

    def _refusal(self, x: Shape, why: str) -> Refusal:
        fix = "write -1 for one size, which then follows from the others"
        return Refusal("reshape", f"a reshape of {shape_text(x)} to {shape_text(self.shape)}", why, fix, "shape")

    def out_dtype(self, *dtypes: str) -> str:
        return dtypes[0]

    def define(self, *xs: Array, **w: Array) -> Array:
        return xs[0].reshape([int(n) for n in self.out_shape(*(x.shape for x in xs))])

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return (recut(xs[0], self.out_shape(*xs)), *unseen(xs[1:]))

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        before, shape = vector(self.shape, xs)
        if self.zeros and opset < 14:
            what = f"a reshape of {shape_text(xs[0])} to {shape_text(self.shape)}"
            raise Refusal("opset", what, "Reshape takes sizes of 0 since opset 14", "build with --opset 14 or later")
        return (*before, Form("Reshape", ("x0", shape), {"allowzero": 1} if self.zeros else {}))


@dataclass(frozen=True, slots=True)
class Flatten(Operator):
    """x → y[∏ of the sizes before `axis`, ∏ of those from it on]; with axis 1, [N, C, *S] → [N, C·∏S]."""

    kind: ClassVar[str] = "Flatten"
    axis: int = 1

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if not 0 <= self.axis <= len(x):
            raise Refusal(
                "axis",
                f"flatten from axis {self.axis} of {shape_text(x)}",
                f"axes are counted from 0 to {len(x)}",
                "use axis 1 to keep the batch",
                "axis",
            )
        before, after = divided(x[: self.axis], ()), divided(x[self.axis :], ())
        assert before is not None, "nothing is divided"
        assert after is not None, "nothing is divided"
        return before, after

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        rows, columns = self.out_shape(x.shape)
        return x.reshape(int(rows), int(columns))

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Features are taken together where they come from one image."""
        (x,) = xs
        if self.axis == 1:
            return ((POINT, *(To(None, WHOLE_AXIS),) * (len(x) - 1)),)
        return (recut(x, self.out_shape(x)),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("Flatten", ("x0",), {"axis": self.axis}),)


def recut(x: Shape, y: Shape) -> Footprint:
    """What an output sees of each axis of x when its numbers, in order, become a tensor of shape y.

    Axes merged into one: the outermost stays for as many outputs as the others have positions, the inner ones come round
    again and again. An axis split into several: each position of the outermost of them has a block of it, of which it
    may see less, since the position along the inner ones tells which part. Where axes are both split and merged,
    anything may be seen, and nothing of what has no elements.
    """
    if 0 in x:
        return (To(None, UNKNOWN),) * len(x)
    entries: list[Step | To] = [To(None, POINT)] * len(x)
    for ins, outs in _groups(x, y):
        if len(ins) == 1 and len(outs) == 1:
            entries[ins[0]] = along(ins[0], outs[0])
        elif len(outs) == 1:
            for at, axis in enumerate(ins):
                entries[axis] = along(axis, outs[0], _merged(x, ins, at))
        elif len(ins) == 1:
            entries[ins[0]] = _split(ins[0], outs, y)
        else:
            for axis in ins:
                entries[axis] = To(None, UNKNOWN)
    return tuple(entries)


def _merged(x: Shape, ins: Sequence[int], at: int) -> Step:
    inner = divided((x[axis] for axis in ins[at + 1 :]), ())
    if not isinstance(inner, int) or inner > MOST_PHASES:
        return UNKNOWN
    n = x[ins[at]]
    if at == 0:
        return repeated(inner)
    return cycled(n, inner) if isinstance(n, int) and n * inner <= MOST_PHASES else UNKNOWN


def _split(axis: int, outs: Sequence[int], y: Shape) -> Step | To:
    inner = divided((y[out] for out in outs[1:]), ())
    if not isinstance(inner, int) or inner > MOST_PHASES:
        return To(None, UNKNOWN)
    return along(axis, outs[0], blocks(inner), exact=False)


def _groups(x: Shape, y: Shape) -> Iterator[tuple[list[int], list[int]]]:
    """The shortest runs of axes of x and of y, those of size 1 left out, that have the same elements."""
    ins, outs = ([axis for axis, n in enumerate(shape) if n != 1] for shape in (x, y))
    cuts = [
        (i, j)
        for i in range(len(ins) + 1)
        for j in range(len(outs) + 1)
        if _elements(x, ins[:i]) == _elements(y, outs[:j]) or _elements(x, ins[i:]) == _elements(y, outs[j:])
    ]
    for (i, j), (k, m) in pairwise(sorted({(0, 0), *cuts, (len(ins), len(outs))})):
        yield ins[i:k], outs[j:m]


def _elements(shape: Shape, axes: Sequence[int]) -> tuple[list[str], int]:
    symbols = sorted(n for axis in axes if isinstance(n := shape[axis], str))
    return symbols, math.prod(n for axis in axes if isinstance(n := shape[axis], int))
