"""Pools. Ceil mode becomes end padding here, so that no runtime needs to know about it."""

from __future__ import annotations

from onnxconv.geometry import Window, ceil_axis
from onnxconv.graph import Node
from onnxconv.ops import (
    AveragePool,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    average,
)
from onnxconv.resolve.padding import window
from onnxconv.resolve.site import Site

__all__ = [
    "average_pool",
    "global_average_pool",
    "global_lp_pool",
    "global_max_pool",
    "lp_pool",
    "max_pool",
    "max_pool_indices",
    "max_unpool",
]


def max_pool(site: Site) -> tuple[Node, ...]:
    """A max pool. Padding never wins, so the pixels that ceil mode adds change nothing but the size."""
    return (site.node(MaxPool(_ceiled(site, window(site)))),)


def max_pool_indices(site: Site) -> tuple[Node, ...]:
    """Where a max pool finds its values."""
    return (site.node(MaxPoolIndices(_ceiled(site, window(site)), bool(site.get("by_columns")))),)


def max_unpool(site: Site) -> tuple[Node, ...]:
    """A max pool undone, to the smallest size that pools to the input's or to a given one."""
    site.need_tensors(2)
    size = site.per_axis("size") if "size" in site.layer else None
    return (site.node(MaxUnpool(window(site), size)),)


def average_pool(site: Site) -> tuple[Node, ...]:
    """An average pool; before it a Pad node where it counts the padding but not what ceil mode adds."""
    asked, counted = window(site), site.get("count_include_pad")
    reached = _ceiled(site, asked)
    AveragePool(reached, counted).out_shape(site.x)
    *before, pool = average(asked, reached, counted)
    nodes = tuple(site.node(pad, part="pad") for pad in before)
    return (*nodes, (site.after(nodes[0]) if nodes else site).node(pool))


def lp_pool(site: Site) -> tuple[Node, ...]:
    """A pool of the p-norm; the pixels that ceil mode adds are 0 as padding is."""
    return (site.node(LpPool(_ceiled(site, window(site)), site.integer("p"))),)


def global_lp_pool(site: Site) -> tuple[Node, ...]:
    """The p-norm of all positions."""
    return (site.node(GlobalLpPool(site.integer("p"))),)


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
