"""How functions, norms, reductions and joins are said."""

from __future__ import annotations

from onnxconv.ops import (
    Abs,
    Add,
    BatchNorm,
    Ceil,
    Clip,
    Concat,
    Div,
    Elu,
    Equal,
    Erf,
    Exp,
    Floor,
    Gelu,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    Greater,
    GreaterOrEqual,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Less,
    LessOrEqual,
    LocalResponseNorm,
    Log,
    MatMul,
    Max,
    Min,
    Mish,
    Mul,
    Neg,
    Operator,
    Pow,
    PRelu,
    Reciprocal,
    ReduceL1,
    ReduceL2,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    ReduceSumSquare,
    Reduction,
    Relu,
    Round,
    Shape,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Sqrt,
    Sub,
    Tanh,
    Where,
)
from onnxconv.specify.writers.words import Attributes, Writer, number, plain, short

__all__ = ["FUNCTIONS"]


def _clip(op: Clip, _: Shape) -> Attributes:
    return {"min": _limit(op.low), "max": _limit(op.high)}


def _limit(value: float | None) -> float | None:
    return None if value is None else number(value)


def _layer_norm(op: LayerNorm, x: Shape) -> Attributes | None:
    words = ("channel_axis", (1,)), ("last_axis", (len(x) - 1,)), ("all_axes", tuple(range(1, len(x))))
    over = next((word for word, axes in words if axes == op.axes), None)
    how = {"last": len(op.axes)} if over is None else {"over": over}
    return {**how, "epsilon": number(op.epsilon), "bias": op.bias}


def _lrn(op: LocalResponseNorm, _: Shape) -> Attributes:
    return {"size": op.size, "alpha": number(op.alpha), "beta": number(op.beta), "k": number(op.bias)}


def _reduced(op: Reduction, _: Shape) -> Attributes:
    return {"axes": short(op.axes), "keep": op.keepdims}


FUNCTIONS: dict[str, tuple[type[Operator], Writer]] = {
    "global_lp_pool": (GlobalLpPool, lambda op, _: {"p": op.p}),
    "global_max_pool": (GlobalMaxPool, plain),
    "global_average_pool": (GlobalAveragePool, plain),
    "relu": (Relu, plain),
    "relu6": (Clip, lambda op, _: {} if (op.low, op.high) == (0, 6) else None),
    "leaky_relu": (LeakyRelu, lambda op, _: {"slope": number(op.slope)}),
    "prelu": (PRelu, lambda op, _: {"shared": op.shared}),
    "clip": (Clip, _clip),
    "sigmoid": (Sigmoid, plain),
    "silu": (Silu, plain),
    "tanh": (Tanh, plain),
    "elu": (Elu, lambda op, _: {"alpha": number(op.alpha)}),
    "hard_sigmoid": (HardSigmoid, lambda op, _: {"alpha": number(op.alpha), "beta": number(op.beta)}),
    "hard_swish": (HardSwish, plain),
    "softplus": (Softplus, plain),
    "gelu": (Gelu, lambda op, _: {"by": "tanh" if op.approximate == "tanh" else "erf"}),
    "mish": (Mish, plain),
    "softmax": (Softmax, lambda op, _: {"axis": op.axis}),
    "batch_norm": (BatchNorm, lambda op, _: {"epsilon": number(op.epsilon)}),
    "layer_norm": (LayerNorm, _layer_norm),
    "group_norm": (GroupNorm, lambda op, _: {"group": op.groups, "epsilon": number(op.epsilon)}),
    "instance_norm": (InstanceNorm, lambda op, _: {"epsilon": number(op.epsilon)}),
    "lrn": (LocalResponseNorm, _lrn),
    "reduce_sum": (ReduceSum, _reduced),
    "reduce_mean": (ReduceMean, _reduced),
    "reduce_max": (ReduceMax, _reduced),
    "reduce_min": (ReduceMin, _reduced),
    "reduce_l1": (ReduceL1, _reduced),
    "reduce_l2": (ReduceL2, _reduced),
    "reduce_sum_square": (ReduceSumSquare, _reduced),
    "reduce_prod": (ReduceProd, _reduced),
    "neg": (Neg, plain),
    "abs": (Abs, plain),
    "sqrt": (Sqrt, plain),
    "exp": (Exp, plain),
    "log": (Log, plain),
    "erf": (Erf, plain),
    "reciprocal": (Reciprocal, plain),
    "floor": (Floor, plain),
    "ceil": (Ceil, plain),
    "round": (Round, plain),
    "sub": (Sub, plain),
    "div": (Div, plain),
    "pow": (Pow, plain),
    "maximum": (Max, plain),
    "minimum": (Min, plain),
    "equal": (Equal, plain),
    "less": (Less, plain),
    "less_or_equal": (LessOrEqual, plain),
    "greater": (Greater, plain),
    "greater_or_equal": (GreaterOrEqual, plain),
    "where": (Where, plain),
    "matmul": (MatMul, plain),
    "add": (Add, plain),
    "mul": (Mul, plain),
    "concat": (Concat, lambda op, _: {"axis": op.axis}),
}
"""Functions of one tensor and of several; of a clip the first that fits."""
