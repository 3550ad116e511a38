"""How operators with windows are said, and what they add and cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onnxconv.errors import Refusal
from onnxconv.geometry import Axis, Pads, TransposedAxis, causal_pads, ceil_axis, full_pads, same_crop, same_pads
from onnxconv.ops import (
    END,
    AveragePool,
    Conv,
    ConvTranspose,
    DeformConv,
    Dense,
    LpPool,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Operator,
    Pad,
    Shape,
    Slice,
)
from onnxconv.specify.writers.words import Attributes, Writer, number, one

__all__ = ["WINDOWS", "crop", "window_of"]


def _conv(op: Conv, x: Shape) -> Attributes:
    depthwise = op.groups > 1 and op.groups == x[1]
    return {
        "filters": None if depthwise and op.out_channels == op.groups else op.out_channels,
        **_window(op.window, 1),
        "group": "depthwise" if depthwise else op.groups,
        "bias": op.bias,
        "pad": _pad(op.window, x),
    }


def _conv_transpose(op: ConvTranspose, x: Shape) -> Attributes:
    return {
        "filters": op.out_channels,
        **_window(op.window, 1),
        "group": "depthwise" if op.groups > 1 and op.groups == x[1] else op.groups,
        "bias": op.bias,
        "pad": _crop(op.window),
        "output_pad": one(a.output_pad for a in op.window),
    }


def _crop(window: Sequence[TransposedAxis]) -> Any:
    crops = [a.pad for a in window]
    even = _numbers(crops)
    if even is not None:
        return even
    try:
        return "same" if crops == [same_crop(a) for a in window] else _pairs(crops)
    except Refusal:
        return _pairs(crops)


def _max_pool(op: MaxPool, x: Shape) -> Attributes:
    return {**_window(op.window, None), **_pool_pad(op.window, x)}


def _average_pool(op: AveragePool, x: Shape) -> Attributes:
    pad = {"pad": _pad(op.window, x)} if op.count_include_pad else _pool_pad(op.window, x)
    return {**_window(op.window, None), **pad, "count_include_pad": op.count_include_pad}


def _window(window: Sequence[Axis | TransposedAxis], stride: int | None) -> Attributes:
    """Kernel, stride and dilation; a stride of None is the kernel's."""
    kernel = one(a.size for a in window)
    strides = one(a.stride for a in window)
    return {
        "kernel": kernel,
        "stride": None if stride is None and strides == kernel else strides,
        "dilation": one(a.dilation for a in window),
    }


def _numbers(pads: Sequence[Pads]) -> Any:
    """Pads with as many pixels at the end as at the begin, in short; None where there are others."""
    return one(begin for begin, _ in pads) if all(begin == end for begin, end in pads) else None


def _pairs(pads: Sequence[Pads]) -> list[Any]:
    return [list(pad) for pad in pads]


def _pad(window: Sequence[Axis], x: Shape) -> Any:
    """The pads as numbers where both ends are equal, else by a word that comes to the same, else pair by pair."""
    pads = [a.pad for a in window]
    even = _numbers(pads)
    if even is not None:
        return even
    words: dict[str, Callable[[Axis, Any], Pads]] = {
        "causal": lambda a, _: causal_pads(a.extent),
        "same": lambda a, n: same_pads(n, a.extent, a.stride),
        "same_lower": lambda a, n: same_pads(n, a.extent, a.stride, lower=True),
        "full": lambda a, _: full_pads(a.extent),
    }
    for word, meaning in words.items():
        try:
            if pads == [meaning(a, n) for a, n in zip(window, x[2:], strict=True)]:
                return word
        except Refusal:
            continue
    return _pairs(pads)


def _pool_pad(window: Sequence[Axis], x: Shape) -> Attributes:
    """Pads of a pool; end pads that its ceil mode amounts to are said by it."""
    pads = [a.pad for a in window]
    if _numbers(pads) is None:
        even = [Axis(a.size, a.stride, a.dilation, (a.pad[0], a.pad[0])) for a in window]
        try:
            rounded = [ceil_axis(a, n).pad for a, n in zip(even, x[2:], strict=True)]
        except Refusal:
            rounded = []
        if rounded == pads:
            return {"pad": _numbers([a.pad for a in even]), "ceil": True}
    return {"pad": _pad(window, x)}


def _padding(op: Pad, _: Shape) -> Attributes:
    mode = "zeros" if (op.mode, op.value) == ("constant", 0) else op.mode
    even = _numbers(op.pads)
    return {
        "pad": _pairs(op.pads) if even is None else even,
        "pad_mode": mode,
        "pad_value": number(op.value),
        "axis": op.first,
    }


def crop(op: Slice, x: Shape) -> Attributes | None:
    """A slice of several spatial axes, each without some pixels at its ends; None for any other."""
    cut = {along.axis: (along.start, 0 if along.stop == END else -along.stop) for along in op.ranges}
    plain = all(along.step == 1 for along in op.ranges) and all(end >= 0 for pair in cut.values() for end in pair)
    if not plain or len(cut) < 2 or min(cut) < 2 or any(r.stop == 0 for r in op.ranges) or [*cut] != sorted(cut):
        return None
    pixels = [cut.get(axis, (0, 0)) for axis in range(2, len(x))]
    even = _numbers(pixels)
    return {"pixels": _pairs(pixels) if even is None else even}


def _deform_conv(op: DeformConv, x: Shape) -> Attributes:
    rigid = Conv(op.window, op.out_channels, op.groups, op.bias)
    return {**_conv(rigid, x), "filters": op.out_channels, "offset_group": op.offset_groups}


def _max_pool_indices(op: MaxPoolIndices, x: Shape) -> Attributes:
    return {**_max_pool(MaxPool(op.window), x), "by_columns": op.by_columns}


def _max_unpool(op: MaxUnpool, _: Shape) -> Attributes | None:
    how, pads = _window(op.window, None), [a.pad for a in op.window]
    if how.pop("dilation") != 1:
        return None
    even = _numbers(pads)
    size = None if op.size is None else one(op.size)
    return {**how, "pad": _pairs(pads) if even is None else even, "size": size}


def window_of(window: Sequence[Axis], groups: int, x: Shape) -> Attributes:
    """What a convolution says beside its filters."""
    said = _conv(Conv(tuple(window), 0, groups), x)
    return {key: said[key] for key in ("kernel", "stride", "dilation", "group", "pad")}


WINDOWS: dict[str, tuple[type[Operator], Writer]] = {
    "conv": (Conv, _conv),
    "conv_transpose": (ConvTranspose, _conv_transpose),
    "dense": (Dense, lambda op, _: {"features": op.out_features, "bias": op.bias}),
    "max_pool": (MaxPool, _max_pool),
    "average_pool": (AveragePool, _average_pool),
    "lp_pool": (LpPool, lambda op, x: {**_window(op.window, None), **_pool_pad(op.window, x), "p": op.p}),
    "pad": (Pad, _padding),
    "crop": (Slice, crop),
    "deform_conv": (DeformConv, _deform_conv),
    "max_pool_indices": (MaxPoolIndices, _max_pool_indices),
    "max_unpool": (MaxUnpool, _max_unpool),
}
"""Operators with windows, and pixels added and cut off."""
