"""Layers that move values: axes in other orders, cuts and repeats of them."""

from __future__ import annotations

from onnxconv.dtypes import DTYPES
from onnxconv.spec.vocabulary.attributes import LARGEST_POSITION, PAD_MODE, PAD_VALUE, axes_of
from onnxconv.spec.vocabulary.kind import Attribute, Kind

__all__ = ["KINDS"]

_BLOCKS = (
    Attribute("block", "integer", "pixels of a block along each axis", required=True, least=1),
    Attribute(
        "order",
        "word",
        "which comes first in the number of a deep channel: the pixel of the block (dcr), or the channel (crd), as in torch",
        "dcr",
        words=("dcr", "crd"),
    ),
)


def _position(name: str, doc: str, default: int | None = None) -> Attribute:
    return Attribute(name, "integer", doc, default, least=-LARGEST_POSITION)


KINDS = (
    Kind(
        "flatten",
        "[N, C, ...] to [N, features]",
        (
            Attribute(
                "axis", "integer", "the first axis, counted from 0 (the batch), that becomes a feature", 1, least=0
            ),
        ),
        bare="axis",
    ),
    Kind(
        "reshape",
        "the same numbers, in order, as a tensor of another shape",
        (
            Attribute(
                "shape", "sizes", "all sizes; 0: that of the same axis, -1: what is left", required=True, least=-1
            ),
        ),
        bare="shape",
    ),
    Kind(
        "transpose",
        "axes in another order",
        (Attribute("axes", "integers", "for each axis of the output, the input's", required=True, least=0),),
        bare="axes",
    ),
    Kind("squeeze", "axes of size 1 taken away", (axes_of("the axes, counted from 0 (the batch)"),), bare="axes"),
    Kind("unsqueeze", "axes of size 1 inserted", (axes_of("the new axes, as counted in the output"),), bare="axes"),
    Kind(
        "slice",
        "part of an axis",
        (
            Attribute("axis", "integer", "the axis, counted from 0 (the batch)", required=True, least=0),
            _position(
                "start", "the first position; negative ones count from the end; left out: the beginning, or the end"
            ),
            _position("stop", "the position before which it ends; left out: the end, or the beginning"),
            _position(
                "step", "positions between neighbouring outputs; negative: backwards, from the end to the beginning", 1
            ),
        ),
    ),
    Kind(
        "gather",
        "listed positions of an axis",
        (
            Attribute("axis", "integer", "the axis, counted from 0 (the batch)", required=True, least=0),
            Attribute(
                "indices",
                "integers",
                "a position, which takes the axis away, or a list of them",
                required=True,
                least=-LARGEST_POSITION,
                longest=65536,
            ),
            Attribute("shape", "integers", "the axes that the list becomes; left out: one", least=1),
        ),
    ),
    Kind(
        "expand",
        "axes of size 1 repeated",
        (Attribute("shape", "sizes", "sizes of the last axes; 1: as it is", required=True, least=1),),
        bare="shape",
    ),
    Kind(
        "tile",
        "the tensor, several times one after the other",
        (Attribute("repeats", "integers", "how many times, for each axis", required=True, least=1),),
        bare="repeats",
    ),
    Kind(
        "channel_shuffle",
        "channels of groups taken in turn: all firsts, then all seconds (ShuffleNet)",
        (Attribute("group", "integer", "groups of neighbouring channels", required=True, least=1),),
        bare="group",
    ),
    Kind(
        "depth_to_space",
        "channels to pixels: a block per axis out of as many channels as it has pixels",
        _BLOCKS,
        bare="block",
    ),
    Kind(
        "space_to_depth",
        "pixels to channels: each block per axis becomes as many channels as it has pixels",
        _BLOCKS,
        bare="block",
    ),
    Kind(
        "cast",
        "the same numbers in another data type; towards 0 to integers",
        (Attribute("to", "word", "the data type", required=True, words=tuple(DTYPES)),),
        bare="to",
    ),
    Kind(
        "pad",
        "pixels added around the input",
        (
            Attribute("pad", "pad", "pixels added", required=True, least=0),
            Attribute(
                "axis", "integer", "the axis of the first pad; 2 is that of space, 1 that of channels", 2, least=0
            ),
            PAD_MODE,
            PAD_VALUE,
        ),
        bare="pad",
    ),
    Kind(
        "crop",
        "pixels cut off around the input",
        (Attribute("pixels", "pad", "pixels cut off", required=True, least=0),),
        bare="pixels",
    ),
    Kind(
        "dropout",
        "the identity: dropout acts in training only",
        (Attribute("rate", "number", "share of values dropped in training"),),
        bare="rate",
    ),
    Kind("identity", "its input, under another name"),
)
