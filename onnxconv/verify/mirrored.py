"""Channels in pairs of opposite sign, through which layers they stay so, and how far their sums may be from 0.

Sums of pairs start from 0 where a layer gives two filters one tap, opposite signs and opposite biases: whatever error their
source has, both carry it, and it cancels. Only what the runtime rounds from there on does not, and it may round two channels
differently. A sum of two tensors, a mean over positions and a factor that both have in common keep pairs together.
"""

from __future__ import annotations

import numpy as np

from onnxconv.execute import apply
from onnxconv.verify.rounding import bound
from onnxconv.verify.signal import Pairs, Signal
from onnxconv.verify.step import Step
from onnxconv.verify.words import MOVING, PRODUCTS, Array

__all__ = ["in_whole_pairs", "pairs_after"]

ALIKE = ("Identity", "Neg", "AveragePool", "GlobalAveragePool", *MOVING)
"""Layers that treat all channels alike, and move values or average them."""


def pairs_after(s: Step, y: Signal, made: bool) -> Pairs | None:
    """Of the output y, whose error is known. `made`: the layer's filters are pairs."""
    kind, own = s.op.kind, np.zeros_like(s.y)
    if kind == "MatMul":
        return _through_matrix(s, y)
    if not made and not any(x.pairs for x in s.xs):
        return None
    if kind in PRODUCTS:
        if y.error is not None:
            own = 2 * bound(s.dtype, 2, y.terms + y.error)
        (x,) = s.xs
        kept = np.zeros_like(own) if x.pairs is None else _weighed(s, x.pairs.apart)
        return Pairs(1, kept + own) if made else None
    first = next(x.pairs for x in s.xs if x.pairs is not None)
    if kind in ALIKE:
        axis = _moved(s, first.axis)
        if y.error is not None and s.roundings:
            own = 2 * s.own(s.magnitude(*s.partial))
        return None if axis is None else Pairs(axis, np.abs(s.through(first.apart)) + own)
    return _joined(s, y, first.axis) if kind in ("Add", "Mul") and len(s.xs) == 2 else None


def _weighed(s: Step, apart: Array) -> Array:
    """Through a convolution of each channel by itself; elsewhere both of a pair have one source."""
    if getattr(s.op, "groups", 1) == 1:
        return np.zeros_like(s.y)
    none = {role: np.zeros_like(a) for role, a in s.w.items()}
    return s.through(apart, w=none | {"weight": np.abs(s.w["weight"])})


def _through_matrix(s: Step, y: Signal) -> Pairs | None:
    """Columns of one entry each, two by two of opposite signs, make pairs along the last axis."""
    matrix = s.xs[1]
    single = matrix.value.ndim == 2 and int((matrix.value != 0).sum(axis=0).max()) == 1
    if matrix.error is not None or not single or not _exactly(matrix.value, 1, -1):
        return None
    own = np.zeros_like(s.y) if y.error is None else 2 * bound(s.dtype, 2, y.terms + y.error)
    return Pairs(y.value.ndim - 1, own)


def _joined(s: Step, y: Signal, axis: int) -> Pairs | None:
    """A sum of tensors in pairs, or the product of one with numbers that both of each pair have in common."""
    apart = np.zeros_like(s.y)
    adding = s.op.kind == "Add"
    for x in s.xs:
        if x.pairs is not None and x.pairs.axis == axis and x.value.shape == s.y.shape:
            others = [np.abs(o.value) for o in s.xs if o is not x]
            apart = apart + (x.pairs.apart if adding else x.pairs.apart * others[0])
        elif x.error is not None or not _exactly(np.broadcast_to(x.value, s.y.shape), axis, -1 if adding else 1):
            return None
    if y.error is not None:
        apart = apart + 2 * s.own(np.add(*s.partial) if adding else np.multiply(*s.reach))
    return Pairs(axis, apart)


def _exactly(value: Array, axis: int, sign: int) -> bool:
    """Elements 2i + 1 along an axis are those before, times the sign."""
    along = np.moveaxis(value, axis, 0)
    if len(along) % 2:
        return False
    return bool((along[1::2] == sign * along[::2]).all())


def _moved(s: Step, axis: int) -> int | None:
    """The axis along which the output has the pairs, in order; None where it has not."""
    shape = s.values[0].shape
    numbers = np.arange(shape[axis], dtype=np.float64).reshape(-1, *[1] * (len(shape) - 1 - axis))
    y = apply(s.node, [np.broadcast_to(numbers, shape)], {})
    for at, n in enumerate(y.shape):
        along = np.arange(n).reshape(-1, *[1] * (y.ndim - 1 - at))
        if n == shape[axis] and (np.abs(y) == along).all():
            return at
    return None


def in_whole_pairs(s: Step) -> Pairs | None:
    """Of a norm's input, where every group that it averages consists of whole pairs."""
    pairs = s.xs[0].pairs
    if pairs is None or s.op.kind == "InstanceNormalization":
        return None
    if s.op.kind == "GroupNormalization":
        return pairs if pairs.axis == 1 and s.y.shape[1] // s.op.groups % 2 == 0 else None
    return pairs if pairs.axis in s.op.axes else None
