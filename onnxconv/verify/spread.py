"""How far the outputs of arithmetic and of normalisations may lie apart, given how far their inputs may.

A function that rises or falls throughout takes its extremes at the ends of an interval, one of two such arguments at the
corners of a rectangle; a sum of squares or a product grows most where all its terms do. What a runtime adds by its own
rounding is its bound at the largest values that it may have read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from onnxconv.execute import apply, magnitude
from onnxconv.graph import Node
from onnxconv.verify.choice import CHOICES, error_of_choice
from onnxconv.verify.rounding import bound
from onnxconv.verify.signal import Signal
from onnxconv.verify.words import Array

__all__ = ["spread_after"]

Own = Callable[[Array], Array]
"""The bound on a runtime's own rounding, relative to a magnitude."""
VANISHING = 2.0**22
"""Roundings × cancellation beyond which nothing is known of a difference; as the operators say."""
OVERFLOWING = 2.0**126
"""A sum of squares beyond which float32 may overflow on the way."""


def spread_after(node: Node, xs: Sequence[Signal], w: Mapping[str, Array], y: Array) -> Array:
    """|runtime − reference| of the output y is at most this; infinite where nothing is known, or the kind is not."""
    with np.errstate(all="ignore"):
        found = _spread(node, xs, w, y)
        return np.where(np.isnan(found), np.inf, found)


def _spread(node: Node, xs: Sequence[Signal], w: Mapping[str, Array], y: Array) -> Array:
    values, errors = [x.value for x in xs], [x.slack() for x in xs]
    reach = [np.abs(v) + e for v, e in zip(values, errors, strict=True)]
    n = node.op.roundings(*(v.shape for v in values))

    def own(largest: Array) -> Array:
        return bound(node.type.dtype, n, np.asarray(largest))

    match node.op.kind:
        case "Constant":
            return np.zeros_like(y)
        case "Neg" | "Abs":
            return errors[0]
        case "Floor" | "Ceil" | "Round":
            return np.where(errors[0] > 0, errors[0] + 1, 0)
        case "Max" | "Min":
            return reduce(np.maximum, errors)
        case kind if kind in CHOICES:
            return error_of_choice(node, values, errors)
        case "Sub":
            added: Array = reduce(np.add, errors) + own(reduce(np.add, reach))
            return added
        case "Sqrt" | "Exp" | "Log" | "Erf" | "Reciprocal" | "Div" | "Pow":
            moved = np.where(_one_branch(node.op.kind, values, errors), _corners(node, values, errors, y), np.inf)
            return moved + own(np.abs(y) + moved)
        case "ReduceMax" | "ReduceMin":
            return np.abs(apply(node, [errors[0] if node.op.kind == "ReduceMax" else -errors[0]], {}))
        case "ReduceSum" | "ReduceMean" | "ReduceL1" | "ReduceL2":
            return apply(node, errors, {}) + own(magnitude(node, reach, {}))
        case "MatMul":
            product = apply(node, reach, {})
            return product - apply(node, [np.abs(v) for v in values], {}) + own(product)
        case "ReduceSumSquare" | "ReduceProd":
            return apply(node, reach, {}) - np.abs(y) + own(magnitude(node, reach, {}))
        case "LayerNormalization" | "GroupNormalization" | "InstanceNormalization":
            return _normalised(node, xs[0], w, own)
        case "LRN":
            return _local_response(node.op, values[0], errors[0], y, own)
        case _:
            return np.full_like(y, np.inf)


def _corners(node: Node, values: Sequence[Array], errors: Sequence[Array], y: Array) -> Array:
    """The largest change at a corner of what the inputs may be."""
    ends = [(v - e, v + e) for v, e in zip(values, errors, strict=True)]
    changes = (np.abs(apply(node, list(corner), {}) - y) for corner in itertools.product(*ends))
    return reduce(np.maximum, changes)


def _one_branch(kind: str, values: Sequence[Array], errors: Sequence[Array]) -> Array:
    """Where the inputs stay on one side of a pole, and a base above 0.

    A base may also cross 0 under a fixed whole exponent p ≥ 1: |x|^p grows by no less than e^p up to |x| + e.
    """
    away = np.abs(values[-1]) > errors[-1]
    match kind:
        case "Reciprocal" | "Div":
            return away
        case "Pow":
            base, exponent = values
            whole: Array = (errors[1] == 0) & (exponent >= 1) & (exponent == np.floor(exponent))
            return whole | (base > errors[0])
        case _:
            return np.ones_like(away)


def _normalised(node: Node, x: Signal, w: Mapping[str, Array], own: Own) -> Array:
    """(x − m)/σ: the difference moves by e + mean e, and σ, a norm, by at most the root mean square of e."""
    op: Any = node.op
    view, axes = op.statistics(x.value.shape)
    value, error = x.value.reshape(view), x.slack().reshape(view)
    reach, epsilon = np.abs(value) + error, float(np.float32(op.epsilon))

    def mean(a: Array) -> Array:
        return np.asarray(a.mean(axis=axes, keepdims=True))

    away = np.abs(value - mean(value))
    deviation, moved = np.sqrt(mean(np.square(away)) + epsilon), error + mean(error)
    slack = np.sqrt(mean(np.square(error)))
    least = np.where(deviation > slack, deviation - slack, np.nan)
    change = (moved + away * slack / deviation) / least
    cancelling = (2 * mean(np.square(reach)) + epsilon) / np.square(least)
    largest = (2 * (reach + mean(reach)) + (away + moved) * cancelling) / least
    count = value.size // cancelling.size
    overflowing = count * mean(np.square(reach)) > OVERFLOWING
    largest = np.where((2 * count * cancelling > VANISHING) | overflowing, np.inf, largest)
    shape = x.value.shape
    factor = np.abs(op.affine(shape, w["weight"]))
    offset = np.abs(op.affine(shape, w["bias"])) if "bias" in w else 0.0
    found: Array = change.reshape(shape) * factor + own(largest.reshape(shape) * factor + offset)
    return found


def _local_response(op: Any, x: Array, error: Array, y: Array, own: Own) -> Array:
    """|y| lies between the least |x| over the largest base and the largest |x| over the least base."""
    alpha, beta, bias = (float(np.float32(v)) for v in (op.alpha, op.beta, op.bias))
    share, reach = alpha / op.size, np.abs(x) + error
    least = np.maximum(np.abs(x) - error, 0)
    low, high = (bias + share * op.sums(a) for a in (least, reach))
    top, bottom = reach / low**beta, least / high**beta
    change = np.where(error > np.abs(x), np.abs(y) + top, np.maximum(top - np.abs(y), np.abs(y) - bottom))
    squares = np.square(reach).sum(axis=1, keepdims=True)
    terms = bias + share * squares
    lost = terms / low * op.roundings(x.shape) > VANISHING
    terms = np.where(lost | (squares > OVERFLOWING), np.inf, terms)
    found: Array = change + own(top * terms / low)
    return found
