"""Layers that give space another number of positions."""

from __future__ import annotations

from onnxconv.spec.vocabulary.kind import Attribute, Kind

__all__ = ["KINDS"]

RESIZE_MODES = ("nearest", "linear", "cubic")
COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
NEAREST_MODES = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")

KINDS = (
    Kind(
        "upsample",
        "space made several times as long",
        (
            Attribute("factor", "integers", "outputs per pixel along each axis", required=True, least=1),
            Attribute("mode", "word", "repeated, or weighted between neighbours", "nearest", words=RESIZE_MODES),
            Attribute(
                "align_corners",
                "boolean",
                "first and last pixels stay where they are, in modes linear and cubic",
                False,
            ),
        ),
        bare="factor",
    ),
    Kind(
        "resize",
        "space resampled to other sizes",
        (
            Attribute("size", "integers", "outputs along each axis, instead of scale", least=1),
            Attribute("scale", "number", "outputs per pixel; sizes are rounded down"),
            Attribute("mode", "word", "what lies between pixels", "nearest", words=RESIZE_MODES),
            Attribute("coordinates", "word", "where outputs lie, as in ONNX", "half_pixel", words=COORDINATES),
            Attribute("round", "word", "which pixel is the nearest", "round_prefer_floor", words=NEAREST_MODES),
            Attribute("cubic_a", "number", "the coefficient of cubic convolution", -0.75),
            Attribute("exclude_outside", "boolean", "cubic weights beyond the ends go to the others", False),
            Attribute("antialias", "boolean", "where an axis shrinks, all that falls together is weighted", False),
        ),
    ),
)
