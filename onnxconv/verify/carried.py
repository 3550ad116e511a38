"""How an error on a layer's inputs shows in its output, once values have stopped being exact: a rule for each kind.

Routed networks have one tap a filter, so that errors hardly grow and the bound stays tight at any depth. Every rule gives
|runtime − reference| of the output at most: what the inputs' errors may change, plus the runtime's own roundings at the
largest values that it may have read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.execute import otherwise
from onnxconv.graph import Node
from onnxconv.verify.choice import CHOICES, error_of_choice
from onnxconv.verify.curved import bounded, clipped, leaky, monotone, one_branch, rectified, softmax, steep
from onnxconv.verify.legal import legal
from onnxconv.verify.rounding import bound
from onnxconv.verify.signal import Signal
from onnxconv.verify.spread import local_response, normalised
from onnxconv.verify.step import Rule, Step
from onnxconv.verify.words import MOVING, Array

__all__ = ["RULES", "error_after"]


def error_after(node: Node, xs: Sequence[Signal], w: Mapping[str, Array], y: Array, terms: Array) -> Array:
    """|runtime − reference| of the output y is at most this, given that of the inputs.

    Infinite where nothing is known, or the kind is not.
    """
    rule = RULES.get(node.op.kind)
    if rule is None:
        return np.full_like(y, np.inf)
    with np.errstate(all="ignore"):
        found = rule(Step(node, xs, w, y, terms))
    return np.where(np.isnan(found), np.inf, found)  # of an infinite error times 0 nothing is known


def _routed(s: Step) -> Array:
    """A sum of products. Those with the zeros of a routed kernel are exact, which leaves the product and the bias: two roundings."""
    none = {role: np.zeros_like(a) for role, a in s.w.items()}
    through = s.through(*s.errors, w=none | {"weight": np.abs(s.w["weight"])})
    return through + bound(s.dtype, 2, s.terms + through)


def _dequantized(s: Step) -> Array:
    none = {role: np.zeros_like(a) for role, a in s.w.items()}
    kernel = {"weight": np.abs(s.w["weight"]), "weight_scale": s.w["weight_scale"]}
    through = s.through(*s.errors, w=none | kernel)
    return through + s.own(s.terms + through)


def _batch_norm(s: Step) -> Array:
    none = {role: np.zeros_like(a) for role, a in s.w.items()}
    scaling = none | {"weight": s.w["weight"], "running_var": s.w["running_var"]}
    return s.magnitude(*s.errors, w=scaling) + s.own(s.magnitude(*s.partial, w=s.w))


def _nothing(s: Step) -> Array:
    return np.zeros_like(s.y)


def _kept(s: Step) -> Array:
    return s.errors[0]


def _moved(s: Step) -> Array:
    """Values arrive as they were, in other places; a maximum changes no more than what it is taken of."""
    return np.abs(s.through(*s.errors))


def _most(s: Step) -> Array:
    """The larger or the smaller of numbers changes no more than one of them."""
    return reduce(np.maximum, s.errors)


def _least(s: Step) -> Array:
    return np.abs(s.through(-s.errors[0]))


def _padded(s: Step) -> Array:
    """The value of a pad is rounded to the data type."""
    return _moved(s) + bound(s.dtype, 1, np.abs(s.y))


def _sum(s: Step) -> Array:
    total: Array = reduce(np.add, s.errors) + s.own(reduce(np.add, s.partial))
    return total


def _difference(s: Step) -> Array:
    total: Array = reduce(np.add, s.errors) + s.own(reduce(np.add, s.reach))
    return total


def _product(s: Step) -> Array:
    """Largest where all factors are."""
    largest: Array = reduce(np.multiply, s.reach)
    least: Array = reduce(np.multiply, [np.abs(v) for v in s.values])
    grown: Array = largest - least + s.own(largest)
    return grown


def _matrices(s: Step) -> Array:
    """Products with the zeros of a matrix that is known to the last bit are exact: each sum rounds as often as others remain."""
    largest, second = s.through(*s.reach), s.xs[1]
    n = s.roundings
    if second.error is None:
        n = min(n, 1 + int((second.value != 0).sum(axis=-2 if second.value.ndim > 1 else 0).max()))
    return largest - s.through(*(np.abs(v) for v in s.values)) + bound(s.dtype, n, largest)


def _pooled(s: Step) -> Array:
    """Means and p-norms change no more than the values they are taken of."""
    return s.through(*s.errors) + s.own(s.magnitude(*s.partial))


def _reduced(s: Step) -> Array:
    """A mean of channels that mirror each other errs by half their sums."""
    pairs = s.xs[0].pairs if s.op.kind == "ReduceMean" else None
    mirrored = pairs is not None and pairs.axis in s.op.axes
    return s.through(pairs.apart / 2 if pairs and mirrored else s.errors[0]) + s.own(s.magnitude(*s.reach))


def _growing(s: Step) -> Array:
    """Sums of squares and products grow most where all their terms do."""
    return s.through(*s.reach) - np.abs(s.y) + s.own(s.magnitude(*s.reach))


def _resized(s: Step) -> Array:
    """Weights of cubic ones may be negative. Where a position may be rounded to either side, both are read."""
    cubic = getattr(getattr(s.op, "sampling", None), "mode", "") == "cubic"
    through = s.magnitude(*s.errors) if cubic else np.abs(s.through(*s.errors))
    others = zip(otherwise(s.node, s.values), otherwise(s.node, s.errors), strict=True)
    beside = (np.abs(value - s.y) + np.abs(error) for value, error in others)
    return reduce(np.maximum, beside, through) + s.own(s.magnitude(*s.partial))


def _cast(s: Step) -> Array:
    """Towards 0, a small error may make a difference of 1."""
    floating = DTYPES[s.dtype].family == "float"
    return s.errors[0] + (bound(s.dtype, 1, np.abs(s.y) + s.errors[0]) if floating else 1)


def _whole(s: Step) -> Array:
    """Floor, ceiling and rounding may go to the next integer."""
    return np.where(s.errors[0] > 0, s.errors[0] + 1, 0)


def _chosen(s: Step) -> Array:
    return error_of_choice(s.node, s.values, s.errors)


def _quantised(s: Step) -> Array:
    """The order is kept, whatever is rounded."""
    if any(e.any() for e in s.errors[1:]):
        return np.full_like(s.y, np.inf)
    rest, (x, error) = s.values[1:], (s.values[0], s.errors[0])
    low, high = (legal(s.node, [end, *rest], {})[i] for i, end in enumerate((x - error, x + error)))
    return np.asarray(np.maximum(high - s.y, s.y - low))


def _dequantised(s: Step) -> Array:
    if any(e.any() for e in s.errors[2:]):
        return np.full_like(s.y, np.inf)
    x, scale, *zeros = s.values
    moved = s.through(s.errors[0], scale + s.errors[1], *(np.zeros_like(zero) for zero in zeros))
    moved = moved + s.magnitude(x, s.errors[1], *zeros)
    return moved + s.own(np.abs(s.y) + moved)


def _integer_sums(s: Step) -> Array:
    if any(e.any() for e in s.errors[1:]):
        return np.full_like(s.y, np.inf)
    kernel = s.values[1]
    zero = s.values[3] if len(s.xs) > 3 else np.zeros(())
    per_filter = zero.reshape(-1, *[1] * (kernel.ndim - 1)) if s.op.kind == "ConvInteger" else zero
    return s.through(s.errors[0], np.abs(kernel - per_filter), *(0 * v for v in s.values[2:]))


def _rescaled(s: Step) -> Array:
    if any(e.any() for e in s.errors):
        return np.full_like(s.y, np.inf)
    low, high = legal(s.node, s.values, {})
    return np.asarray(np.maximum(high - s.y, s.y - low))


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), _routed),
    **dict.fromkeys(("DequantizedConv", "DequantizedGemm"), _dequantized),
    "BatchNormalization": _batch_norm,
    "Add": _sum,
    "Sub": _difference,
    "Mul": _product,
    "MatMul": _matrices,
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "LpPool", "GlobalLpPool"), _pooled),
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2"), _reduced),
    **dict.fromkeys(("ReduceSumSquare", "ReduceProd"), _growing),
    "Constant": _nothing,
    **dict.fromkeys(("Identity", "Neg", "Abs"), _kept),
    **dict.fromkeys((*MOVING, "MaxPool", "GlobalMaxPool", "Concat", "ReduceMax"), _moved),
    "ReduceMin": _least,
    **dict.fromkeys(("Max", "Min"), _most),
    **dict.fromkeys(CHOICES, _chosen),
    "Pad": _padded,
    "Resize": _resized,
    "Cast": _cast,
    **dict.fromkeys(("Floor", "Ceil", "Round"), _whole),
    "Relu": rectified,
    "Clip": clipped,
    **dict.fromkeys(("LeakyRelu", "PRelu"), leaky),
    **dict.fromkeys(("Sigmoid", "Tanh"), bounded),
    **dict.fromkeys(("Elu", "HardSigmoid", "Softplus"), monotone),
    **dict.fromkeys(("Silu", "HardSwish", "Gelu", "Mish"), steep),
    **dict.fromkeys(("Sqrt", "Exp", "Log", "Erf", "Reciprocal", "Div", "Pow"), one_branch),
    "Softmax": softmax,
    **dict.fromkeys(("LayerNormalization", "GroupNormalization", "InstanceNormalization"), normalised),
    "LRN": local_response,
    "QuantizeLinear": _quantised,
    "DequantizeLinear": _dequantised,
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), _integer_sums),
    **dict.fromkeys(("DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"), _rescaled),
}
"""The rule for each kind of layer."""
