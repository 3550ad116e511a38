"""Layers that sum products: convolutions in all their variants, transposed convolutions, dense layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from onnxconv.errors import Refusal
from onnxconv.geometry import Axis
from onnxconv.graph import Node, Recipe, TensorType, Tiled, Transposed
from onnxconv.ops import END, Add, Conv, ConvTranspose, Dense, MatMul, Pad, Range, Slice, shape_text
from onnxconv.ops.conv import check_groups
from onnxconv.ops.protocol import fixed
from onnxconv.resolve.padding import ends, transposed_window, window
from onnxconv.resolve.site import Site

__all__ = ["conv", "conv_transpose", "crop", "dense", "pad"]


def conv(site: Site) -> tuple[Node, ...]:
    """A convolution; before it a Pad node where the padding holds anything but zeros.

    Groups that are summed are an ordinary convolution over all channels: Σ_g w_g ∗ x_g = w ∗ x with the kernels w_g side
    by side. A tied kernel is one stored kernel repeated, along the filters where groups are concatenated and along the
    input channels where they are summed.
    """
    site.spatial()
    channels, groups = _channels(site), _groups(site)
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
    shape, taps = op.weight_shapes(site.x)["weight"], math.prod(a.size for a in axes)
    fan = shape[1] * taps, filters // op.groups * taps
    recipes: Mapping[str, Recipe] = {}
    if tied:
        repeats = (1, groups) if summed else (groups, 1)
        own = (shape[0] // repeats[0], shape[1] // repeats[1], *shape[2:])
        recipes = {"weight": Tiled(site.stored(op.kind, "weight", own, fan), (*repeats, *[1] * len(axes)))}
    return (*nodes, site.node(op, fan=fan, recipes=recipes))


def conv_transpose(site: Site) -> tuple[Node, ...]:
    """A transposed convolution."""
    channels, groups, filters = _channels(site), _groups(site), site.integer("filters")
    axes = transposed_window(site)
    check_groups(channels, filters, groups)
    reaching = math.prod(max(a.overlaps()) for a in axes)
    fan = channels // groups * reaching, filters // groups * math.prod(a.size for a in axes)
    return (site.node(ConvTranspose(axes, filters, groups, site.get("bias")), fan=fan),)


def dense(site: Site) -> tuple[Node, ...]:
    """A dense layer on [N, features]; over the last of more axes, a product and a sum."""
    op = Dense(site.integer("features"), site.get("bias"))
    if site.get("last_axis") and len(site.x) > 2:
        return _over_the_last_axis(site, op)
    op.out_shape(site.x)
    return (site.node(op, fan=(fixed(site.x[1], "the number of features"), op.out_features)),)


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
    return (site.node(Slice(tuple(ranges))),)


def _padded(site: Site, axes: tuple[Axis, ...]) -> Node:
    mode, value = _mode(site)
    return site.node(Pad(tuple(axis.pad for axis in axes), mode, value), part="pad")


def _mode(site: Site) -> tuple[str, float]:
    """What padding holds: the mode as `Pad` knows it, and the number for mode constant."""
    mode, value = site.get("pad_mode"), float(site.get("pad_value"))
    return ("constant" if mode == "zeros" else mode), value


def _channels(site: Site) -> int:
    site.spatial()
    return fixed(site.x[1], "the number of input channels")


def _groups(site: Site) -> int:
    return _channels(site) if site.get("group") == "depthwise" else site.integer("group")


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
