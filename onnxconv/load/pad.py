"""Pads read from ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.errors import Refusal
from onnxconv.geometry import Pads
from onnxconv.load.step import PREVIOUS, Reading, Step
from onnxconv.ops import PAD_MODES, Identity, Pad, Squeeze, Unsqueeze

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
    every = tuple(by_axis.get(axis, (0, 0)) for axis in range(len(x)))
    if any(min(pad) < 0 for pad in every):
        raise Refusal("negative-pad", f"its pads are {list(map(list, every))}", "a pad is never negative")
    return _after_two_axes(at.tensor(), every, mode, value if mode == "constant" else 0.0)


def _after_two_axes(x: str, pads: tuple[Pads, ...], mode: str, value: float) -> Sequence[Step]:
    """Our pads are of spatial axes: what pads an earlier one is given axes in front, which are taken away again."""
    first = next((axis for axis, pad in enumerate(pads) if any(pad)), 2)
    if first >= 2 and len(pads) > 2:
        return (Step(Pad(pads[2:], mode, value), (x,)),)
    if not any(map(any, pads)):
        return (Step(Identity(), (x,)),)
    front = tuple(range(2 - first))
    padded = Pad(pads[first:], mode, value)
    return Step(Unsqueeze(front), (x,)), Step(padded, (PREVIOUS,)), Step(Squeeze(front), (PREVIOUS,))
