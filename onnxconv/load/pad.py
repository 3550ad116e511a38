"""Pads read from ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.errors import Refusal
from onnxconv.load.step import Reading, Step
from onnxconv.ops import PAD_MODES, Pad

__all__ = ["pad"]


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
