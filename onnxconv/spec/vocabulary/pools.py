"""Pools."""

from __future__ import annotations

from onnxconv.spec.vocabulary.attributes import CEIL, DILATION, KERNEL, PAD
from onnxconv.spec.vocabulary.kind import Attribute, Kind

__all__ = ["KINDS"]

_NORM = Attribute("p", "integer", "which norm: 1 sums, 2 is Euclid's", 2, least=1)
_POOL_STRIDE = Attribute("stride", "integers", "pixels between neighbouring outputs; left out: the kernel", least=1)

KINDS = (
    Kind("max_pool", "largest value of a window", (KERNEL, _POOL_STRIDE, DILATION, PAD, CEIL), bare="kernel"),
    Kind(
        "max_pool_indices",
        "the place of the largest value of a window, counted through the whole input without padding",
        (
            KERNEL,
            _POOL_STRIDE,
            DILATION,
            PAD,
            CEIL,
            Attribute("by_columns", "boolean", "a channel is counted through its first axis of space first", False),
        ),
        bare="kernel",
    ),
    Kind(
        "max_unpool",
        "values at the places that a second tensor lists, as a max pool found them; 0 elsewhere",
        (
            KERNEL,
            _POOL_STRIDE,
            Attribute("pad", "pad", "pixels that the pool had added", 0, least=0),
            Attribute(
                "size", "integers", "outputs along each axis; left out: the fewest that pool to the input", least=1
            ),
        ),
        join=True,
    ),
    Kind(
        "average_pool",
        "mean of a window",
        (
            KERNEL,
            _POOL_STRIDE,
            DILATION,
            PAD,
            CEIL,
            Attribute("count_include_pad", "boolean", "padding counts as pixels of value 0", False),
        ),
        bare="kernel",
    ),
    Kind("lp_pool", "p-norm of a window", (KERNEL, _POOL_STRIDE, DILATION, PAD, CEIL, _NORM), bare="kernel"),
    Kind("global_lp_pool", "p-norm of all positions, per channel", (_NORM,), bare="p"),
    Kind("global_max_pool", "largest value of all positions, per channel"),
    Kind("global_average_pool", "mean of all positions, per channel"),
)
