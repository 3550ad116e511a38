"""Constants computed from constants: weights that exporters write as a shape and a value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.load.file import array_of
from onnxconv.load.step import Reading
from onnxconv.resolve.limits import check_tensor

__all__ = ["FOLDS"]


def _constant_of_shape(at: Reading, file: Path) -> Array:
    """One number seen at every position; no memory is taken before the array is asked for."""
    value = array_of(at.attributes["value"], file) if "value" in at.attributes else np.zeros(1, np.float32)
    if value.size != 1:
        raise Refusal("constant", f"its value has {value.size} numbers", "a shape is filled with one number")
    return _spread(value.reshape(()), at.integers(0, "shape"))


def _expand(at: Reading, _: Path) -> Array:
    array = at.constant(0, "input").array
    asked = at.integers(1, "shape")
    try:
        return _spread(array, np.broadcast_shapes(array.shape, asked))
    except ValueError:
        what = f"it expands {list(array.shape)} to {list(asked)}"
        raise Refusal("broadcast", what, "sizes must be equal, or 1 in one of the two") from None


def _spread(array: Array, shape: tuple[int, ...]) -> Array:
    if min(shape, default=1) < 0:
        raise Refusal("negative-size", f"its shape is {list(shape)}", "a size is at least 0")
    check_tensor(shape)
    return np.broadcast_to(array, shape)


FOLDS: dict[str, Callable[[Reading, Path], Array]] = {"ConstantOfShape": _constant_of_shape, "Expand": _expand}
"""ONNX operators whose output is a constant where all their inputs are."""
