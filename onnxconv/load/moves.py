"""Operators that move values, read from ONNX nodes: what changes axes, slices, repeats, casts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from onnxconv.errors import Refusal
from onnxconv.geometry import Size, apart
from onnxconv.load.file import dtype_name
from onnxconv.load.known import filling
from onnxconv.load.sizes import expanded, reshaped
from onnxconv.load.step import Constant, Reading, Step
from onnxconv.ops import (
    DEPTH_ORDERS,
    END,
    Cast,
    Concat,
    DepthToSpace,
    Expand,
    Flatten,
    Gather,
    Range,
    Reshape,
    Slice,
    SpaceToDepth,
    Squeeze,
    Tile,
    Transpose,
    Unsqueeze,
    shape_text,
)

__all__ = [
    "cast",
    "cast_like",
    "concat",
    "depth_to_space",
    "expand",
    "filled",
    "flatten",
    "gather",
    "reshape",
    "slices",
    "space_to_depth",
    "split",
    "squeeze",
    "tile",
    "transpose",
    "unsqueeze",
]

MOST_INDICES = 1 << 16
"""Positions that a gather may list."""


def cast(at: Reading) -> Sequence[Step]:
    return (Step(Cast(dtype_name(at.integer("to", 0))), (at.tensor(),)),)


def cast_like(at: Reading) -> Sequence[Step]:
    """To the type of the second input, whose values do not matter."""
    return (Step(Cast(at.type(1).dtype), (at.operand(0),)),)


def concat(at: Reading) -> Sequence[Step]:
    """Since opset 4 there is no default axis."""
    return (Step(Concat(at.axis(1, len(at.type().shape))), at.operands()),)


def flatten(at: Reading) -> Sequence[Step]:
    rank, axis = len(at.shape()), at.integer("axis", 1)
    if not -rank <= axis <= rank:
        raise Refusal("axis", f"axis is {axis}", f"the input has {rank} axes: {-rank} to {rank}")
    return (Step(Flatten(axis % rank if axis < 0 else axis), (at.tensor(),)),)


def reshape(at: Reading) -> Sequence[Step]:
    """One that flattens all but the batch is a `Flatten`."""
    x = at.shape()
    asked = tuple(at.attributes.get("shape", ())) if at.opset < 5 else at.sizes(1, "shape")
    if 0 in asked and at.integer("allowzero", 0):
        return (Step(Reshape(asked, zeros=True), (at.tensor(),)),)
    target, inputs = reshaped(at, asked)
    flat, made = Flatten(), Reshape(target)
    if len(target) == 2 and target[0] in (0, x[0], -1) and inputs[1:] == () and flat.out_shape(x) == made.out_shape(x):
        return (Step(flat, inputs),)
    return (Step(made, inputs),)


def transpose(at: Reading) -> Sequence[Step]:
    """Without perm the axes are reversed."""
    rank = len(at.shape())
    return (Step(Transpose(tuple(at.attributes.get("perm", range(rank)[::-1]))), (at.tensor(),)),)


def squeeze(at: Reading) -> Sequence[Step]:
    """Without axes all of size 1 are taken away: an open size may be one of them."""
    x, axes = at.shape(), at.axes(13)
    if not axes and (still_open := next((n for n in x if isinstance(n, str)), None)) is not None:
        what = f"it takes away all axes of size 1 of {shape_text(x)}"
        raise Refusal("symbolic-size", what, f"whether {still_open} is 1 is left open", at.pin)
    axes = axes or tuple(i for i, n in enumerate(x) if n == 1)
    return (Step(Squeeze(tuple(sorted(axes))), (at.tensor(),)),)


def unsqueeze(at: Reading) -> Sequence[Step]:
    axes = tuple(at.attributes.get("axes", ())) if at.opset < 13 else at.integers(1, "axes")
    rank = len(at.shape()) + len(axes)
    return (Step(Unsqueeze(tuple(sorted(a % rank if -rank <= a < rank else a for a in axes))), (at.tensor(),)),)


def slices(at: Reading) -> Sequence[Step]:
    """Starts, ends and axes are attributes before opset 10, when steps were added."""
    x = at.shape()
    if at.opset < 10:
        starts, stops = (tuple(at.attributes.get(name, ())) for name in ("starts", "ends"))
        axes = tuple(at.attributes.get("axes", range(len(starts))))
        steps = (1,) * len(starts)
    else:
        starts, stops = at.sizes(1, "starts"), at.sizes(2, "ends")
        axes = at.integers(3, "axes") if at.has(3) else tuple(range(len(starts)))
        steps = at.integers(4, "steps") if at.has(4) else (1,) * len(starts)
    if not len(starts) == len(stops) == len(axes) == len(steps) > 0:
        what = f"it has {len(starts)} starts, {len(stops)} ends, {len(axes)} axes and {len(steps)} steps"
        raise Refusal("attribute-length", what, "there is one of each for each axis that is sliced")
    for axis in axes:
        if not -len(x) <= axis < len(x):
            raise Refusal("axis", f"it slices axis {axis}", f"the input has {len(x)} axes")
    columns = zip(axes, starts, stops, steps, strict=True)
    ranges = (_range(a % len(x), x[a], _bound(at, i, x[a]), _bound(at, j, x[a]), step) for a, i, j, step in columns)
    return (Step(Slice(tuple(ranges)), (at.tensor(),)),)


def _bound(at: Reading, bound: Size, n: Size) -> int:
    """A position of an axis of n; one that is an open size is counted from the end."""
    if isinstance(bound, int):
        return bound
    beyond = apart(bound, n)
    if beyond is None:
        what = f"it slices at position {bound} of {n}"
        raise Refusal("symbolic-size", what, "how many positions that are depends on a size left open", at.pin)
    return beyond if beyond < 0 else END


def _range(axis: int, n: Size, start: int, stop: int, step: int) -> Range:
    """Stops beyond either end are that end; so are starts, where Python's slices would be empty (ONNX, Slice)."""
    if isinstance(n, int):
        stop = END if stop >= n and step > 0 else -END if stop < -n and step < 0 else stop
        start = 0 if start < -n else min(start, n - (step < 0))
    start, stop, step = (min(max(bound, -END), END) for bound in (start, stop, step))
    return Range(axis, start, stop, step)


