"""Arithmetic read from ONNX nodes: what joins tensors and constants, functions of one number, normalisations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxconv.dtypes import rounded
from onnxconv.errors import Refusal
from onnxconv.load.statistics import layer_statistics
from onnxconv.load.step import PREVIOUS, Constant, Reader, Reading, Step
from onnxconv.ops import (
    COMPARISONS,
    REDUCTIONS,
    Abs,
    Add,
    And,
    Ceil,
    Div,
    Erf,
    Exp,
    Floor,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    Log,
    Max,
    Min,
    Mul,
    Neg,
    Not,
    Operator,
    Or,
    Pow,
    Reciprocal,
    ReduceL1,
    ReduceL2,
    ReduceMean,
    ReduceSumSquare,
    Reduction,
    Round,
    Sigmoid,
    Silu,
    Sqrt,
    Sub,
    Where,
    Xor,
    shape_text,
)

__all__ = ["ARITHMETIC"]


def of_one(op: Operator) -> Reader:
    """An operator on one tensor, without attributes."""
    return lambda at: (Step(op, (at.tensor(),)),)


def _of_many(op: Operator) -> Reader:
    return lambda at: (Step(op, at.operands()),)


def _layer_norm(at: Reading) -> Sequence[Step]:
    x, weight = at.shape(), at.weight(1, "scale")
    axes = tuple(range(at.axis(-1, len(x)), len(x)))
    weights = {"weight": weight} | ({"bias": at.weight(2, "bias")} if at.has(2) else {})
    shape = tuple(x[axis] for axis in axes)
    for role, constant in weights.items():
        if constant.array.shape != shape and all(isinstance(n, int) for n in shape):
            spread = _broadcast(constant.array, tuple(int(n) for n in shape), role)
            weights[role] = at.derived(constant, f"over{len(shape)}", spread)
    norm = Step(LayerNorm(axes, at.real("epsilon", 1e-5), "bias" in weights), (at.tensor(),), weights)
    return (*layer_statistics(at, axes), norm)


def _broadcast(array: np.ndarray, shape: tuple[int, ...], role: str) -> np.ndarray:
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        what = f"its {role} has shape {shape_text(array.shape)}"
        raise Refusal("weight-shape", what, f"it is broadcast to what is normalised, {shape_text(shape)}") from None


def _rms_norm(at: Reading) -> Sequence[Step]:
    """x ÷ √(mean of x² + epsilon) · scale, in operators of its own."""
    x = at.tensor()
    axes = tuple(range(at.axis(-1, len(at.shape())), len(at.shape())))
    epsilon = np.array(np.float32(at.real("epsilon", 1e-5)))
    return (
        Step(Mul(), (x, x)),
        Step(ReduceMean(axes), (PREVIOUS,)),
        Step(Add(), (PREVIOUS, Constant(at.fresh("epsilon"), rounded(epsilon, at.type().dtype)))),
        Step(Sqrt(), (PREVIOUS,)),
        Step(Div(), (x, PREVIOUS)),
        Step(Mul(), (PREVIOUS, at.operand(1))),
    )


def _swish(at: Reading) -> Sequence[Step]:
    """x · sigmoid(alpha · x)."""
    alpha = np.array(np.float32(at.real("alpha", 1.0)))
    if alpha == 1:
        return (Step(Silu(), (at.tensor(),)),)
    factor = Constant(at.fresh("alpha"), rounded(alpha, at.type().dtype))
    return (
        Step(Mul(), (at.tensor(), factor)),
        Step(Sigmoid(), (PREVIOUS,)),
        Step(Mul(), (at.tensor(), PREVIOUS)),
    )


def _instance_norm(at: Reading) -> Sequence[Step]:
    weights = {"weight": at.weight(1, "scale"), "bias": at.weight(2, "bias")}
    return (Step(InstanceNorm(at.real("epsilon", 1e-5)), (at.tensor(),), weights),)


def _group_norm(at: Reading) -> Sequence[Step]:
    """Scale and bias are per channel since opset 21, before that per group."""
    groups, x = at.integer("num_groups", 0), at.shape()
    weights = {"weight": at.weight(1, "scale"), "bias": at.weight(2, "bias")}
    op = GroupNorm(groups, at.real("epsilon", 1e-5))
    if at.opset < 21:
        op.out_shape(x)
        share = int(x[1]) // groups
        weights = {
            role: at.derived(given, f"each{share}", np.repeat(given.array, share)) for role, given in weights.items()
        }
    return (Step(op, (at.tensor(),), weights),)


def _lrn(at: Reading) -> Sequence[Step]:
    op = LocalResponseNorm(at.integer("size", 1), at.real("alpha", 1e-4), at.real("beta", 0.75), at.real("bias", 1.0))
    return (Step(op, (at.tensor(),)),)


def _mean(at: Reading) -> Sequence[Step]:
    """The sum, divided by how many there are."""
    names = at.operands()
    total = Step(Add(), names)
    dtype = next(at.types[name].dtype for name in names if name in at.types)
    count = at.derived(Constant(at.node.output[0], np.zeros(())), "count", np.array(len(names), dtype))
    return (total, Step(Div(), (PREVIOUS, count)))


def _reduced_over_nothing(op: type[Reduction], x: str) -> Step:
    """What is done to each number before they are taken together is done all the same (ONNX, ReduceSumSquare)."""
    if op is ReduceSumSquare:
        return Step(Mul(), (x, x))
    return Step(Abs() if op in (ReduceL1, ReduceL2) else Identity(), (x,))


def _reduction(op: type[Reduction]) -> Reader:
    since = 13 if op.kind == "ReduceSum" else 18

    def reader(at: Reading) -> Sequence[Step]:
        axes = at.axes(since)
        if not axes and at.integer("noop_with_empty_axes", 0):
            return (_reduced_over_nothing(op, at.tensor()),)
        axes = axes or tuple(range(len(at.shape())))
        return (Step(op(tuple(sorted(axes)), bool(at.integer("keepdims", 1))), (at.tensor(),)),)

    return reader


ARITHMETIC: dict[str, Reader] = {
    "Abs": of_one(Abs()),
    "Add": _of_many(Add()),
    "And": _of_many(And()),
    "Ceil": of_one(Ceil()),
    "Div": _of_many(Div()),
    "Erf": of_one(Erf()),
    "Exp": of_one(Exp()),
    "Floor": of_one(Floor()),
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _lrn,
    "LayerNormalization": _layer_norm,
    "Log": of_one(Log()),
    "Max": _of_many(Max()),
    "Mean": _mean,
    "Min": _of_many(Min()),
    "Mul": _of_many(Mul()),
    "Neg": of_one(Neg()),
    "Not": of_one(Not()),
    "Or": _of_many(Or()),
    "Pow": _of_many(Pow()),
    "RMSNormalization": _rms_norm,
    "Reciprocal": of_one(Reciprocal()),
    "Round": of_one(Round()),
    "Sqrt": of_one(Sqrt()),
    "Sub": _of_many(Sub()),
    "Swish": _swish,
    "Sum": _of_many(Add()),
    "Where": _of_many(Where()),
    "Xor": _of_many(Xor()),
    **{op.kind: _of_many(op()) for op in COMPARISONS},
    **{op.kind: _reduction(op) for op in REDUCTIONS},
}
"""ONNX operators of the default domain by name."""
