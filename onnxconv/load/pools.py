"""Pools read from ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.errors import Refusal
from onnxconv.load.step import PREVIOUS, Reading, Step
from onnxconv.load.windows import window, window_of_pool
from onnxconv.ops import (
    GlobalLpPool,
    LpPool,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    average,
    shape_text,
)

__all__ = ["average_pool", "global_lp_pool", "lp_pool", "max_pool", "max_unpool"]


def max_pool(at: Reading) -> Sequence[Step]:
    window, x = window_of_pool(at)[1], at.tensor()
    pool = Step(MaxPool(window), (x,))
    if not any(at.node.output[1:]):
        return (pool,)
    places = MaxPoolIndices(window, bool(at.integer("storage_order", 0)))
    return (Step(places, (x,), output=at.node.output[1]), pool)


def lp_pool(at: Reading) -> Sequence[Step]:
    return (Step(LpPool(window_of_pool(at)[1], at.integer("p", 2)), (at.tensor(),)),)


def global_lp_pool(at: Reading) -> Sequence[Step]:
    return (Step(GlobalLpPool(at.integer("p", 2)), (at.tensor(),)),)


def max_unpool(at: Reading) -> Sequence[Step]:
    """With output_shape the pads change nothing: places count the pixels of the output."""
    kernel = tuple(at.attributes.get("kernel_shape", ()))
    size = at.integers(2, "output shape") if at.has(2) else None
    if size is not None and (len(size) != len(kernel) + 2 or size[:2] != at.shape()[:2]):
        what = f"output_shape is {list(size)}, its input {shape_text(at.shape())}"
        raise Refusal("output-shape", what, "the batch and the channels stay as they are")
    op = MaxUnpool(window(at, kernel), size[2:] if size else None)
    return (Step(op, (at.operand(0), at.operand(1))),)


def average_pool(at: Reading) -> Sequence[Step]:
    written, rounded = window_of_pool(at)
    first, *rest = average(written, rounded, bool(at.integer("count_include_pad", 0)))
    return (Step(first, (at.tensor(),)), *(Step(op, (PREVIOUS,)) for op in rest))
