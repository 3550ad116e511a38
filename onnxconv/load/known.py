"""Known values as arrays: an array of objects holds integers some of which are sizes left open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.load.file import array_of
from onnxconv.load.step import Reading

__all__ = ["LARGEST", "axes_of", "filling", "integers", "limited", "settled"]

LARGEST = 2**26
"""Numbers in an array that has to be made; views of what is there may be larger."""


def limited(*shapes: Sequence[int]) -> None:
    """Refuse to make what broadcasting these shapes gives, where that is too much."""
    numbers = math.prod(int(n) for n in np.broadcast_shapes(*map(tuple, shapes)))
    if numbers > LARGEST:
        raise Refusal("too-large", f"a constant of {numbers:,} numbers is computed", f"at most {LARGEST:,} are")


def integers(array: Sequence[Any]) -> Array:
    """int64, or objects where a size is open."""
    held = np.empty(len(array), object)
    held[:] = array
    return held if any(isinstance(n, str) for n in array) else held.astype(np.int64)


def settled(array: Any) -> Array:
    """Objects none of which is an open size any more, as plain numbers. NumPy gives one object for an array of it."""
    if not isinstance(array, np.ndarray):
        held = np.empty((), object if isinstance(array, str) else np.asarray(array).dtype)
        held[()] = array
        return held
    if array.dtype != object or any(isinstance(n, str) for n in array.reshape(-1)):
        return array
    kinds = {type(n) for n in array.reshape(-1)}
    return array.astype(np.bool_ if kinds == {bool} else np.float32 if float in kinds else np.int64)


def filling(at: Reading) -> Array:
    """The number that a ConstantOfShape fills a shape with."""
    value = array_of(at.attributes["value"], at.file) if "value" in at.attributes else np.zeros(1, np.float32)
    if value.size != 1:
        raise Refusal("constant", f"its value has {value.size} numbers", "a shape is filled with one number")
    return value.reshape(())


def axes_of(at: Reading, since: int, rank: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of a node on a known value, counted from the front: an attribute before opset `since`, an input from then on."""
    if at.opset < since:
        axes = tuple(at.attributes.get("axes", default))
    else:
        axes = at.integers(1, "axes") if at.has(1) else default
    if any(not -rank <= axis < rank for axis in axes):
        raise Refusal("axis", f"its axes are {list(axes)}", f"there are {rank} axes")
    return tuple(axis % rank for axis in axes)
