"""Sizes beyond which a spec is taken for a slip of the pen. Checked by arithmetic, before anything is allocated."""

from __future__ import annotations

import math

from onnxconv.dtypes import DTYPES
from onnxconv.errors import Refusal
from onnxconv.ops import Shape, shape_text
from onnxconv.ops.protocol import per_image

__all__ = [
    "LARGEST_INTEGER",
    "LARGEST_TENSOR",
    "LARGEST_WEIGHT",
    "check_tensor",
    "check_weight",
]

LARGEST_INTEGER = 2**31 - 1
"""The largest whole number in a spec: sizes beyond 32 bits overflow in runtimes."""

LARGEST_TENSOR = 2**40
"""Elements of one tensor, a symbolic dimension counting as 1."""

LARGEST_WEIGHT = 2**40
"""Bytes of one weight."""


def check_tensor(shape: Shape) -> None:
    """Refuse a tensor of more than `LARGEST_TENSOR` elements."""
    elements = per_image(shape)
    if elements > LARGEST_TENSOR:
        raise Refusal(
            "too-large",
            f"a tensor {shape_text(shape)} has {elements:,} elements",
            f"a tensor has at most 2^40 = {LARGEST_TENSOR:,} elements",
            "use fewer filters, a larger stride or a smaller input",
        )


def check_weight(role: str, shape: tuple[int, ...], dtype: str) -> None:
    """Refuse a weight of more than `LARGEST_WEIGHT` bytes."""
    size = math.prod(shape) * DTYPES[dtype].bytes
    if size > LARGEST_WEIGHT:
        raise Refusal(
            "too-large",
            f"the {role} {shape_text(shape)} in {dtype} takes {size:,} bytes",
            f"a weight takes at most 2^40 = {LARGEST_WEIGHT:,} bytes",
            "use fewer filters, a smaller kernel or more groups",
        )
