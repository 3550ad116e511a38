"""Layers that give space another number of positions."""

from __future__ import annotations

from onnxconv.errors import Refusal
from onnxconv.geometry import Sampling, rational
from onnxconv.graph import Node
from onnxconv.ops import Rescale, Resize
from onnxconv.resolve.site import Site

__all__ = ["resize", "upsample"]

LARGEST_SCALE = 2**16


def upsample(site: Site) -> tuple[Node, ...]:
    """Every pixel several times, or weighted; as torch's Upsample does it. Raises `Refusal`."""
    mode, aligned = site.get("mode"), site.get("align_corners")
    if aligned and mode == "nearest":
        raise Refusal(
            "align-corners",
            "align_corners with mode nearest",
            "repeated pixels have no corners to align",
            "use mode linear or cubic, or leave align_corners out",
            "align_corners",
        )
    axes = tuple(Rescale(2 + i, (factor, 1)) for i, factor in enumerate(site.per_axis("factor")))
    if mode == "nearest":
        return (site.node(Resize(axes, Sampling(nearest="floor"), "asymmetric")),)
    return (site.node(Resize(axes, Sampling(mode), "align_corners" if aligned else "half_pixel")),)


def resize(site: Site) -> tuple[Node, ...]:
    """Space resampled to a size, or by a scale. Raises `Refusal`."""
    mode = site.get("mode")
    sampling = Sampling("nearest", site.get("round"))
    if mode != "nearest":
        a = float(site.get("cubic_a")) if mode == "cubic" else Sampling().a
        outside = mode != "cubic" or not site.get("exclude_outside")
        sampling = Sampling(mode, a=a, outside=outside, antialias=site.get("antialias"))
    return (site.node(Resize(_axes(site), sampling, site.get("coordinates"))),)


def _axes(site: Site) -> tuple[Rescale, ...]:
    if ("size" in site.layer) == ("scale" in site.layer):
        raise Refusal(
            "resize",
            "both size and scale" if "size" in site.layer else "neither size nor scale",
            "a resize has a size or a scale",
            "write one of them",
            "scale",
        )
    if "size" in site.layer:
        return tuple(Rescale(2 + i, size=size) for i, size in enumerate(site.per_axis("size")))
    scale = float(site.get("scale"))
    if not 1 / LARGEST_SCALE <= scale <= LARGEST_SCALE:
        raise Refusal(
            "range",
            f"scale is {scale}",
            f"a scale lies between 1/{LARGEST_SCALE} and {LARGEST_SCALE}",
            "write outputs per pixel, such as 2 or 0.5",
            "scale",
        )
    return tuple(Rescale(2 + i, rational(scale)) for i in range(len(site.spatial())))
