"""Layers that sum products: convolutions in all their variants, transposed convolutions, dense layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from onnxconv.errors import Refusal
from onnxconv.geometry import Axis
from onnxconv.graph import Node, Recipe, TensorType, Tiled, Transposed
from onnxconv.ops import (
    END,
    Add,
    Conv,
    ConvTranspose,
    DeformConv,
    Dense,
    DequantizedConv,
    DequantizedGemm,
    MatMul,
    Operator,
    Pad,
    Range,
    Slice,
    shape_text,
)
from onnxconv.ops.conv import check_groups
from onnxconv.ops.protocol import fixed
from onnxconv.resolve.padding import ends, transposed_window, window
from onnxconv.resolve.site import Site

__all__ = ["channels_of", "conv", "conv_transpose", "crop", "deform_conv", "dense", "groups_of", "pad"]


def conv(site: Site) -> tuple[Node, ...]:
    """A convolution; before it a Pad node where the padding holds anything but zeros.

    Groups that are summed are an ordinary convolution over all channels: Σ_g w_g ∗ x_g = w ∗ x with the kernels w_g side
    by side. A tied kernel is one stored kernel repeated, along the filters where groups are concatenated and along the
    input channels where they are summed.
    """
    site.spatial()
    channels, groups = channels_of(site), groups_of(site)
    summed, tied = site.get("join") == "sum", site.get("tied") and groups > 1
    filters = _filters(site, channels)
    axes = window(site)
    nodes: tuple[Node, ...] = ()
    if _mode(site) != ("constant", 0.0) and any(any(axis.pad) for axis in axes):
        nodes = (_padded(site, axes),)
        axes = tuple(Axis(a.size, a.stride, a.dilation) for a in axes)
        site = site.after(nodes[0])
    if summed:
        check_groups(channels, 0, groups)
    op = Conv(axes, filters, 1 if summed else groups, site.get("bias"))
    op.out_shape(site.x)
    held = _held(site, op)
    shape, taps = op.weight_shapes(site.x)["weight"], math.prod(a.size for a in axes)
    fan = shape[1] * taps, filters // op.groups * taps
    recipes: Mapping[str, Recipe] = {}
    if tied:
        repeats = (1, groups) if summed else (groups, 1)
        own = (shape[0] // repeats[0], shape[1] // repeats[1], *shape[2:])
        recipes = {"weight": Tiled(site.stored(held.kind, "weight", own, fan), (*repeats, *[1] * len(axes)))}
    return (*nodes, site.node(held, fan=fan, recipes=recipes, dtypes=INT8 if held is not op else {}))


INT8 = {"weight": "int8", "bias": "int32"}
"""Data types of what is stored as integers, by role; the scales are floats."""


def _held(site: Site, op: Conv | Dense) -> Operator:
    """The operator on weights as they are stored: floats, or integers with scales. Raises `Refusal`."""
    how = site.get("int8")
    if how is None:
        return op
    if site.dtype != "float32":
        why = "int8 weights are multiplied with float32 scales"
        raise Refusal("dtype", f"int8 weights on {site.dtype}", why, "put cast: float32 before it", "int8")
    made = DequantizedConv if isinstance(op, Conv) else DequantizedGemm
    return made(op, how == "per_filter")


def deform_conv(site: Site) -> tuple[Node, ...]:
    """A convolution whose taps a second tensor moves; a third one, if there is one, is what their values are multiplied by."""
    site.need_tensors(2, 3)
    channels, groups, filters = channels_of(site), groups_of(site), site.integer("filters")
    check_groups(channels, filters, groups)
    op = DeformConv(window(site), filters, groups, site.get("bias"), site.integer("offset_group"))
    op.out_shape(*(type.shape for type in site.types))
    taps = math.prod(axis.size for axis in op.window)
    return (site.node(op, fan=(channels // groups * taps, filters // groups * taps)),)


def conv_transpose(site: Site) -> tuple[Node, ...]:
    """A transposed convolution."""
    channels, groups, filters = channels_of(site), groups_of(site), site.integer("filters")
    axes = transposed_window(site)
    check_groups(channels, filters, groups)
    reaching = math.prod(max(a.overlaps()) for a in axes)
    fan = channels // groups * reaching, filters // groups * math.prod(a.size for a in axes)
    return (site.node(ConvTranspose(axes, filters, groups, site.get("bias")), fan=fan),)


def dense(site: Site) -> tuple[Node, ...]:
    """A dense layer on [N, features]; over the last of more axes, a product and a sum."""
    op = Dense(site.integer("features"), site.get("bias"))
    if site.get("last_axis") and len(site.x) > 2:
        if "int8" in site.layer:
            why = "a product over the last of more axes has no integer form here"
            raise Refusal("int8", "int8 with last_axis", why, "leave one of them out", "int8")
        return _over_the_last_axis(site, op)
    op.out_shape(site.x)
    held = _held(site, op)
    fan = fixed(site.x[1], "the number of features"), op.out_features
    return (site.node(held, fan=fan, dtypes=INT8 if held is not op else {}),)


def _over_the_last_axis(site: Site, op: Dense) -> tuple[Node, ...]:
    """The weight is stored as [features, inputs], as it is for [N, features], and multiplied as [inputs, features]."""
    site.need_floats()
    inputs, features = fixed(site.x[-1], "the last size"), op.out_features
    stored = site.stored(op.kind, "weight", (features, inputs), (inputs, features))
    weight = site.constant("weight", TensorType(site.dtype, (inputs, features)), Transposed(stored))
    product = site.beside(weight)
    if not op.bias:
        return weight, product.node(MatMul())
    multiplied = product.node(MatMul(), part="product")
    bias = site.constant("bias", TensorType(site.dtype, (features,)), site.stored(op.kind, "bias", (features,), (1, 1)))
    return weight, multiplied, bias, site.after(multiplied).beside(bias).node(Add())


def pad(site: Site) -> tuple[Node, ...]:
    """Pixels added around the input, as a layer of its own; from axis `first` on, which need not be one of space."""
    mode, value = _mode(site)
    first = site.integer("axis")
    if first > len(site.x):
        what = f"pads from axis {first} of {shape_text(site.x)} on"
        raise Refusal("axis", what, f"axes are counted from 0 to {len(site.x) - 1}", "use axis 2 for space", "axis")
    behind = replace(site, types=(replace(site.types[0], shape=(1, 1, *site.x[first:])),))
    return (site.node(Pad(ends(behind) or (), mode, value, first)),)


def crop(site: Site) -> tuple[Node, ...]:
    """Pixels cut off around the input: a slice."""
    cut = ends(site, "pixels") or ()
    ranges = (Range(axis, begin, -end if end else END) for axis, (begin, end) in enumerate(cut, 2) if begin or end)
    return (site.node(Slice(tuple(ranges)).keeping(site.x)),)


def _padded(site: Site, axes: tuple[Axis, ...]) -> Node:
    mode, value = _mode(site)
    return site.node(Pad(tuple(axis.pad for axis in axes), mode, value), part="pad")


def _mode(site: Site) -> tuple[str, float]:
    """What padding holds: the mode as `Pad` knows it, and the number for mode constant."""
    mode, value = site.get("pad_mode"), float(site.get("pad_value"))
    return ("constant" if mode == "zeros" else mode), value


def channels_of(site: Site) -> int:
    site.spatial()
    return fixed(site.x[1], "the number of input channels")


def groups_of(site: Site) -> int:
    return channels_of(site) if site.get("group") == "depthwise" else site.integer("group")


def _filters(site: Site, channels: int) -> int:
    """Output channels: as written, or the multiplier times the input channels, or as many as those if depthwise."""
    layer, depthwise = site.layer, site.get("group") == "depthwise"
    if "filters" in layer:
        return site.integer("filters")
    if "multiplier" in layer and not (depthwise and site.get("join") == "concat"):
        raise Refusal(
            "multiplier",
            f"multiplier with group {site.get('group')} and join {site.get('join')}",
            "multiplier counts the filters of each input channel, whose outputs are concatenated",
            f"write group: depthwise and leave join out, or write filters: {site.integer('multiplier') * channels}",
            "multiplier",
        )
    if not depthwise or site.get("join") == "sum":
        raise Refusal(
            "filters",
            "the number of filters is missing",
            "a convolution has as many output channels as filters",
            "write filters",
        )
    return channels * (site.integer("multiplier") if "multiplier" in layer else 1)
