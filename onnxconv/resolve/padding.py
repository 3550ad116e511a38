"""The pad attribute turned into begin and end pixels per axis: numbers, words, or an output size to reach."""

from __future__ import annotations

from onnxconv.errors import Refusal
from onnxconv.geometry import (
    Axis,
    Pads,
    Size,
    TransposedAxis,
    TransposedWindow,
    Window,
    causal_pads,
    crop_reaching,
    full_pads,
    pads_reaching,
    same_crop,
    same_pads,
)
from onnxconv.ops import shape_text
from onnxconv.resolve.site import Site

__all__ = ["ends", "transposed_window", "window"]


def window(site: Site) -> Window:
    """The window that kernel, stride, dilation and pad describe on the layer's input. Raises `Refusal`.

    A stride left out is the kernel, a kernel left out is one tap.
    """
    sizes = site.per_axis("kernel") if "kernel" in site.layer else (1,) * len(site.spatial())
    strides = site.per_axis("stride") if "stride" in site.layer else sizes
    dilations = site.per_axis("dilation") if "dilation" in site.layer else (1,) * len(sizes)
    axes = tuple(map(Axis, sizes, strides, dilations))
    pads = ends(site)
    if pads is None:
        targets = _targets(site)
        pads = tuple(_pads(site, axis, n, out) for axis, n, out in zip(axes, site.spatial(), targets, strict=True))
    return tuple(Axis(a.size, a.stride, a.dilation, pad) for a, pad in zip(axes, pads, strict=True))


def transposed_window(site: Site) -> TransposedWindow:
    """The window of a transposed convolution, where pad counts the pixels cut off the output. Raises `Refusal`."""
    attributes = tuple(site.per_axis(name) for name in ("kernel", "stride", "dilation", "output_pad"))
    axes = tuple(
        TransposedAxis(size, stride, dilation, output_pad=extra)
        for size, stride, dilation, extra in zip(*attributes, strict=True)
    )
    crops = ends(site)
    if crops is None:
        targets = _targets(site)
        crops = tuple(_crops(site, axis, n, out) for axis, n, out in zip(axes, site.spatial(), targets, strict=True))
    return tuple(
        TransposedAxis(a.size, a.stride, a.dilation, crop, a.output_pad) for a, crop in zip(axes, crops, strict=True)
    )


def ends(site: Site, attribute: str = "pad") -> tuple[Pads, ...] | None:
    """(begin, end) per axis where they are given as numbers; None where a word or an output size is given."""
    given = site.get(attribute)
    if isinstance(given, int):
        number = site.check(attribute, given)
        return ((number, number),) * len(site.spatial())
    if not isinstance(given, tuple):
        return None
    if len(site.spatial()) == 1 and len(given) == 2 and all(isinstance(entry, int) for entry in given):
        raise Refusal(
            "axes",
            f"{attribute} has 2 entries, the input {shape_text(site.x)} has 1 spatial axis",
            f"{attribute} is a number or a [begin, end] pair per spatial axis",
            f"write [[{given[0]}, {given[1]}]] for {given[0]} before and {given[1]} after",
            attribute,
        )
    site.check_axes(attribute, len(given))
    pairs = [entry if isinstance(entry, tuple) else (entry, entry) for entry in given]
    return tuple((site.check(attribute, begin), site.check(attribute, end)) for begin, end in pairs)


def _targets(site: Site) -> tuple[int | None, ...]:
    """Output sizes to reach, one per axis; None where pad is a word."""
    given, axes = site.get("pad"), len(site.spatial())
    if not isinstance(given, dict):
        return (None,) * axes
    sizes = given["output"]
    sizes = sizes if isinstance(sizes, tuple) else (sizes,) * axes
    site.check_axes("pad", len(sizes))
    return tuple(site.check("pad", size) for size in sizes)


def _pads(site: Site, axis: Axis, n: Size, out: int | None) -> Pads:
    if out is not None:
        return pads_reaching(_known(n), out, axis.size, axis.stride, axis.dilation)
    match site.get("pad"):
        case "same":
            return same_pads(n, axis.extent, axis.stride)
        case "same_lower":
            return same_pads(n, axis.extent, axis.stride, lower=True)
        case "causal":
            return causal_pads(axis.extent)
        case "full":
            return full_pads(axis.extent)
        case word:
            assert word == "valid", f"the vocabulary has no pad word {word!r}"
            return (0, 0)


def _crops(site: Site, axis: TransposedAxis, n: Size, out: int | None) -> Pads:
    if out is not None:
        return crop_reaching(_known(n), out, axis)
    word = site.get("pad")
    assert word in ("same", "valid"), f"the vocabulary has no crop word {word!r}"
    return same_crop(axis) if word == "same" else (0, 0)


def _known(n: Size) -> int:
    if isinstance(n, int):
        return n
    raise Refusal(
        "symbolic-size",
        f"an output size is asked for, but the input size is the symbol {n!r}",
        "pads can be solved for only where the input size is known",
        "give the input a size (--input-shape), or write the pads as numbers",
        "pad",
    )
