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

from onnxconv.deferred import np
from onnxconv.geometry.fields import MOST_PHASES
from onnxconv.geometry.reach import Field
from onnxconv.geometry.size import Size, floor_div, times
from onnxconv.geometry.taps import Array

__all__ = [
    "COORDINATES",
    "NEAREST",
    "RESIZE_MODES",
    "Computed",
    "Line",
    "Sampling",
    "line",
    "rational",
    "resized",
    "sampled_field",
]

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
EXACT = 2**53
"""Whole numbers below are float64 numbers."""
Scale: TypeAlias = tuple[int, int]
"""A rational number: numerator and denominator, without common divisors."""


@dataclass(frozen=True, slots=True)
class Line:
    """Output o lies at position o·step + first of the input."""

    step: Fraction
    first: Fraction

    def at(self, out: int) -> Fraction:
        return out * self.step + self.first

    def over(self, outs: int) -> tuple[Array, int]:
        """(numerators [outs], the denominator) of where the outputs lie: whole numbers, however large."""
        below = math.lcm(self.step.denominator, self.first.denominator)
        step, first = int(self.step * below), int(self.first * below)
        small = 4 * (outs * abs(step) + abs(first) + 8 * below) < EXACT
        return np.arange(outs).astype(np.int64 if small else object) * step + first, below


FLOAT32 = Fraction(8, 1 << 24)
"""How far a position computed in float32 may lie from where it belongs, relative to the terms that it is the sum of: 8
roundings, of the scale, a quotient or a product with its reciprocal, and of the sums of up to three terms."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A line as float32 may have it: all outputs at the lower ends (`side` −1) or the upper ones (1) of where they may lie.

    `terms`: what cancels in `first`, in all.
    """

    line: Line
    terms: Fraction
    side: int

    def over(self, outs: int) -> tuple[Array, int]:
        above, below = self.line.over(outs)
        step, first = abs(self.line.step), abs(self.line.first) + self.terms
        off = FLOAT32 * self.side
        reach = np.arange(outs).astype(object) * int(step * below) + math.ceil(first * below)
        return above.astype(object) * off.denominator + off.numerator * reach, below * off.denominator


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

    def taps(self, line: Line | Computed, outs: int, scale: Fraction) -> tuple[Array, Array]:
        """(positions, weights), [outs, taps] each: what outputs read of an endless axis. Weights of 0 read nothing."""
        above, below = line.over(outs)
        if self.mode == "nearest":
            return self._nearest(above, below)[:, None].astype(np.int64), np.ones((outs, 1))
        width = min(scale, Fraction(1)) if self.antialias else Fraction(1)
        reach = (1 if self.mode == "linear" else 2) / width
        first = above // below - math.ceil(reach) + 1
        positions = first[:, None] + np.arange(2 * math.ceil(reach))
        away = abs(positions * below - above[:, None]) * width.numerator / (below * width.denominator)
        away = away.astype(np.float64)
        weights = np.maximum(1 - away, 0) if self.mode == "linear" else self._cubic(away)
        return positions.astype(np.int64), weights / weights.sum(axis=1, keepdims=True)

    def _nearest(self, above: Array, below: int) -> Array:
        """⌈p − ½⌉, ⌊p + ½⌋, ⌊p⌋ or ⌈p⌉."""
        found: Array
        match self.nearest:
            case "round_prefer_floor":
                found = -((below - 2 * above) // (2 * below))
            case "round_prefer_ceil":
                found = (2 * above + below) // (2 * below)
            case "floor":
                found = above // below
            case _:
                found = -(-above // below)
        return found

    def _cubic(self, x: Array) -> Array:
        """Keys' polynomials, factored so that they are 0 at 1 and at 2 exactly."""
        near, far = (1 - x) * (1 + x - (self.a + 2) * x**2), self.a * (x - 1) * (x - 2) ** 2
        found: Array = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
        return found

    def reads(self, line: Line | Computed, outs: int, scale: Fraction, n: int) -> tuple[Array, Array]:
        """(positions, weights), [outs, taps]: what outputs read of n pixels; beyond the ends the end, or nothing."""
        positions, weights = self.taps(line, outs, scale)
        if not self.outside:
            weights = np.where((positions >= 0) & (positions < n), weights, 0.0)
            weights /= weights.sum(axis=1, keepdims=True)
        return np.clip(positions, 0, n - 1), weights


def rational(scale: float) -> Scale:
    """The simplest fraction with a denominator of at most 1000 that a float32 holds as this one, or the float32 itself.

    A third, stored as a float32, is meant as a third.
    """
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
    if phases > MOST_PHASES or (sampling.antialias and 1 / scale > MOST_PHASES):
        return None
    positions, weights = sampling.taps(line, phases, scale)
    return Field(line.step.numerator, tuple(map(_set, positions.tolist(), (weights != 0).tolist())))


def _set(positions: Sequence[int], read: Sequence[bool]) -> tuple[int, int]:
    seen = [at for at, reads in zip(positions, read, strict=True) if reads]
    return seen[0], sum(1 << (at - seen[0]) for at in seen)
