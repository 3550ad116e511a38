"""Pools read from ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.errors import Refusal
from onnxconv.load.step import PREVIOUS, Reading, Step
from onnxconv.load.windows import window_of_pool
from onnxconv.ops import AveragePool, Flatten, GlobalAveragePool, MaxPool, Pad, shape_text

__all__ = ["average_pool", "max_pool", "reduce_mean"]


def max_pool(at: Reading) -> Sequence[Step]:
    return (Step(MaxPool(window_of_pool(at)[1]), (at.tensor(),)),)


def average_pool(at: Reading) -> Sequence[Step]:
    """Pixels that only the ceil mode adds are never counted; written pads are, if asked for. Then they are real pixels."""
    written, rounded = window_of_pool(at)
    counted = bool(at.integer("count_include_pad", 0))
    pads = tuple(a.pad for a in written)
    if not counted or rounded == written or not any(map(any, pads)):
        return (Step(AveragePool(rounded, counted and rounded == written), (at.tensor(),)),)
    beyond = tuple(
        type(r)(r.size, r.stride, r.dilation, (0, r.pad[1] - w.pad[1])) for r, w in zip(rounded, written, strict=True)
    )
    return (Step(Pad(pads), (at.tensor(),)), Step(AveragePool(beyond), (PREVIOUS,)))


def reduce_mean(at: Reading) -> Sequence[Step]:
    x = at.shape()
    axes = at.axes(18)
    if sorted(axes) != list(range(2, len(x))) or len(x) < 3:
        raise Refusal(
            "axes", f"it averages over the axes {list(axes)} of {shape_text(x)}", "only all spatial axes are understood"
        )
    pooled = Step(GlobalAveragePool(), (at.tensor(),))
    return (pooled,) if at.integer("keepdims", 1) else (pooled, Step(Flatten(), (PREVIOUS,)))
