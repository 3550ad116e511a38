"""Layers that compute with one or two tensors as they are: functions, joins, products, reductions and normalisations."""

from __future__ import annotations

from onnxconv.errors import Refusal
from onnxconv.graph import Node
from onnxconv.ops import (
    Abs,
    Ceil,
    Div,
    Equal,
    Erf,
    Exp,
    Floor,
    Greater,
    GreaterOrEqual,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Less,
    LessOrEqual,
    LocalResponseNorm,
    Log,
    MatMul,
    Max,
    Min,
    Neg,
    Operator,
    Pow,
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
    Round,
    Sqrt,
    Sub,
    Where,
    shape_text,
)
from onnxconv.resolve.site import Lowering, Site

__all__ = ["ARITHMETIC", "REDUCED"]


def _function(op: Operator) -> Lowering:
    return lambda site: (site.node(op),)


def _of(count: int, op: Operator) -> Lowering:
    def lowering(site: Site) -> tuple[Node, ...]:
        site.need_tensors(count)
        return (site.node(op),)

    return lowering


def _reduction(op: type[Reduction]) -> Lowering:
    def lowering(site: Site) -> tuple[Node, ...]:
        given = site.get("axes")
        axes = given if isinstance(given, tuple) else (given,)
        return (site.node(op(tuple(sorted(axes)), bool(site.get("keep")))),)

    return lowering


def _layer_norm(site: Site) -> tuple[Node, ...]:
    """Over the channels of each position, the last axis, or all of an image. Raises `Refusal`."""
    rank = len(site.x)
    if rank < 2:
        raise Refusal(
            "rank",
            f"layer norm on {shape_text(site.x)}",
            "what is normalised together are values of one image",
            "give the input an axis beside the batch",
        )
    axes = {"channel_axis": (1,), "last_axis": (rank - 1,), "all_axes": tuple(range(1, rank))}[site.get("over")]
    if "last" in site.layer:
        last = site.integer("last")
        if last > rank:
            why = "so many axes are there"
            raise Refusal("axis", f"the last {last} axes of {shape_text(site.x)}", why, f"write {rank - 1}", "last")
        axes = tuple(range(rank - last, rank))
    return (site.node(LayerNorm(axes, float(site.get("epsilon")), bool(site.get("bias")))),)


def _group_norm(site: Site) -> tuple[Node, ...]:
    return (site.node(GroupNorm(site.integer("group"), float(site.get("epsilon")))),)


def _instance_norm(site: Site) -> tuple[Node, ...]:
    return (site.node(InstanceNorm(float(site.get("epsilon")))),)


def _lrn(site: Site) -> tuple[Node, ...]:
    alpha, beta, k = (float(site.get(name)) for name in ("alpha", "beta", "k"))
    return (site.node(LocalResponseNorm(site.integer("size"), alpha, beta, k)),)


REDUCED: dict[str, type[Reduction]] = {
    "reduce_sum": ReduceSum,
    "reduce_mean": ReduceMean,
    "reduce_max": ReduceMax,
    "reduce_min": ReduceMin,
    "reduce_l1": ReduceL1,
    "reduce_l2": ReduceL2,
    "reduce_sum_square": ReduceSumSquare,
    "reduce_prod": ReduceProd,
}
"""The operator of each kind of reduction."""

ARITHMETIC: dict[str, Lowering] = {
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "lrn": _lrn,
    "sub": _of(2, Sub()),
    "div": _of(2, Div()),
    "pow": _of(2, Pow()),
    "matmul": _of(2, MatMul()),
    "maximum": _function(Max()),
    "minimum": _function(Min()),
    "equal": _of(2, Equal()),
    "less": _of(2, Less()),
    "less_or_equal": _of(2, LessOrEqual()),
    "greater": _of(2, Greater()),
    "greater_or_equal": _of(2, GreaterOrEqual()),
    "where": _of(3, Where()),
    "neg": _function(Neg()),
    "abs": _function(Abs()),
    "sqrt": _function(Sqrt()),
    "exp": _function(Exp()),
    "log": _function(Log()),
    "erf": _function(Erf()),
    "reciprocal": _function(Reciprocal()),
    "floor": _function(Floor()),
    "ceil": _function(Ceil()),
    "round": _function(Round()),
    **{kind: _reduction(op) for kind, op in REDUCED.items()},
}
"""How each of these kinds of layers becomes operators."""
