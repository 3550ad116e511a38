"""Operators for tests that move axes and positions, of the simplest definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from onnxconv.geometry import Array, Field
from onnxconv.ops import POINT, Footprint, Operator, Shape, To


class Moving(Operator):
    """Moves values, and neither makes nor rounds any."""

    __slots__ = ()
    kind: ClassVar[str] = "Moving"

    def out_shape(self, *xs: Shape) -> Shape:
        return tuple(self.define(*(np.zeros(tuple(map(int, x)), np.int8) for x in xs)).shape)

    def roundings(self, *xs: Shape) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Turn(Moving):
    """Output axis i is input axis order[i]."""

    order: tuple[int, ...]

    def define(self, *xs: Array, **w: Array) -> Array:
        return xs[0].transpose(self.order)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return (tuple(To(self.order.index(axis)) for axis in range(len(self.order))),)


@dataclass(frozen=True, slots=True)
class Widen(Moving):
    """An axis of length 1 before axis `at`."""

    at: int

    def define(self, *xs: Array, **w: Array) -> Array:
        return np.expand_dims(xs[0], self.at)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return (tuple(To(axis + (axis >= self.at)) for axis in range(len(xs[0]))),)


@dataclass(frozen=True, slots=True)
class Take(Moving):
    """The position `index` of axis `at`, which goes away."""

    at: int
    index: int

    def define(self, *xs: Array, **w: Array) -> Array:
        return xs[0].take(self.index, self.at)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        taken = To(None, Field(0, ((self.index, 1),)))
        return (tuple(taken if axis == self.at else To(axis - (axis > self.at)) for axis in range(len(xs[0]))),)


@dataclass(frozen=True, slots=True)
class Repeat(Moving):
    """Every position of axis `at`, `times` times."""

    at: int
    times: int

    def define(self, *xs: Array, **w: Array) -> Array:
        return xs[0].repeat(self.times, self.at)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        family = Field(1, ((0, 1),) * self.times)
        return (tuple(family if axis == self.at else POINT for axis in range(len(xs[0]))),)
