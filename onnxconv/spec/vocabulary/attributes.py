"""Attributes that several kinds of layers have."""

from __future__ import annotations

from onnxconv.spec.vocabulary.initialisers import INITIALISERS
from onnxconv.spec.vocabulary.kind import Attribute

__all__ = [
    "AXIS",
    "BIAS",
    "CEIL",
    "DILATION",
    "GROUP",
    "INIT",
    "INT8",
    "KERNEL",
    "LARGEST_POSITION",
    "LEARNED",
    "PAD",
    "PAD_MODE",
    "PAD_MODES",
    "PAD_VALUE",
    "PAD_WORDS",
    "STRIDE",
    "axes_of",
]

LARGEST_POSITION = 2**31 - 1
PAD_MODES = ("zeros", "constant", "reflect", "edge", "wrap")
PAD_WORDS = ("same", "same_lower", "valid", "causal", "full")

KERNEL = Attribute("kernel", "integers", "taps per axis", required=True, least=1)
STRIDE = Attribute("stride", "integers", "pixels between neighbouring outputs", 1, least=1)
DILATION = Attribute("dilation", "integers", "pixels between neighbouring taps; 1 is a dense kernel", 1, least=1)
GROUP = Attribute(
    "group",
    "integer",
    "groups of channels that do not see each other; depthwise: one per input channel",
    1,
    least=1,
    words=("depthwise",),
)
BIAS = Attribute("bias", "boolean", "add one learned number per output channel", True)
INT8 = Attribute(
    "int8",
    "word",
    "weights are stored as int8 and a bias as int32, with a scale for each filter or one for all; left out: as floats",
    words=("per_filter", "per_tensor"),
)
PAD = Attribute("pad", "pad", "pixels added around the input", 0, least=0, words=PAD_WORDS)
CEIL = Attribute("ceil", "boolean", "keep a last window that reaches beyond the end", False)
PAD_MODE = Attribute("pad_mode", "word", "what the added pixels hold", "zeros", words=PAD_MODES)
PAD_VALUE = Attribute("pad_value", "number", "the number that pad_mode constant adds", 0)
INIT = Attribute("init", "init", "how weights are drawn where no file gives them", words=tuple(INITIALISERS))
AXIS = Attribute("axis", "integer", "the axis, counted from 0 (the batch); 1 is the channels", 1, least=0)
LEARNED = ("weight", "bias")


def axes_of(doc: str) -> Attribute:
    return Attribute("axes", "integers", doc, required=True, least=0)
