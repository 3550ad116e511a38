"""The types that the probes speak in, and the operators that move values."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy.typing as npt

__all__ = ["MOVING", "PRODUCTS", "Array"]

Array: TypeAlias = npt.NDArray[Any]

MOVING = (
    "ChannelShuffle",
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)
"""Values arrive as they were, in other places, perhaps in other channels."""

PRODUCTS = ("Conv", "ConvTranspose", "Gemm")
"""Kinds of layers that sum products with a kernel of their own."""
