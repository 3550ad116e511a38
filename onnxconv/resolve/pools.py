"""Pools. Ceil mode becomes end padding here, so that no runtime needs to know about it."""

from __future__ import annotations

from onnxconv.geometry import Axis, Window, ceil_axis
from onnxconv.graph import Node
from onnxconv.ops import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, Pad
from onnxconv.resolve.padding import window
from onnxconv.resolve.site import Site

__all__ = ["average_pool", "global_average_pool", "global_max_pool", "max_pool"]


def max_pool(site: Site) -> tuple[Node, ...]:
    """A max pool. Padding never wins, so the pixels that ceil mode adds change nothing but the size."""
    asked = window(site)
    MaxPool(asked).out_shape(site.x)
    return (site.node(MaxPool(_ceiled(site, asked))),)


def average_pool(site: Site) -> tuple[Node, ...]:
    """An average pool; before it a Pad node where it counts the padding but not what ceil mode adds.

    The divisor of a window is the number of its cells inside the input and, with count_include_pad, the padding; the
    cells that ceil mode adds beyond never count (ONNX, AveragePool). With the padding made part of the input, that
    number is what AveragePool without count_include_pad divides by when its pads are the added cells alone.
    """
    asked = window(site)
    counted = site.get("count_include_pad")
    AveragePool(asked, counted).out_shape(site.x)
    reached = _ceiled(site, asked)
    if not counted or reached == asked:
        return (site.node(AveragePool(reached, counted)),)
    added = tuple(
        Axis(b.size, b.stride, b.dilation, (0, b.pad[1] - a.pad[1])) for a, b in zip(asked, reached, strict=True)
    )
    if not any(any(a.pad) for a in asked):
        return (site.node(AveragePool(added)),)
    padded = site.node(Pad(tuple(a.pad for a in asked)), part="pad")
    return padded, site.after(padded).node(AveragePool(added))


def global_max_pool(site: Site) -> tuple[Node, ...]:
    """The largest value of all positions."""
    return (site.node(GlobalMaxPool()),)


def global_average_pool(site: Site) -> tuple[Node, ...]:
    """The mean of all positions."""
    return (site.node(GlobalAveragePool()),)


def _ceiled(site: Site, asked: Window) -> Window:
    if not site.get("ceil"):
        return asked
    return tuple(ceil_axis(axis, n) for axis, n in zip(asked, site.spatial(), strict=True))
