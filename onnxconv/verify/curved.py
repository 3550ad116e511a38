"""How far functions of one number, and softmax, may lie apart, given how far their inputs may: by intervals.

A function that rises or falls throughout takes its extremes at the ends of an interval, one of two such arguments at the
corners of a rectangle. Ends are moved outwards by a last bit, so that adding the error has not rounded it away.
"""

from __future__ import annotations

import itertools
from functools import reduce

import numpy as np

from onnxconv.verify.rounding import bound
from onnxconv.verify.step import Step
from onnxconv.verify.words import Array

__all__ = ["bounded", "clipped", "leaky", "monotone", "one_branch", "rectified", "softmax", "steep"]


def _ends(value: Array, error: Array) -> tuple[Array, Array]:
    low, high = np.nextafter(value - error, -np.inf), np.nextafter(value + error, np.inf)
    return np.where(error > 0, low, value), np.where(error > 0, high, value)


def _at_corners(s: Step) -> Array:
    """The largest change at a corner of what the inputs may be."""
    ends = [_ends(v, e) for v, e in zip(s.values, s.errors, strict=True)]
    return reduce(np.maximum, (np.abs(s.through(*corner) - s.y) for corner in itertools.product(*ends)))


def rectified(s: Step) -> Array:
    return np.where(s.values[0] + s.errors[0] < 0, 0, s.errors[0])


def clipped(s: Step) -> Array:
    """Nothing beyond the limits, which are rounded to the data type."""
    return np.minimum(_at_corners(s), s.errors[0]) + bound(s.dtype, 1, np.abs(s.y))


def leaky(s: Step) -> Array:
    """The steeper of two lines."""
    slopes = s.w["weight"] if "weight" in s.w else np.array(float(getattr(s.op, "slope", 1.0)))
    steepest = max(1.0, float(np.abs(slopes).max()))
    return steepest * s.errors[0] + s.own(steepest * s.xs[0].terms + steepest * s.errors[0])


def bounded(s: Step) -> Array:
    """A curve between −1 and 1, which errs relative to 1."""
    return _at_corners(s) + s.own(np.ones_like(s.y))


def monotone(s: Step) -> Array:
    """What errs relative to its terms: α and eˣ of an ELU, αx and β of a hard sigmoid, 1 and x of softplus."""
    reach = s.partial[0]
    match s.op.kind:
        case "Elu":
            largest = np.maximum(2 * abs(float(s.op.alpha)), reach)
            if s.op.alpha < 0:  # it falls to 0, and rises from there
                return max(1.0, abs(float(s.op.alpha))) * s.errors[0] + s.own(largest)
        case "HardSigmoid":
            largest = np.full_like(s.y, 1 + 2 * abs(float(s.op.beta)))
        case _:
            largest = 2 + reach
    return _at_corners(s) + s.own(largest)


STEEPEST = {"Silu": 1.1, "Gelu": 1.13, "Mish": 1.1, "HardSwish": 1.5}
"""The largest slopes, at 2.4, 1.41, 1.49 and 3."""
FLAT = ((-3.0, 0.1), (-10.0, 5e-4), (-20.0, 5e-8))
"""Below these |slope| is smaller than that: 0.088 and 0.093 for SiLU and Mish at −3, then at most (|x| + 1)·eˣ; GELU's falls faster."""
STRAIGHT = ((20.0, 1 + 5e-8), (50.0, 1.0))
"""Above these the slopes are at most that; at 50 they differ from 1 by less than float64 tells apart, 50·e^-50 < 2^-66."""


def steep(s: Step) -> Array:
    """The largest slope between x − error and x + error of a curve that is close to 0 or x far from 0."""
    x, error = s.values[0], s.errors[0]
    slope = np.full_like(x, STEEPEST[s.op.kind])
    for limit, flat in FLAT:
        slope[x + error < limit] = flat
    for limit, straight in STRAIGHT:
        slope[x - error > limit] = straight
    reach = s.partial[0]
    return slope * error + s.own(2 * reach if s.op.kind == "HardSwish" else reach)


def one_branch(s: Step) -> Array:
    """Roots, powers, quotients: where the inputs stay on one side of a pole, and a base above 0.

    A base may also cross 0 under a fixed whole exponent p ≥ 1: |x|^p grows by no less than e^p up to |x| + e.
    """
    moved = np.where(_known(s), _at_corners(s), np.inf)
    return moved + s.own(np.abs(s.y) + moved)


def _known(s: Step) -> Array:
    away: Array = np.abs(s.values[-1]) > s.errors[-1]
    if s.op.kind in ("Reciprocal", "Div"):
        return away
    if s.op.kind == "Pow":
        (base, exponent), (wrong, unsure) = s.values, s.errors
        whole = (unsure == 0) & (exponent >= 1) & (exponent == np.floor(exponent))
        known: Array = whole | (base > wrong)
        return known
    return np.ones_like(away)


def softmax(s: Step) -> Array:
    """y_i rises with x_i and falls with every other x_j: with t = x − max x and errors e it lies between

        e^(t_i − e_i) ÷ (e^(t_i − e_i) + Σ_{j≠i} e^(t_j + e_j))   and the same with all signs of e changed.

    However large the errors, it is between 0 and 1. A sum without one of its terms is computed as a difference, which is
    moved to the safe side by (n + 2)·2^-52 of the sum, its own rounding. The runtime errs relative to y·(1 + |x − max x|).
    """
    (x,), axis, n = s.xs, s.op.axis, s.y.shape[s.op.axis]
    error = x.slack()
    away = x.value - x.value.max(axis=axis, keepdims=True)
    least, most = np.exp(away - error), np.exp(np.minimum(away + error, 700.0))

    def others(powers: Array, side: int) -> Array:
        total = powers.sum(axis=axis, keepdims=True)
        rest: Array = np.maximum(total - powers + side * (n + 2) * 2.0**-52 * total, 0)
        return rest

    upper, lower = most / (most + others(least, -1)), least / (least + others(most, 1))
    widest = -away.min(axis=axis, keepdims=True) + 4 * error.max(axis=axis, keepdims=True)
    found: Array = np.maximum(upper - s.y, s.y - lower) + s.own(upper * (1 - away + widest))
    return found
