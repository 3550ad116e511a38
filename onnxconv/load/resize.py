"""Resize and Upsample, read from ONNX nodes of all opsets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from onnxconv.errors import Refusal
from onnxconv.geometry import COORDINATES, NEAREST, RESIZE_MODES, Sampling, Size, rational, times
from onnxconv.load.step import PREVIOUS, Reading, Step
from onnxconv.ops import Identity, Rescale, Resize, shape_text

__all__ = ["resize", "upsample"]

KNOWN_IN = {"half_pixel_symmetric": (19, math.inf), "tf_half_pixel_for_nn": (11, 13)}
"""Opsets that have these coordinates: the first one, and the first one after. All others came with opset 11, and stay."""
LARGEST_FACTOR = 64
"""Times that a size left open may be as large as that of the input."""


def upsample(at: Reading) -> Sequence[Step]:
    """Scales are an attribute before opset 9."""
    scales = at.attributes.get("scales", ()) if at.opset < 9 else _numbers(at, 1, "scales")
    return _simple(at, scales)


def resize(at: Reading) -> Sequence[Step]:
    """Opset 10 has the plain modes of Upsample; coordinates came with 11, axes and antialias with 18."""
    if at.opset < 11:
        return _simple(at, _numbers(at, 1, "scales"))
    x = at.shape()
    axes = _axes(at, len(x))
    rescales = _rescales(at, axes)
    coordinates = _coordinates(at)
    if coordinates == "tf_crop_and_resize":
        rescales = tuple(replace(one, roi=roi) for one, roi in zip(rescales, _rois(at, len(axes)), strict=True))
    rescales = tuple(one for one in rescales if one.roi != (0, 1) or not _keeps(one, x[one.axis]))
    beyond = at.real("extrapolation_value", 0.0) if coordinates == "tf_crop_and_resize" else 0.0
    return (_step(at, rescales, _sampling(at), coordinates, beyond),)


def _coordinates(at: Reading) -> str:
    word = _word(at, "coordinate_transformation_mode", COORDINATES, "half_pixel")
    came, left = KNOWN_IN.get(word, (11, math.inf))
    if not came <= at.opset < left:
        why = f"it came with opset {came}" if at.opset < came else f"it is gone since opset {left}"
        raise Refusal("opset", f"its coordinates of opset {at.opset} are {word!r}", why, "export the model again")
    return word


def _axes(at: Reading, rank: int) -> tuple[int, ...]:
    axes = tuple(at.attributes.get("axes", range(rank)))
    if any(not -rank <= axis < rank for axis in axes):
        raise Refusal("axis", f"it resizes the axes {list(axes)}", f"the input has {rank} axes: {-rank} to {rank - 1}")
    return tuple(axis % rank for axis in axes)


def _keeps(one: Rescale, n: Size) -> bool:
    """Every position stays where it is. A scale of its own moves them, even to a size that is rounded to the same."""
    return one.scale == (1, 1) or (one.scale is None and one.size == n)


def _step(at: Reading, rescales: Iterable[Rescale], sampling: Sampling, coordinates: str, beyond: float = 0.0) -> Step:
    kept = tuple(sorted(rescales, key=lambda one: one.axis))
    return Step(Resize(kept, sampling, coordinates, beyond) if kept else Identity(), (at.tensor(),))


def _simple(at: Reading, scales: Sequence[float]) -> Sequence[Step]:
    """Positions o ÷ scale. The nearest is the one below; where the axis shrinks, the one above (as ONNX's own test has it)."""
    x, mode = at.shape(), _word(at, "mode", ("nearest", "linear", "bilinear"), "nearest")
    if len(scales) != len(x):
        raise Refusal("attribute-length", f"it has {len(scales)} scales", f"the input has {len(x)} axes")
    found = [Rescale(axis, _scale(s)) for axis, s in enumerate(scales) if s != 1]
    if mode != "nearest":
        return (_step(at, found, Sampling("linear"), "asymmetric"),)
    grown = [one for one in found if Fraction(*(one.scale or (1, 1))) > 1]
    shrunk = [one for one in found if one not in grown]
    first = _step(at, grown, Sampling(nearest="floor"), "asymmetric")
    second = _step(at, shrunk, Sampling(nearest="ceil"), "asymmetric")
    if not grown or not shrunk:
        return (first if grown else second,)
    return first, replace(second, inputs=(PREVIOUS,))


def _sampling(at: Reading) -> Sampling:
    mode = _word(at, "mode", RESIZE_MODES, "nearest")
    if mode == "nearest":
        return Sampling(nearest=_word(at, "nearest_mode", NEAREST, "round_prefer_floor"))
    antialias = bool(at.integer("antialias", 0))
    outside = not (at.integer("exclude_outside", 0) and (mode == "cubic" or antialias))
    a = at.real("cubic_coeff_a", -0.75) if mode == "cubic" else -0.75
    return Sampling(mode, a=a, outside=outside, antialias=antialias)


def _rescales(at: Reading, axes: Sequence[int]) -> tuple[Rescale, ...]:
    x = at.shape()
    scales = _numbers(at, 2, "scales") if at.has(2) else ()
    sizes = at.sizes(3, "sizes") if at.has(3) else ()
    given: Sequence[float | Size] = scales or sizes
    if len(given) != len(axes):
        what = f"it has {len(scales)} scales and {len(sizes)} sizes"
        raise Refusal("attribute-length", what, f"{len(axes)} axes are resized, one scale or size each")
    if scales:
        return tuple(Rescale(axis, _scale(s)) for axis, s in zip(axes, scales, strict=True))
    policy = _word(at, "keep_aspect_ratio_policy", ("stretch", "not_larger", "not_smaller"), "stretch")
    if policy != "stretch":
        return _in_proportion(at, axes, sizes, policy)
    return tuple(_sized(at, axis, x[axis], size) for axis, size in zip(axes, sizes, strict=True))


def _sized(at: Reading, axis: int, n: Size, size: Size) -> Rescale:
    """A size; one that is left open is a multiple of the input's."""
    if isinstance(size, int):
        return Rescale(axis, size=size)
    factor = next((k for k in range(1, LARGEST_FACTOR + 1) if times(n, k) == size), None)
    if factor is None:
        raise Refusal("symbolic-size", f"it resizes {n} positions to {size}", "by which factor is left open", at.pin)
    return Rescale(axis, (factor, 1))


def _in_proportion(at: Reading, axes: Sequence[int], sizes: Sequence[Size], policy: str) -> tuple[Rescale, ...]:
    """One scale for all axes, with which none, or all, are as large as was asked; sizes are rounded, ½ up."""
    x = at.shape()
    pairs = [
        (n, size)
        for axis, size in zip(axes, sizes, strict=True)
        if isinstance(n := x[axis], int) and isinstance(size, int)
    ]
    if len(pairs) < len(axes):
        raise Refusal("symbolic-size", f"it resizes {shape_text(x)} in proportion", "", at.pin)
    factor = (min if policy == "not_larger" else max)(Fraction(size, n) for n, size in pairs)
    ratio = factor.numerator, factor.denominator
    outs = (math.floor(factor * n + Fraction(1, 2)) for n, _ in pairs)
    return tuple(
        Rescale(axis, ratio, None if math.floor(factor * n) == out else out)
        for axis, out, (n, _) in zip(axes, outs, pairs, strict=True)
    )


def _rois(at: Reading, axes: int) -> Sequence[tuple[float, float]]:
    ends = _numbers(at, 1, "roi") if at.has(1) else ()
    if len(ends) != 2 * axes:
        raise Refusal("attribute-length", f"its roi has {len(ends)} numbers", f"{axes} begins and ends are needed")
    return list(zip(ends[:axes], ends[axes:], strict=True))


def _scale(scale: float) -> tuple[int, int]:
    if not 0 < scale < 2**31:
        raise Refusal("scale", f"a scale is {scale}", "a scale is positive")
    return rational(scale)


def _numbers(at: Reading, index: int, meaning: str) -> tuple[float, ...]:
    array = at.constant(index, meaning).array
    if array.dtype.kind != "f" or array.ndim > 1 or array.size > 64:
        raise Refusal("not-a-number", f"its {meaning} is not a short list of floating-point numbers")
    return tuple(float(n) for n in array.reshape(-1))


def _word(at: Reading, name: str, known: Sequence[str], default: str) -> str:
    word = at.word(name, default)
    if word not in known:
        raise Refusal("mode", f"its {name} is {word!r}", f"it is one of {', '.join(known)}")
    return word