def split(at: Reading) -> Sequence[Step]:
    """One slice for each output."""
    x, names = at.shape(), tuple(at.node.output)
    axis = at.axis(0, len(x))
    stops = tuple(int(n) for n in np.cumsum(_parts(at, x[axis], len(names))))
    starts = (0, *stops)
    if isinstance(x[axis], int) and stops[-1] != x[axis]:
        what = f"its parts have {stops[-1]} positions, axis {axis} of {shape_text(x)} has {x[axis]}"
        raise Refusal("split", what, "the parts are the whole")
    ends = (*stops[:-1], END)
    return tuple(
        Step(Slice((Range(axis, start, stop),)), (at.tensor(),), output=name)
        for name, start, stop in zip(names, starts, ends, strict=False)
        if name
    )


def _parts(at: Reading, n: Size, count: int) -> Sequence[int]:
    """Sizes of the outputs: an attribute before opset 13, an input from then on; else equal, the last one smaller."""
    if at.integer("num_outputs", count) != count:
        asked = at.integer("num_outputs", count)
        raise Refusal("split", f"num_outputs is {asked}, and it has {count} outputs", "both are the same number")
    given = tuple(at.attributes.get("split", ())) if at.opset < 13 else ()
    if at.has(1):
        given = at.integers(1, "split")
    if given:
        if len(given) != count or min(given) < 0:
            raise Refusal("split", f"it splits to {list(given)} and has {count} outputs", "there is a size for each")
        return given
    if not isinstance(n, int):
        raise Refusal("symbolic-size", f"it splits an axis of {n} positions in {count}", "", "give this size a number")
    if at.opset < 18 and n % count:
        raise Refusal("split", f"it splits {n} positions into {count} equal parts", "before opset 18 parts are equal")
    each = math.ceil(n / count)
    return (*[each] * (count - 1), n - each * (count - 1))


def gather(at: Reading) -> Sequence[Step]:
    array = at.constant(1, "indices").array
    if array.dtype.kind not in "iu" or not 0 < array.size <= MOST_INDICES:
        what = f"its indices are {array.size} of {array.dtype.name}"
        raise Refusal("gather", what, f"indices are 1 to {MOST_INDICES} whole numbers")
    op = Gather(tuple(int(i) for i in array.reshape(-1)), array.shape, at.axis(0, len(at.shape())))
    return (Step(op, (at.tensor(),)),)


def expand(at: Reading) -> Sequence[Step]:
    """Of a constant too, where the shape is not known."""
    shape, inputs = expanded(at, at.operand(0), at.type(0).shape, at.sizes(1, "shape"))
    return (Step(Expand(shape), inputs),)


def filled(at: Reading) -> Sequence[Step]:
    """A ConstantOfShape whose shape is not known: one number, spread."""
    number = filling(at)
    shape, inputs = expanded(at, Constant(at.fresh("value"), number), number.shape, at.sizes(0, "shape"))
    return (Step(Expand(shape), inputs),)


def tile(at: Reading) -> Sequence[Step]:
    """Before opset 6 it repeats one axis."""
    rank = len(at.shape())
    if at.opset >= 6:
        return (Step(Tile(at.integers(1, "repeats")), (at.tensor(),)),)
    (count,), (axis,) = at.integers(1, "tiles"), at.integers(2, "axis")
    return (Step(Tile(tuple(count if i == axis else 1 for i in range(rank))), (at.tensor(),)),)


def depth_to_space(at: Reading) -> Sequence[Step]:
    """Since opset 11 it has a mode."""
    return (Step(DepthToSpace(at.integer("blocksize", 0), _order(at)), (at.tensor(),)),)


def space_to_depth(at: Reading) -> Sequence[Step]:
    """Since opset 28 it has a mode."""
    return (Step(SpaceToDepth(at.integer("blocksize", 0), _order(at)), (at.tensor(),)),)


def _order(at: Reading) -> str:
    order = at.word("mode", "DCR")
    if order not in DEPTH_ORDERS:
        raise Refusal("mode", f"its mode is {order!r}", f"it is one of {', '.join(DEPTH_ORDERS)}")
    return order
