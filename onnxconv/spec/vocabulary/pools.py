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
