"""Layers that move values: axes in other orders and cuts, parts and repeats of them."""

from __future__ import annotations

import math
from dataclasses import replace

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
from onnxconv.resolve.sizes import over_inputs

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
    """To numbers, 0 and -1 among them, or to sizes that the network's inputs leave open."""
    return _to_sizes(site, Reshape)


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
    return _to_sizes(site, Expand)


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


def _to_sizes(site: Site, op: type[Reshape | Expand]) -> tuple[Node, ...]:
    """The operator to a shape that may have open sizes, which it reads off the inputs that have them."""
    given = site.get("shape")
    asked = given if isinstance(given, tuple) else (given,)
    for n in asked:
        if isinstance(n, int):
            site.check("shape", n)
    declared = [(input.name, input.shape) for input, _ in site.network]
    shape, read = over_inputs(asked, site.inputs[0], declared)
    types = {input.name: type for input, type in site.network}
    further = tuple(types[name] for name in read[1:])
    return (replace(site, inputs=read, types=(site.types[0], *further)).node(op(shape)),)


def _listed(site: Site, attribute: str) -> tuple[int, ...]:
    """A list, or one number alone."""
    given = site.get(attribute)
    return tuple(site.check(attribute, n) for n in (given if isinstance(given, tuple) else (given,)))
