"""Pools read from ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.errors import Refusal
from onnxconv.load.step import PREVIOUS, Reading, Step
from onnxconv.load.windows import window_of_pool
from onnxconv.ops import (
    Flatten,
    GlobalAveragePool,
    GlobalLpPool,
    LpPool,
    MaxPool,
    average,
    shape_text,
)

__all__ = ["average_pool", "global_lp_pool", "lp_pool", "max_pool", "reduce_mean"]


def max_pool(at: Reading) -> Sequence[Step]:
    return (Step(MaxPool(window_of_pool(at)[1]), (at.tensor(),)),)


def lp_pool(at: Reading) -> Sequence[Step]:
    return (Step(LpPool(window_of_pool(at)[1], at.integer("p", 2)), (at.tensor(),)),)


def global_lp_pool(at: Reading) -> Sequence[Step]:
    return (Step(GlobalLpPool(at.integer("p", 2)), (at.tensor(),)),)


def average_pool(at: Reading) -> Sequence[Step]:
    written, rounded = window_of_pool(at)
    first, *rest = average(written, rounded, bool(at.integer("count_include_pad", 0)))
    return (Step(first, (at.tensor(),)), *(Step(op, (PREVIOUS,)) for op in rest))


def reduce_mean(at: Reading) -> Sequence[Step]:
    x = at.shape()
    axes = at.axes(18)
    if sorted(axes) != list(range(2, len(x))) or len(x) < 3:
        raise Refusal(
            "axes", f"it averages over the axes {list(axes)} of {shape_text(x)}", "only all spatial axes are understood"
        )
    pooled = Step(GlobalAveragePool(), (at.tensor(),))
    return (pooled,) if at.integer("keepdims", 1) else (pooled, Step(Flatten(), (PREVIOUS,)))
