"""How far normalisations may lie apart, given how far their inputs may."""

from __future__ import annotations

import numpy as np

from onnxconv.verify.mirrored import in_whole_pairs
from onnxconv.verify.step import Step
from onnxconv.verify.words import Array

__all__ = ["local_response", "normalised"]


def normalised(s: Step) -> Array:
    """(x − m)/√V, V = variance + ε: how far errors e move the difference, and how far the root.

    The difference moves by e and the mean of e; where channels mirror each other, of half their sums. √variance is a norm of x − m, which moves by at most the root mean square of e, d;
    so √V moves by at most d·(2·√variance + d) ÷ (√V + √V′), V′ being the least that V may be. Where variance ≪ ε, that is
    nearly nothing, and the error grows like the values.
    """
    (x,) = s.xs
    view, axes = s.op.statistics(x.value.shape)
    value, error = x.value.reshape(view), x.slack().reshape(view)
    epsilon = float(np.float32(s.op.epsilon))

    def mean(a: Array) -> Array:
        return np.asarray(a.mean(axis=axes, keepdims=True))

    away = np.abs(value - mean(value))
    deviation, slack = np.sqrt(mean(np.square(away))), np.sqrt(mean(np.square(error)))
    root = np.sqrt(np.square(deviation) + epsilon)
    least = np.sqrt(np.square(np.maximum(deviation - slack, 0)) + epsilon)
    pairs = in_whole_pairs(s)
    moved = error + mean(error if pairs is None else pairs.apart.reshape(view) / 2)
    change = (moved + away * slack * (2 * deviation + slack) / (root + least) / root) / least
    lost = s.op.lost(np.abs(value) + error, away + moved, np.square(least), axes)
    shape = x.value.shape
    factor = np.abs(s.op.affine(shape, s.w["weight"]))
    offset = np.abs(s.op.affine(shape, s.w["bias"])) if "bias" in s.w else 0.0
    found: Array = change.reshape(shape) * factor + s.own(lost.reshape(shape) * factor + offset)
    return found


def local_response(s: Step) -> Array:
    """|y| lies between the least |x| over the largest base and the largest |x| over the least base."""
    x, error, y = np.abs(s.values[0]), s.errors[0], np.abs(s.y)
    beta, reach = float(np.float32(s.op.beta)), s.reach[0]
    low, high = (s.op.base(a) for a in (np.maximum(x - error, 0), reach))
    top, bottom = reach / low**beta, np.maximum(x - error, 0) / high**beta
    change = np.where(error > x, y + top, np.maximum(top - y, y - bottom))
    found: Array = change + s.own(top * s.op.lost(reach, low))
    return found
