"""Comparisons of arrays. Nothing passes for want of elements, and NaN equals nothing but an expected NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from onnxconv.dtypes import numpy_dtype
from onnxconv.verify.picture import ErrorMap
from onnxconv.verify.words import Array

__all__ = ["Comparison", "merge", "outputs_differ", "within"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far one array is from what is expected of it. `worst`: index of the element that is furthest beyond its bound.

    `unjudged`: elements whose bound is not finite, so that nothing could be wrong with them. `shape`: that of the array
    with the worst element; `map`: where it is wrong, if it is and has two spatial axes.
    """

    elements: int
    mismatches: int
    unjudged: int
    max_error: float
    bound_used: float
    worst: tuple[int, ...]
    got: float
    expected: float
    bound: float
    shape: tuple[int, ...] = ()
    map: ErrorMap | None = field(default=None, compare=False)


def outputs_differ(got: Mapping[str, Array], expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> str:
    """What is wrong with the names, data types or shapes of outputs, in words; empty if nothing is.

    `expected`: (data type, shape) by name. An array without elements is wrong even where one is expected.
    """
    if missing := [name for name in expected if name not in got]:
        return f"output {missing[0]!r} is missing" + (f", and {len(missing) - 1} more" if len(missing) > 1 else "")
    if extra := sorted(name for name in got if name not in expected):
        return f"output {extra[0]!r} was not asked for"
    for name, (dtype, shape) in expected.items():
        array = got[name]
        if array.dtype != numpy_dtype(dtype):
            return f"output {name!r} is {array.dtype}, not {dtype}"
        if array.shape != shape:
            return f"output {name!r} has shape {list(array.shape)}, not {list(shape)}"
        if array.size == 0:
            return f"output {name!r} has no elements"
    return ""


def within(got: Array, expected: Array, bound: Array | float) -> Comparison:
    """Judge |got − expected| ≤ bound element by element, in float64; a bound of 0 demands equality.

    +0 and −0 are equal. NaN matches an expected NaN, an infinity only itself; else both are mismatches, unless the bound
    is not finite: then the element is not judged. Shapes are equal and not empty (`outputs_differ` has seen to it).
    """
    assert got.shape == expected.shape, "shapes were compared first"
    assert got.size, "an empty comparison proves nothing"
    if np.ndim(bound) == 0 and bound == 0 and (got == expected).all():
        value = float(got.flat[0])
        return Comparison(got.size, 0, 0, 0.0, 0.0, (0,) * got.ndim, value, value, 0.0, tuple(got.shape))
    shape = got.shape
    y, ref = np.atleast_1d(got), np.atleast_1d(expected).astype(np.float64, copy=False)
    limit = np.broadcast_to(np.asarray(bound, np.float64), shape).reshape(y.shape)
    with np.errstate(all="ignore"):
        error = np.abs(np.subtract(y, ref, dtype=np.float64))
        if error.max() < np.inf and limit.min() > 0 and limit.max() < np.inf:
            judged, ratio = None, error / limit
        else:
            judged, ratio = _ratio(y, ref, error, limit)
    farthest = ratio if ratio.max() < np.inf else np.where(np.isinf(ratio), error, -1)
    at = np.unravel_index(int(farthest.argmax()), y.shape)
    return Comparison(
        elements=y.size,
        mismatches=int((ratio > 1).sum()) if ratio[at] > 1 else 0,
        unjudged=0 if judged is None else int(y.size - judged.sum()),
        max_error=float((error if judged is None else error[judged]).max(initial=0)),
        bound_used=float(ratio[at]),
        worst=tuple(int(i) for i in at[: len(shape)]),
        got=float(y[at]),
        expected=float(ref[at]),
        bound=float(limit[at]),
        shape=tuple(shape),
        map=_map(error, ratio > 1) if ratio[at] > 1 else None,
    )


def _ratio(y: Array, ref: Array, error: Array, limit: Array) -> tuple[Array, Array]:
    """Which elements are judged, and error ÷ bound, where numbers are not finite or bounds are 0; `error` is set right."""
    error[(y == ref) | (np.isnan(y) & np.isnan(ref))] = 0
    error[np.isnan(error)] = np.inf
    judged = np.isfinite(limit)
    ratio = np.where(error == 0, 0, error / limit)  # error > 0 over a bound of 0 is infinite
    ratio[~judged] = 0
    return judged, ratio


def _map(error: Array, wrong: Array) -> ErrorMap | None:
    """Of an array of two spatial axes with something wrong in it."""
    if error.ndim != 4 or not wrong.any():
        return None
    return ErrorMap(error.max(axis=(0, 1)), np.logical_or.reduce(wrong, axis=(0, 1)))


def merge(one: Comparison | None, other: Comparison) -> Comparison:
    """Both together: counts add up, the place is that of the worse one, the first if equally bad."""
    if one is None:
        return other
    worse = other if other.bound_used > one.bound_used else one
    return Comparison(
        one.elements + other.elements,
        one.mismatches + other.mismatches,
        one.unjudged + other.unjudged,
        max(one.max_error, other.max_error),
        max(one.bound_used, other.bound_used),
        worse.worst,
        worse.got,
        worse.expected,
        worse.bound,
        worse.shape,
        worse.map,
    )


def all_same(array: Array) -> bool:
    """One value throughout: a wrong result could look right."""
    first = array.flat[0]
    return bool((array == first).all()) or bool(np.isnan(array).all()) or not math.isfinite(float(np.abs(array).max()))
