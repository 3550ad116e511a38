"""Broadcasting as NumPy does it: shapes are aligned from behind, and a size of 1 stands for any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from onnxconv.errors import Refusal
from onnxconv.geometry import Size
from onnxconv.ops.protocol import BROADCAST, POINT, Footprint, Form, Operator, Shape, Step, To, shape_text

__all__ = ["Elementwise", "aligned", "broadcast", "chain", "seen_through"]


class Elementwise(Operator):
    """An operator on corresponding positions of its inputs, which are broadcast."""

    __slots__ = ()

    verb: ClassVar[str] = "join"
    """What it does, in messages."""

    def out_shape(self, *xs: Shape) -> Shape:
        return broadcast(self.verb, *xs)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        y = self.out_shape(*xs)
        return tuple(seen_through(x, y) for x in xs)


def broadcast(verb: str, *xs: Shape) -> Shape:
    """The common shape of all. Raises `Refusal` where sizes differ and neither is 1."""
    y = xs[0]
    for x in xs[1:]:
        rank = max(len(x), len(y))
        pairs = tuple(zip(aligned(y, rank), aligned(x, rank), strict=True))
        for axis, (a, b) in enumerate(pairs):
            if a != b and 1 not in (a, b):
                raise Refusal(
                    "join-shape",
                    f"cannot {verb} {shape_text(y)} and {shape_text(x)}: they differ in axis {axis}: {a} and {b}",
                    f"to {verb} tensors, their sizes must be equal, or 1, counted from the last axis",
                    "match the filters, strides and pads of the branches",
                )
        y = tuple(b if a == 1 else a for a, b in pairs)
    return y


def aligned(x: Shape, rank: int) -> Shape:
    """The shape with axes of size 1 before it, `rank` in all."""
    return (1,) * (rank - len(x)) + x


def seen_through(x: Shape, y: Shape) -> Footprint:
    """What an output position sees of an input that is broadcast to y: its own position, or the only one there is."""
    shift = len(y) - len(x)

    def step(axis: int, n: Size) -> Step | To:
        found = BROADCAST if n == 1 != y[axis + shift] else POINT
        return To(axis + shift, found) if shift else found

    return tuple(step(axis, n) for axis, n in enumerate(x))


def chain(op_type: str, xs: Sequence[Shape]) -> Sequence[Form]:
    """Nodes of two operands each, from the left."""
    if len(xs) == 1:
        return (Form("Identity", ("x0",), {}),)
    forms: list[Form] = []
    left = "x0"
    for i in range(1, len(xs)):
        output = "y" if i == len(xs) - 1 else f"t:{op_type.lower()}{i}"
        forms.append(Form(op_type, (left, f"x{i}"), {}, output, broadcast("join", *xs[: i + 1])))
        left = output
    return forms
