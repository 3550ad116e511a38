"""Layers that sum products with weights."""

from __future__ import annotations

from onnxconv.spec.vocabulary.attributes import (
    BIAS,
    DILATION,
    GROUP,
    INIT,
    INT8,
    KERNEL,
    LEARNED,
    PAD,
    PAD_MODE,
    PAD_VALUE,
    STRIDE,
)
from onnxconv.spec.vocabulary.kind import Attribute, Kind

__all__ = ["KINDS"]

KINDS = (
    Kind(
        "conv",
        "convolution (cross-correlation), 1-D, 2-D or 3-D by its input",
        (
            Attribute("filters", "integer", "output channels", least=1),
            Attribute("multiplier", "integer", "output channels per input channel, instead of filters", least=1),
            KERNEL,
            STRIDE,
            DILATION,
            GROUP,
            Attribute("join", "word", "what becomes of the groups' outputs", "concat", words=("concat", "sum")),
            Attribute("tied", "boolean", "all groups share one kernel", False),
            BIAS,
            PAD,
            PAD_MODE,
            PAD_VALUE,
            INT8,
            INIT,
        ),
        roles=(*LEARNED, "weight_scale", "bias_scale"),
    ),
    Kind(
        "deform_conv",
        "convolution whose taps a second tensor moves, by fractions of pixels; a third one multiplies their values",
        (
            Attribute("filters", "integer", "output channels", required=True, least=1),
            KERNEL,
            STRIDE,
            DILATION,
            GROUP,
            Attribute("offset_group", "integer", "groups of channels whose taps are moved alike", 1, least=1),
            BIAS,
            PAD,
            INIT,
        ),
        join=True,
        roles=LEARNED,
    ),
    Kind(
        "conv_transpose",
        "transposed convolution: the adjoint of a convolution, used to upsample",
        (
            Attribute("filters", "integer", "output channels", required=True, least=1),
            KERNEL,
            STRIDE,
            DILATION,
            GROUP,
            BIAS,
            Attribute("pad", "pad", "pixels cut off the output", 0, least=0, words=("same", "valid")),
            Attribute("output_pad", "integers", "pixels appended to the output", 0, least=0),
            INIT,
        ),
        roles=LEARNED,
    ),
    Kind(
        "dense",
        "fully connected layer on [N, features]",
        (
            Attribute("features", "integer", "outputs", required=True, least=1),
            Attribute("last_axis", "boolean", "over the last axis of a tensor with any number of them", False),
            BIAS,
            INT8,
            INIT,
        ),
        bare="features",
        roles=(*LEARNED, "weight_scale", "bias_scale"),
    ),
)
