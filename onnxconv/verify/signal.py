"""A tensor on its way through a routed network: its values, and what is known about their exactness."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.verify.words import Array

__all__ = ["Pairs", "Signal", "channels", "exact_sum", "grid_of", "hole", "per_channel", "scaled", "spread", "varies"]

SAMPLES = 509
"""Elements of a channel that quartiles are taken from; a prime, to fall into no pattern of rows."""
DEAD = -1100
"""The grid of zeros: they are multiples of anything."""
MOST = 1023
"""The largest power of two that is a number."""


@dataclass(frozen=True)
class Pairs:
    """Elements 2i and 2i + 1 along `axis` are each other's negatives; `apart`: how far their sum may be from 0."""

    axis: int
    apart: Array


@dataclass(frozen=True)
class Signal:
    """`value` in float64, multiples of 2^-grid. `terms`: Σ|terms| of each element since the last activation or pool.

    Between activations an optimiser may regroup sums (a batch norm or an addition fused into a convolution), and
    `terms` bounds all partial sums of all groupings. `error`: how far a runtime may be off; None: not at all. Infinite
    where `value` is 0: a hole, of which nothing is known. `pairs`: of
    each channel and its neighbour along an axis, how far their sum may be from 0; None: they do not mirror each other.
    `closed`: channels that no filter is to read; None where all are open.
    """

    value: Array
    grid: int
    terms: Array
    error: Array | None = None
    pairs: Pairs | None = None
    closed: Array | None = None

    def slack(self) -> Array:
        return np.zeros_like(self.value) if self.error is None else self.error

    @property
    def exact_but_for_holes(self) -> bool:
        if self.error is None:
            return True
        holes = np.isinf(self.error)
        return bool(holes.any() and not self.value[holes].any() and not self.error[~holes].any())


def hole(shape: tuple[int, ...]) -> Signal:
    """A tensor of which nothing is known."""
    return Signal(np.zeros(shape), DEAD, np.zeros(shape), np.full(shape, np.inf))


def grid_of(values: Array) -> int:
    """The smallest g for which all values are multiples of 2^-g; negative where all are even, and so on."""
    fraction, exponent = np.frexp(values[(values != 0) & np.isfinite(values)].astype(np.float64))
    if not fraction.size:
        return DEAD
    whole = np.abs(np.ldexp(fraction, 53)).astype(np.int64)
    zeros = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return int((53 - exponent - zeros).max())


def exact_sum(terms: Array, grid: int, dtype: str) -> bool:
    """Σ|terms| ≤ 2^(p − grid), and nothing subnormal: no partial sum in any order is rounded."""
    of = DTYPES[dtype]
    most = np.ldexp(1.0, min(of.significand - grid, MOST))
    return grid <= -math.log2(of.normal) and bool(terms.max() <= most)


def channels(shape: tuple[int, ...]) -> int:
    """Channels of a tensor; one without an axis for them counts as one channel."""
    return shape[1] if len(shape) > 1 else 1


def per_channel(values: Array, rank: int) -> Array:
    """values[C] shaped to broadcast over a tensor of `rank` axes, whose channels are axis 1."""
    return values.reshape(-1, *[1] * (rank - 2))


def varies(y: Signal) -> Array:
    """Of each channel, whether it has more than one value, so far apart that no error could blur them."""
    axes = (0, *range(2, y.value.ndim))
    slack = y.slack()
    known = np.isfinite(slack)
    low, high = np.where(known, y.value, np.inf).min(axis=axes), np.where(known, y.value, -np.inf).max(axis=axes)
    found: Array = np.atleast_1d(high - low > np.where(known, slack, 0).max(axis=axes))
    return found


def spread(value: Array) -> Array:
    """[5, C]: of each channel the smallest value, the quartiles of evenly spaced elements, and the largest value."""
    rows = np.moveaxis(value, 1, 0).reshape(value.shape[1], -1)
    some = np.sort(rows[:, :: max(1, rows.shape[1] // SAMPLES)], axis=1)
    quartiles = [some[:, q * (some.shape[1] - 1) // 4] for q in (1, 2, 3)]
    return np.stack([rows.min(axis=1), *quartiles, rows.max(axis=1)])


def scaled(spread: Array, factor: Array) -> Array:
    """The spread of a channel times its factor."""
    return np.sort(spread * factor, axis=0)
