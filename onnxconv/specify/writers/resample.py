"""How a change of the number of positions is said."""

from __future__ import annotations

from typing import Any

from onnxconv.geometry import Sampling, rational
from onnxconv.ops import Operator, Resize, Shape
from onnxconv.specify.writers.words import Writer

__all__ = ["RESAMPLE"]


def _upsample(op: Resize, x: Shape) -> dict[str, Any] | None:
    """Whole factors, as torch says them; None for anything else."""
    factors = [one.scale[0] if one.scale and one.scale[1] == 1 and one.size is None else None for one in op.axes]
    if not _spatial(op, x) or None in factors:
        return None
    factor = factors[0] if len({*factors}) == 1 else factors
    if (op.sampling, op.coordinates) == (Sampling(nearest="floor"), "asymmetric"):
        return {"factor": factor}
    mode, aligned = op.sampling.mode, op.coordinates == "align_corners"
    if mode == "nearest" or op.sampling != Sampling(mode) or not (aligned or op.coordinates == "half_pixel"):
        return None
    return {"factor": factor, "mode": mode, "align_corners": aligned}


def _resize(op: Resize, x: Shape) -> dict[str, Any] | None:
    """To a size, or by one scale for all axes; None for anything else."""
    how, extent = op.sampling, _extent(op)
    if not _spatial(op, x) or extent is None or op.coordinates == "tf_crop_and_resize":
        return None
    said: dict[str, Any] = {**extent, "mode": how.mode, "coordinates": op.coordinates}
    if how.mode == "nearest":
        return {**said, "round": how.nearest} if how == Sampling("nearest", how.nearest) else None
    if how != Sampling(how.mode, a=how.a, outside=how.outside, antialias=how.antialias):
        return None
    if how.mode != "cubic":
        return {**said, "antialias": how.antialias} if (how.a, how.outside) == (Sampling().a, True) else None
    return {**said, "cubic_a": how.a, "exclude_outside": not how.outside, "antialias": how.antialias}


def _extent(op: Resize) -> dict[str, Any] | None:
    sizes, scales = [one.size for one in op.axes], {one.scale for one in op.axes}
    if None not in sizes and scales == {None}:
        return {"size": sizes[0] if len({*sizes}) == 1 else sizes}
    scale = next(iter(scales))
    if len(scales) > 1 or scale is None or {*sizes} != {None}:
        return None
    value = scale[0] / scale[1]
    return {"scale": value if value != int(value) else int(value)} if rational(value) == scale else None


def _spatial(op: Resize, x: Shape) -> bool:
    """All spatial axes, in order, each as a whole."""
    return [one.axis for one in op.axes] == list(range(2, len(x))) and all(one.roi == (0.0, 1.0) for one in op.axes)


RESAMPLE: dict[str, tuple[type[Operator], Writer]] = {"upsample": (Resize, _upsample), "resize": (Resize, _resize)}
"""Of the two the first that fits."""
