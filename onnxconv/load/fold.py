"""Values computed from values that are known before anything runs: shape arithmetic, and weights written as formulas.

An array of objects holds integers some of which are sizes left open, see `onnxconv.load.symbols`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from onnxconv.dtypes import DTYPES, numpy_dtype, rounded
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.load.compute import COMPUTED, of_two
from onnxconv.load.file import dtype_name
from onnxconv.load.integers import dequantized
from onnxconv.load.known import axes_of, filling, integers, limited, settled
from onnxconv.load.step import Reading
from onnxconv.resolve.limits import check_tensor

__all__ = ["FOLDS", "OF_SHAPES", "folded"]

Fold: TypeAlias = Callable[[Reading], Array]

OF_SHAPES = ("Shape", "Size")
"""Operators that read the shape of a tensor, and not its values."""


def folded(at: Reading) -> Array:
    """The value of a node of `FOLDS`. Raises `Refusal` where it has none, or none that is known."""
    try:
        with np.errstate(all="ignore"):
            return settled(FOLDS[at.node.op_type](at))
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError, MemoryError) as reason:
        raise Refusal("not-computable", f"its value cannot be computed: {reason}") from reason


def _shape(at: Reading) -> Array:
    shape = at.any_shape(0)
    rank = len(shape)
    start, end = at.integer("start", 0), at.integer("end", rank)
    return integers(shape[max(0, start + rank if start < 0 else start) : max(0, end + rank if end < 0 else end)])


def _size(at: Reading) -> Array:
    numbers: Any = np.array(1, np.int64)
    for n in at.any_shape(0):
        numbers = of_two("Mul", numbers, integers([n])[0:1].reshape(()))
    return np.asarray(numbers).reshape(())


def _reshape(at: Reading) -> Array:
    x = at.value(0)
    asked = tuple(at.attributes.get("shape", ())) if at.opset < 5 else at.integers(1, "shape")
    zero = at.integer("allowzero", 0)
    shape = tuple(x.shape[i] if n == 0 and not zero else n for i, n in enumerate(asked))
    if -1 in shape:
        rest = math.prod(n for n in shape if n != -1)
        shape = tuple(x.size // rest if n == -1 else n for n in shape)
    return _viewed(x, shape)


def _viewed(x: Array, shape: tuple[int, ...]) -> Array:
    """The same numbers in another shape; one number seen at every position takes no memory."""
    if math.prod(shape) != x.size or min(shape, default=1) < 0:
        raise Refusal("reshape", f"it gives {list(x.shape)} the shape {list(shape)}", "both have as many numbers")
    if x.size and not any(x.strides):
        return np.broadcast_to(x.reshape(-1)[:1].reshape(()) if x.ndim == 0 else x[(0,) * x.ndim], shape)
    if not x.flags.c_contiguous:
        limited(x.shape)
    return x.reshape(shape)


def _squeeze(at: Reading) -> Array:
    x = at.value(0)
    axes = axes_of(at, 13, x.ndim, tuple(i for i, n in enumerate(x.shape) if n == 1))
    return np.squeeze(x, axes)


def _unsqueeze(at: Reading) -> Array:
    x = at.value(0)
    count = len(at.attributes.get("axes", ())) if at.opset < 13 else len(at.integers(1, "axes"))
    return np.expand_dims(x, axes_of(at, 13, x.ndim + count, ()))


def _flatten(at: Reading) -> Array:
    x = at.value(0)
    axis = at.integer("axis", 1)
    first = math.prod(x.shape[: axis if axis >= 0 else axis + x.ndim])
    return _viewed(x, (first, x.size // first if first else 0))


def _transpose(at: Reading) -> Array:
    x = at.value(0)
    order: Array = np.transpose(x, at.attributes.get("perm") or None)
    return order


def _concat(at: Reading) -> Array:
    parts = [at.value(i) for i in range(len(at.node.input))]
    axis = at.axis(1, parts[0].ndim)
    if any(part.ndim != parts[0].ndim for part in parts):
        raise Refusal("join-shape", f"it joins {[list(p.shape) for p in parts]}", "all have as many axes")
    limited([sum(part.size for part in parts)])
    if any(part.dtype == object for part in parts):
        parts = [part.astype(object) for part in parts]
    return np.concatenate(parts, axis)


def _gather(at: Reading) -> Array:
    x, indices = at.value(0), at.value(1, "indices")
    axis = at.integer("axis", 0)
    if not -x.ndim <= axis < x.ndim:
        raise Refusal("axis", f"axis is {axis}", f"there are {x.ndim} axes")
    limited([indices.size * max(1, x.size // max(1, x.shape[axis]))])
    return np.take(x, indices.astype(np.int64), axis)


def _slice(at: Reading) -> Array:
    x = at.value(0)
    if at.opset < 10:
        starts, ends = tuple(at.attributes["starts"]), tuple(at.attributes["ends"])
        axes, steps = tuple(at.attributes.get("axes") or range(len(starts))), (1,) * len(starts)
    else:
        starts, ends = at.integers(1, "starts"), at.integers(2, "ends")
        axes = at.integers(3, "axes") if at.has(3) else tuple(range(len(starts)))
        steps = at.integers(4, "steps") if at.has(4) else (1,) * len(starts)
    if any(not -x.ndim <= axis < x.ndim for axis in axes) or 0 in steps:
        raise Refusal("axis", f"it slices the axes {list(axes)} in steps of {list(steps)}", f"there are {x.ndim} axes")
    cut = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        n = x.shape[axis]
        # Python's slice: an end before the beginning, which -1 would not say, is None when the step goes back.
        stop: int | None = end if end >= 0 else end + n
        if step < 0 and stop is not None and stop < 0:
            stop = None
        cut[axis] = slice(max(start + n, 0) if start < 0 else start, max(stop, 0) if stop is not None else None, step)
    found: Array = x[tuple(cut)]
    return found


def _constant_of_shape(at: Reading) -> Array:
    """One number seen at every position; no memory is taken before the array is asked for."""
    return _spread(filling(at), at.integers(0, "shape"))


def _expand(at: Reading) -> Array:
    array, asked = at.value(0), at.integers(1, "shape")
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


def _tile(at: Reading) -> Array:
    x, repeats = at.value(0), at.integers(1, "repeats")
    if len(repeats) != x.ndim or min(repeats, default=1) < 0:
        raise Refusal("repeats", f"it repeats {list(x.shape)} {list(repeats)} times", "one number per axis, 0 or more")
    limited([x.size * math.prod(repeats)])
    return np.tile(x, repeats)


def _range(at: Reading) -> Array:
    start, limit, delta = (at.value(i) for i in range(3))
    if any(array.size != 1 for array in (start, limit, delta)):
        raise Refusal("range", "its limits are not three numbers")
    if any(array.dtype == object for array in (start, limit, delta)):
        said = ", ".join(str(array.reshape(-1)[0]) for array in (start, limit, delta))
        raise Refusal("symbolic-size", f"its limits and step are {said}", "how many numbers it gives is left open")
    first, last, step = (array.reshape(()).item() for array in (start, limit, delta))
    count = max(0, math.ceil((last - first) / step))
    limited([count])
    steps: Array = (first + np.arange(count) * step).astype(start.dtype)
    return steps


def _cast(at: Reading) -> Array:
    x, name = at.value(0), dtype_name(at.integer("to", 0))
    if name not in DTYPES:
        raise Refusal("dtype", f"it casts to {name}", f"tensors are of type {', '.join(DTYPES)}")
    if x.dtype == object:
        if name == "bool":
            raise Refusal("symbolic-size", "it asks whether an open size is 0")
        return _cast_known(x, DTYPES[name].family == "float")
    if x.size and not any(x.strides):
        return np.broadcast_to(rounded(x[(0,) * x.ndim], name) if x.ndim else rounded(x, name), x.shape)
    limited(x.shape)
    if DTYPES[name].family == "float":
        return rounded(x, name)
    return x.astype(numpy_dtype(name))


def _cast_known(x: Array, real: bool) -> Array:
    """The numbers among open sizes as real ones, or as whole ones: a quotient of them depends on which they are."""
    held = np.empty(x.shape, object)
    held[...] = np.frompyfunc(lambda n: n if isinstance(n, str) else float(n) if real else int(n), 1, 1)(x)
    return held


def _where(at: Reading) -> Array:
    condition, *rest = (at.value(i) for i in range(3))
    if condition.dtype != np.bool_:
        raise Refusal("symbolic-size", "its condition depends on an open size")
    limited(condition.shape, *(part.shape for part in rest))
    if any(part.dtype == object for part in rest):
        rest = [part.astype(object) for part in rest]
    return np.where(condition, *rest)


def _nonzero(at: Reading) -> Array:
    x = at.value(0)
    if x.dtype == object:
        raise Refusal("symbolic-size", "it asks which open sizes are 0")
    limited(x.shape)
    return np.array(np.nonzero(x), np.int64).reshape(max(x.ndim, 1), -1)


FOLDS: dict[str, Fold] = {
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": dequantized,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "NonZero": _nonzero,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
    **COMPUTED,
}
"""ONNX operators whose output is a known value where all their inputs are."""
