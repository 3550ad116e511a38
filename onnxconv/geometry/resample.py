"""Which positions a resized axis reads, and with which weights: ONNX's modes of Resize, in exact rational arithmetic.

Output o lies at o·step + first of the input's axis, both rational. From there the nearest position is taken, the two
around it are weighted linearly, or four by cubic convolution (R. G. Keys, IEEE ASSP 29 (6), 1981). A mode's formula is
that of the ONNX operator Resize.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from onnxconv.geometry.fields import MOST_PHASES
from onnxconv.geometry.reach import Field
from onnxconv.geometry.size import Size, floor_div, times

__all__ = ["COORDINATES", "NEAREST", "RESIZE_MODES", "Line", "Sampling", "line", "rational", "resized", "sampled_field"]

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
)
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
RESIZE_MODES = ("nearest", "linear", "cubic")

HALF = Fraction(1, 2)
Scale: TypeAlias = tuple[int, int]
"""A rational number: numerator and denominator, without common divisors."""
Weighted: TypeAlias = tuple[tuple[int, Fraction], ...]
"""Positions, ascending, each with its weight."""


@dataclass(frozen=True, slots=True)
class Line:
    """Output o lies at position o·step + first of the input."""

    step: Fraction
    first: Fraction

    def at(self, out: int) -> Fraction:
        return out * self.step + self.first


@dataclass(frozen=True, slots=True)
class Sampling:
    """How values between positions come about. `a`: the coefficient of cubic convolution.

    `outside`: positions beyond the ends count, as repeats of the end; otherwise the others' weights make up for them.
    `antialias`: where the axis shrinks, the weights are as wide as what falls together.
    """

    mode: str = "nearest"
    nearest: str = "round_prefer_floor"
    a: float = -0.75
    outside: bool = True
    antialias: bool = False

    def weights(self, position: Fraction, scale: Fraction) -> Weighted:
        """What a position reads of an endless axis; weights of 0 are left out."""
        if self.mode == "nearest":
            return ((self._nearest(position), Fraction(1)),)
        width = min(scale, Fraction(1)) if self.antialias else Fraction(1)
        reach = (1 if self.mode == "linear" else 2) / width
        low, high = math.floor(position - reach) + 1, math.ceil(position + reach)
        kernel = _linear if self.mode == "linear" else self._cubic
        found = [(at, kernel(abs(at - position) * width)) for at in range(low, high)]
        total = sum(weight for _, weight in found)
        return tuple((at, weight / total) for at, weight in found if weight)

    def _nearest(self, position: Fraction) -> int:
        match self.nearest:
            case "round_prefer_floor":
                return math.ceil(position - HALF)
            case "round_prefer_ceil":
                return math.floor(position + HALF)
            case "floor":
                return math.floor(position)
            case _:
                return math.ceil(position)

    def _cubic(self, x: Fraction) -> Fraction:
        a = Fraction(self.a)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a

    def reads(self, position: Fraction, scale: Fraction, n: int) -> Weighted:
        """What a position reads of n pixels, beyond the ends the end or nothing, as `outside` says."""
        found: dict[int, Fraction] = {}
        for at, weight in self.weights(position, scale):
            if self.outside or self.mode == "nearest" or 0 <= at < n:
                inside = min(max(at, 0), n - 1)
                found[inside] = found.get(inside, Fraction(0)) + weight
        total = sum(found.values())
        return tuple(sorted((at, weight / total) for at, weight in found.items() if weight))


def _linear(x: Fraction) -> Fraction:
    return max(1 - x, Fraction(0))


def rational(scale: float) -> Scale:
    """The simplest fraction with a denominator of at most 1000 that a float32 holds as this one, or the float32 itself.

    A third, stored as a float32, is meant as a third.
    """
    import numpy as np

    exact = Fraction(float(np.float32(scale)))
    for most in (1, 16, 128, 1000):
        near = exact.limit_denominator(most)
        if np.float32(near.numerator / near.denominator) == np.float32(scale):
            return near.numerator, near.denominator
    return exact.numerator, exact.denominator


def resized(n: Size, scale: Scale) -> Size:
    """⌊n · scale⌋ positions."""
    return floor_div(times(n, scale[0]), scale[1])


def line(n: Size, out: Size, scale: Fraction, coordinates: str, roi: tuple[float, float] = (0.0, 1.0)) -> Line | None:
    """Where the outputs lie. None where that depends on a size that is a symbol."""
    known = isinstance(n, int) and isinstance(out, int)
    match coordinates:
        case "half_pixel":
            return Line(1 / scale, HALF / scale - HALF)
        case "asymmetric":
            return Line(1 / scale, Fraction(0))
        case "tf_half_pixel_for_nn":
            return Line(1 / scale, HALF / scale)
        case "pytorch_half_pixel":
            return Line(Fraction(0), Fraction(0)) if out == 1 else Line(1 / scale, HALF / scale - HALF)
        case "half_pixel_symmetric" if known:
            # The pixels that rounding the size down cuts off are cut off at both ends.
            cut = Fraction(int(n), 2) * (1 - int(out) / (scale * int(n)))
            return Line(1 / scale, cut + HALF / scale - HALF)
        case "align_corners" if known:
            return Line(Fraction(int(n) - 1, int(out) - 1) if out != 1 else Fraction(0), Fraction(0))
        case "tf_crop_and_resize" if known:
            begin, end, last = Fraction(roi[0]), Fraction(roi[1]), int(n) - 1
            if out == 1:
                return Line(Fraction(0), HALF * (begin + end) * last)
            return Line((end - begin) * last / (int(out) - 1), begin * last)
    return None


def sampled_field(line: Line, sampling: Sampling, scale: Fraction) -> Field | None:
    """What outputs see of an endless axis; None where that takes more than `MOST_PHASES` phases to say."""
    phases = line.step.denominator
    if phases > MOST_PHASES:
        return None
    sets = (_set(sampling.weights(line.at(out), scale)) for out in range(phases))
    return Field(line.step.numerator, tuple(sets))


def _set(weights: Sequence[tuple[int, Fraction]]) -> tuple[int, int]:
    first = weights[0][0]
    return first, sum(1 << (at - first) for at, _ in weights)
