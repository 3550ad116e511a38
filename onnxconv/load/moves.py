"""Operators that move values, read from ONNX nodes: pads and what flattens."""

from __future__ import annotations

import math
from collections.abc import Sequence

from onnxconv.errors import Refusal
from onnxconv.load.step import Reading, Step
from onnxconv.ops import PAD_MODES, Flatten, Pad, shape_text

__all__ = ["flatten", "pad", "reshape", "squeeze"]


def pad(at: Reading) -> Sequence[Step]:
    x = at.shape()
    mode = at.word("mode", "constant")
    if mode not in PAD_MODES:
        raise Refusal("pad-mode", f"its mode is {mode!r}", f"it is one of {', '.join(PAD_MODES)}")
    value = 0.0
    if at.opset < 11:
        pads = tuple(at.attributes.get("pads" if at.opset >= 2 else "paddings", ()))
        axes = tuple(range(len(x)))
        value = at.real("value", 0.0)
    else:
        pads = at.integers(1, "pads")
        axes = tuple(a % len(x) for a in at.integers(3, "axes")) if at.has(3) else tuple(range(len(x)))
        value = at.number(2, "value") if at.has(2) else 0.0
    if len(pads) != 2 * len(axes):
        raise Refusal("attribute-length", f"pads has {len(pads)} numbers", f"{len(axes)} begins and ends are needed")
    by_axis = {axis: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    if any(any(by_axis.get(axis, ())) for axis in (0, 1)):
        raise Refusal("pad-axis", "it pads the batch or the channels", "only spatial axes are padded here")
    spatial = tuple(by_axis.get(axis, (0, 0)) for axis in range(2, len(x)))
    if any(min(pad) < 0 for pad in spatial):
        raise Refusal("negative-pad", f"its pads are {list(map(list, spatial))}", "a pad is never negative")
    return (Step(Pad(spatial, mode, value if mode == "constant" else 0.0), (at.tensor(),)),)


def reshape(at: Reading) -> Sequence[Step]:
    """A reshape is understood where it flattens all but the batch."""
    x = at.shape()
    target = tuple(at.attributes.get("shape", ())) if at.opset < 5 else at.integers(1, "shape")
    rest = math.prod(n for n in x[1:] if isinstance(n, int))
    known = all(isinstance(n, int) for n in x[1:]) and len(target) == 2
    if known:
        first, second = target
        kept = first == x[0] or (first == 0 and not at.integer("allowzero", 0))
        if (kept and second in (-1, rest)) or (first == -1 and second == rest):
            return (Step(Flatten(), (at.tensor(),)),)
    raise Refusal(
        "reshape", f"it reshapes {shape_text(x)} to {list(target)}", "only flattening to [N, features] is understood"
    )


def squeeze(at: Reading) -> Sequence[Step]:
    x = at.shape()
    axes = at.axes(13) or tuple(i for i, n in enumerate(x) if n == 1)
    if sorted(axes) == list(range(2, len(x))) and all(x[i] == 1 for i in axes):
        return (Step(Flatten(), (at.tensor(),)),)
    raise Refusal(
        "squeeze",
        f"it removes the axes {list(axes)} of {shape_text(x)}",
        "only all spatial axes of size 1 are understood",
    )


def flatten(at: Reading) -> Sequence[Step]:
    axis = at.integer("axis", 1)
    if axis not in (1, 1 - len(at.shape())):
        raise Refusal("axis", f"axis is {axis}", "a flatten keeps the batch: its axis is 1")
    return (Step(Flatten(), (at.tensor(),)),)
