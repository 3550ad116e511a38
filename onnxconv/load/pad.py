"""Pads read from ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.errors import Refusal
from onnxconv.load.step import Reading, Step
from onnxconv.ops import PAD_MODES, Pad

__all__ = ["pad"]


def pad(at: Reading) -> Sequence[Step]:
    """Pads are an attribute before opset 11; axes came with 18, mode wrap with 19."""
    x = at.shape()
    mode = at.word("mode", "constant")
    if mode not in PAD_MODES:
        raise Refusal("pad-mode", f"its mode is {mode!r}", f"it is one of {', '.join(PAD_MODES)}")
    if mode == "wrap" and at.opset < 19:
        raise Refusal("pad-mode", "its mode is 'wrap'", "Pad has that since opset 19", "convert the model to opset 19")
    if at.opset < 11:
        pads = tuple(at.attributes.get("pads" if at.opset >= 2 else "paddings", ()))
        axes = tuple(range(len(x)))
    else:
        pads = at.integers(1, "pads")
        axes = at.integers(3, "axes") if at.has(3) else tuple(range(len(x)))
    if len(pads) != 2 * len(axes):
        raise Refusal("attribute-length", f"pads has {len(pads)} numbers", f"{len(axes)} begins and ends are needed")
    if len({axis % len(x) for axis in axes if -len(x) <= axis < len(x)}) < len(axes):
        raise Refusal("axes", f"it pads the axes {list(axes)}", f"axes are {-len(x)} to {len(x) - 1}, each once")
    by_axis = {axis % len(x): (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    first = 0 if len(x) < 3 or any(any(by_axis.get(axis, ())) for axis in (0, 1)) else 2
    ends = tuple(by_axis.get(axis, (0, 0)) for axis in range(first, len(x)))
    return (Step(Pad(ends, mode, _value(at) if mode == "constant" else 0.0, first), (at.tensor(),)),)


def _value(at: Reading) -> float:
    if at.opset < 11:
        return at.real("value", 0.0)
    if not at.has(2):
        return 0.0
    array = at.constant(2, "value").array
    return float(array.reshape(-1)[0]) if array.dtype.name == "bool" and array.size == 1 else at.number(2, "value")
