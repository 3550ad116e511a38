"""One layer of a routed network: its weights, its output, and how exact that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onnxconv.dtypes import numpy_dtype, rounded
from onnxconv.execute import apply, magnitude
from onnxconv.graph import Node
from onnxconv.verify.ahead import Ahead
from onnxconv.verify.carried import error_after
from onnxconv.verify.draw import Stream
from onnxconv.verify.integers import KINDS, exact_integers
from onnxconv.verify.judge import settled
from onnxconv.verify.level import NORMS
from onnxconv.verify.means import MEANS, mean
from onnxconv.verify.mirrored import pairs_after
from onnxconv.verify.route import Routed, route_batch_norm, route_prelu, route_products
from onnxconv.verify.route_norm import route_norm
from onnxconv.verify.signal import Signal, exact_sum, grid_of
from onnxconv.verify.step import Step
from onnxconv.verify.words import PRODUCTS, Array

__all__ = ["CHOSEN", "NEVER_EXACT", "raw", "route"]

CHOSEN = (*PRODUCTS, *NORMS, "BatchNormalization", "PRelu")
"""Layers whose weights are chosen; others keep the network's own."""
LINEAR = (*MEANS, "BatchNormalization", "Add", "Sub")
"""Layers that round, if at all, and whose outputs are infinitely unknown where one of their inputs is."""
NEVER_EXACT = (
    *("Sigmoid", "Silu", "Softmax", "LeakyRelu", "Tanh", "Elu", "HardSigmoid", "HardSwish", "Softplus", "Gelu", "Mish"),
    *("LpPool", "GlobalLpPool", "Resize"),
    *("Div", "Pow", "Sqrt", "Exp", "Log", "Erf", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd"),
    *(*NORMS, "LRN"),
)


def raw(value: Array) -> Signal:
    return Signal(value, grid_of(value), np.abs(value))


def route(
    node: Node,
    xs: Sequence[Signal],
    next: Ahead,
    gain: Array | None,
    own: dict[str, Array],
    arrays: dict[str, Array],
    stream: Stream,
    taps: int = 1,
) -> Routed:
    """The layer's output with all that is known about it, its weights, and its error if it has any. `taps`: of each filter."""
    shared = any(param.name in arrays for _, param in node.params) and bool(xs)
    if shared:
        w = {
            role: arrays.get(param.name, np.zeros(param.shape, numpy_dtype(param.dtype))) for role, param in node.params
        }
        routed = Routed(_fixed(node, xs, w), w)
    elif node.op.kind in PRODUCTS:
        routed = route_products(node, xs[0], next, stream, taps)
    elif node.op.kind == "BatchNormalization":
        routed = route_batch_norm(node, xs[0], next, gain, stream)
    elif node.op.kind in NORMS:
        routed = route_norm(node, xs[0], next, stream)
    elif node.op.kind == "PRelu":
        routed = route_prelu(node, xs[0], stream)
    elif own:
        routed = Routed(raw(apply(node, [x.value for x in xs], own)), own)
    else:
        routed = Routed(_plain(node, xs), {})
    return _known(node, xs, routed, taps)


def _known(node: Node, xs: Sequence[Signal], routed: Routed, taps: int) -> Routed:
    """The layer with its output's error, if it has any, and its pairs."""
    y = routed.y
    rounds = node.op.roundings(*(x.value.shape for x in xs)) > 0
    known = all(x.error is None for x in xs)
    clear = known or (all(x.exact_but_for_holes for x in xs) and (not rounds or node.op.kind in LINEAR))
    exact = clear and (_exact(node, xs, y) if rounds else settled(node, [x.value for x in xs]))
    if not (exact and known):
        y = _carried(node, xs, routed, holes=exact)
    if exact and rounds and taps == 1:  # sums that a batch norm is fused into keep the grid of their terms
        y = replace(y, grid=grid_of(y.value))
    if any(x.pairs for x in xs) or routed.mirrored or node.op.kind == "MatMul":
        y = replace(y, pairs=pairs_after(Step(node, xs, routed.weights, y.value, y.terms), y, routed.mirrored))
    return replace(routed, y=y)


def _carried(node: Node, xs: Sequence[Signal], routed: Routed, holes: bool = False) -> Signal:
    """The output with its error. `holes`: it is exact but where it depends on one, and there it is one."""
    y = routed.y
    error = error_after(node, xs, routed.weights, y.value, y.terms)
    if not holes:
        return replace(y, error=error)
    open_ = error > error_after(node, [replace(x, error=None) for x in xs], routed.weights, y.value, y.terms)
    return replace(y, value=np.where(open_, 0.0, y.value), error=np.where(open_, np.inf, 0.0))


def _exact(node: Node, xs: Sequence[Signal], y: Signal) -> bool:
    dtype, kind = node.type.dtype, node.op.kind
    if kind in NEVER_EXACT or (kind == "BatchNormalization" and dtype == "float16"):
        return False
    if kind in KINDS:
        return exact_integers(node, [x.value for x in xs])
    return exact_sum(y.terms, y.grid, dtype)


def _fixed(node: Node, xs: Sequence[Signal], w: dict[str, Array]) -> Signal:
    """A layer whose weights another layer has chosen."""
    grid = xs[0].grid + max((grid_of(a) for a in w.values()), default=0)
    return Signal(
        apply(node, [x.value for x in xs], w), max(grid, xs[0].grid), magnitude(node, [x.terms for x in xs], w)
    )


def _plain(node: Node, xs: Sequence[Signal]) -> Signal:
    """A layer without weights."""
    values = [x.value for x in xs]
    y = apply(node, values, {})
    match node.op.kind:
        case "Add" | "Sub":
            return Signal(y, max(x.grid for x in xs), sum((x.terms for x in xs), np.zeros_like(y)))
        case "Mul":
            product = np.ones_like(y)
            for x in xs:
                product = product * x.terms
            return Signal(y, sum(x.grid for x in xs), product)
        case "MatMul":
            return Signal(y, sum(x.grid for x in xs), apply(node, [x.terms for x in xs], {}))
        case "ReduceSum":
            return Signal(y, xs[0].grid, apply(node, [xs[0].terms], {}))
        case kind if kind in MEANS:
            return mean(node, xs[0], y)
        case _ if node.op.roundings(*(v.shape for v in values)) == 0 and all(x.error is None for x in xs):
            # Moved values are numbers of the data type already; limits and pad values are rounded to it.
            return raw(rounded(y, node.type.dtype).astype(np.float64))
        case _:
            return raw(y)
