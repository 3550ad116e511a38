"""Layers that shift and scale by statistics."""

from __future__ import annotations

from onnxconv.spec.vocabulary.attributes import INIT, LEARNED
from onnxconv.spec.vocabulary.kind import Attribute, Kind

__all__ = ["KINDS"]

KINDS = (
    Kind(
        "batch_norm",
        "each channel shifted and scaled by its running statistics",
        (
            Attribute("epsilon", "number", "added to the variance", 1e-5),
            Attribute("fold", "boolean", "multiply it into the convolution before it", False),
            INIT,
        ),
        roles=(*LEARNED, "running_mean", "running_var"),
    ),
    Kind(
        "layer_norm",
        "values of an image shifted and scaled to mean 0 and variance 1, then by a weight and a bias for each of them",
        (
            Attribute(
                "over",
                "word",
                "what is normalised together: the channels of each position, the last axis, or all axes but the batch",
                "channel_axis",
                words=("channel_axis", "last_axis", "all_axes"),
            ),
            Attribute("last", "integer", "instead of over: how many of the last axes", least=1),
            Attribute("epsilon", "number", "added to the variance", 1e-5),
            Attribute("bias", "boolean", "add one learned number for each value", True),
            INIT,
        ),
        bare="over",
        roles=LEARNED,
    ),
    Kind(
        "group_norm",
        "each group of an image's channels shifted and scaled to mean 0 and variance 1, then each channel by its weight and bias",
        (
            Attribute("group", "integer", "groups of channels", required=True, least=1),
            Attribute("epsilon", "number", "added to the variance", 1e-5),
            INIT,
        ),
        bare="group",
        roles=LEARNED,
    ),
    Kind(
        "instance_norm",
        "each channel of an image shifted and scaled to mean 0 and variance 1, then by its weight and bias",
        (Attribute("epsilon", "number", "added to the variance", 1e-5), INIT),
        roles=LEARNED,
    ),
    Kind(
        "lrn",
        "x / (k + alpha / size * sum of the squares of the channels around it) ^ beta",
        (
            Attribute(
                "size", "integer", "channels in the sum, its own in the middle; onnxruntime knows odd sizes", 5, least=1
            ),
            Attribute("alpha", "number", "the factor of the mean square", 1e-4),
            Attribute("beta", "number", "the exponent", 0.75),
            Attribute("k", "number", "what is added to it", 1),
        ),
        bare="size",
    ),
)
