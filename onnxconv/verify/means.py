"""Averages that do not round: over 2^k numbers, and of whole multiples of what they divide by, in whatever way they divide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import lcm
from typing import Any

import numpy as np

from onnxconv.dtypes import DTYPES, rounded
from onnxconv.execute import apply
from onnxconv.graph import Node
from onnxconv.verify.signal import Signal, exact_sum
from onnxconv.verify.words import Array

__all__ = ["MEANS", "divisors", "mean", "odd_part"]

MEANS = ("AveragePool", "GlobalAveragePool", "ReduceMean")
ROUNDING = 1 << 20
"""The grid of numbers that were rounded: finer than any sum could hold."""


def divisors(node: Node, shape: tuple[int, ...]) -> frozenset[int]:
    """All that an average over an input of this shape divides by: less at the borders, where padding does not count."""
    op: Any = node.op
    n = int(op.roundings(shape)) - 1
    if getattr(op, "count_include_pad", True) or not any(any(axis.pad) for axis in op.window):
        return frozenset({n})
    counting = replace(node, op=replace(op, count_include_pad=True))
    share = apply(counting, [np.ones((1, 1, *shape[2:]))], {})
    return frozenset(max(1, int(count)) for count in np.unique(np.rint(share * n)))


def odd_part(numbers: Iterable[int]) -> int:
    """The least odd number that all numbers divide but for powers of two."""
    return lcm(*(n // (n & -n) for n in numbers))


def mean(node: Node, x: Signal, y: Array) -> Signal:
    """The averages y of x. Their grid is finer than their terms' by the powers of two in the count; `ROUNDING` where they round.

    Σ|x|, which is odd · 2^k times the mean, must fit the significand as well as Σ|x / n|.
    """
    dtype, found = node.type.dtype, divisors(node, x.value.shape)
    terms = apply(node, [x.terms], {})
    odd, grid = odd_part(found), x.grid + max((n & -n).bit_length() - 1 for n in found)
    exact = odd == 1 or (
        DTYPES[dtype].family == "float" and exact_sum(odd * terms, grid, dtype) and _every_way(x.value, y, found, dtype)
    )
    return Signal(y, grid if exact else ROUNDING, terms)


def _every_way(x: Array, y: Array, found: frozenset[int], dtype: str) -> bool:
    """The sum of all x ÷ n, that sum · (1 / n), and the sum of all x · (1 / n) are one number. So are quotients along one axis
    after the other. (Products with rounded reciprocals along one axis after the other may differ: 21 · (1 / 7) is not 3.)
    """
    return all(_divides(x, n, dtype) and _divides(y * n, n, dtype) for n in found)


def _divides(x: Array, n: int, dtype: str) -> bool:
    """x / n are numbers of the data type, and x · (1 / n) with a rounded 1 / n rounds to them. Products have 2p bits at most."""
    inverse = float(rounded(np.array(1 / n), dtype))
    quotient = rounded(x * inverse, dtype).astype(np.float64)
    return bool((quotient * n == x).all())
