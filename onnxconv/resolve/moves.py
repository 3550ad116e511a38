"""Layers that move values: axes in other orders and cuts, parts and repeats of them."""

from __future__ import annotations

import math

from onnxconv.errors import Refusal
from onnxconv.graph import Node
from onnxconv.ops import (
    END,
    Cast,
    ChannelShuffle,
    DepthToSpace,
    Expand,
    Flatten,
    Gather,
    Range,
    Reshape,
    Slice,
    SpaceToDepth,
    Squeeze,
    Tile,
    Transpose,
    Unsqueeze,
    shape_text,
)
from onnxconv.resolve.site import Site

__all__ = [
    "cast",
    "channel_shuffle",
    "depth_to_space",
    "expand",
    "flatten",
    "gather",
    "part",
    "reshape",
    "space_to_depth",
    "squeeze",
    "tile",
    "transpose",
    "unsqueeze",
]


def flatten(site: Site) -> tuple[Node, ...]:
    return (site.node(Flatten(site.integer("axis"))),)


def reshape(site: Site) -> tuple[Node, ...]:
    return (site.node(Reshape(_listed(site, "shape"))),)


def transpose(site: Site) -> tuple[Node, ...]:
    return (site.node(Transpose(_listed(site, "axes"))),)


def squeeze(site: Site) -> tuple[Node, ...]:
    return (site.node(Squeeze(_listed(site, "axes"))),)


def unsqueeze(site: Site) -> tuple[Node, ...]:
    return (site.node(Unsqueeze(_listed(site, "axes"))),)


def part(site: Site) -> tuple[Node, ...]:
    """A slice along one axis; with a negative step it begins at the end and ends at the beginning."""
    step = site.integer("step")
    start, stop = site.get("start", 0 if step > 0 else -1), site.get("stop", END if step > 0 else -END)
    bounds = site.check("start", start), site.check("stop", stop)
    return (site.node(Slice((Range(site.integer("axis"), *bounds, step),)).keeping(site.x)),)


def gather(site: Site) -> tuple[Node, ...]:
    """Positions of an axis, as a list or as axes. Raises `Refusal` where these do not hold as many."""
    indices = _listed(site, "indices")
    shape = _listed(site, "shape") if "shape" in site.layer else indices[:0]
    if "shape" not in site.layer and isinstance(site.get("indices"), tuple):
        shape = (len(indices),)
    if math.prod(shape) != len(indices):
        what = f"{len(indices)} indices as {shape_text(shape)}"
        raise Refusal("gather", what, f"that takes {math.prod(shape)}", "leave shape out for a list", "shape")
    return (site.node(Gather(indices, shape, site.integer("axis"))),)


def expand(site: Site) -> tuple[Node, ...]:
    return (site.node(Expand(_listed(site, "shape"))),)


def tile(site: Site) -> tuple[Node, ...]:
    return (site.node(Tile(_listed(site, "repeats"))),)


def channel_shuffle(site: Site) -> tuple[Node, ...]:
    return (site.node(ChannelShuffle(site.integer("group"))),)


def depth_to_space(site: Site) -> tuple[Node, ...]:
    return (site.node(DepthToSpace(site.integer("block"), site.get("order").upper())),)


def space_to_depth(site: Site) -> tuple[Node, ...]:
    return (site.node(SpaceToDepth(site.integer("block"), site.get("order").upper())),)


def cast(site: Site) -> tuple[Node, ...]:
    return (site.node(Cast(site.get("to"))),)


def _listed(site: Site, attribute: str) -> tuple[int, ...]:
    """A list, or one number alone."""
    given = site.get(attribute)
    return tuple(site.check(attribute, n) for n in (given if isinstance(given, tuple) else (given,)))
