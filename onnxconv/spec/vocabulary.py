"""The words of the spec language: the kinds of layers and their attributes.

The parser, the JSON Schema and the table in docs/spec.md are all made from `LAYERS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from onnxconv.dtypes import FLOATS
from onnxconv.errors import closest

__all__ = [
    "INITIALISERS",
    "LAYERS",
    "LAYER_KEYS",
    "PAD_MODES",
    "QUANTIZATION",
    "RESERVED",
    "SPEC_KEYS",
    "SYNONYMS",
    "WORDS",
    "Attribute",
    "Kind",
    "Type",
    "suggestion",
]

LARGEST_POSITION = 2**31 - 1
PAD_MODES = ("zeros", "constant", "reflect", "edge", "wrap")
PAD_WORDS = ("same", "same_lower", "valid", "causal", "full")

RESIZE_MODES = ("nearest", "linear", "cubic")
COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
NEAREST_MODES = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")

INITIALISERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "he_normal": (),
        "he_uniform": (),
        "xavier_normal": (),
        "xavier_uniform": (),
        "uniform": ("low", "high"),
        "normal": ("mean", "std"),
        "constant": ("value",),
        "zeros": (),
        "ones": (),
        "ramp": (),
        "identity": (),
        "integers": ("low", "high"),
    }
)
"""Ways to fill a weight, each with the names of its numbers."""

Type: TypeAlias = Literal["integer", "integers", "number", "boolean", "word", "pad", "init"]
"""The form of an attribute's `Value.value` in a parsed `Layer`.

integer: an int, or one of `words`. integers: an int for all axes, or a tuple of ints, one per axis. number: an int or
a float. boolean: a bool. word: one of `words`. pad: an int for all sides, one of `words`, a tuple with an int or a
(begin, end) pair per axis, or the one-pair mapping (("output", integers),). init: a mapping from a weight's role to a
tuple of the initialiser's name and its numbers: (("weight", (normal, 0, 0.1)),).
"""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a layer: its type, its default (None: left out), and its least legal value."""

    name: str
    type: Type
    doc: str
    default: bool | int | float | str | None = None
    required: bool = False
    least: int | None = None
    words: tuple[str, ...] = ()
    longest: int = 8
    """Entries that a list may have."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of layer. `bare` names the attribute that may be given without its name; a join reads many tensors, a
    `source` none.

    `roles` names its weights, as `init` addresses them.
    """

    name: str
    doc: str
    attributes: tuple[Attribute, ...] = ()
    bare: str | None = None
    join: bool = False
    roles: tuple[str, ...] = ()
    source: bool = False

    def attribute(self, name: str) -> Attribute:
        """The attribute of that name; KeyError where there is none."""
        return {attribute.name: attribute for attribute in self.attributes}[name]


_KERNEL = Attribute("kernel", "integers", "taps per axis", required=True, least=1)
_STRIDE = Attribute("stride", "integers", "pixels between neighbouring outputs", 1, least=1)
_DILATION = Attribute("dilation", "integers", "pixels between neighbouring taps; 1 is a dense kernel", 1, least=1)
_GROUP = Attribute(
    "group",
    "integer",
    "groups of channels that do not see each other; depthwise: one per input channel",
    1,
    least=1,
    words=("depthwise",),
)
_BIAS = Attribute("bias", "boolean", "add one learned number per output channel", True)
_PAD = Attribute("pad", "pad", "pixels added around the input", 0, least=0, words=PAD_WORDS)
_CEIL = Attribute("ceil", "boolean", "keep a last window that reaches beyond the end", False)
_NORM = Attribute("p", "integer", "which norm: 1 sums, 2 is Euclid's", 2, least=1)
_PAD_MODE = Attribute("pad_mode", "word", "what the added pixels hold", "zeros", words=PAD_MODES)
_PAD_VALUE = Attribute("pad_value", "number", "the number that pad_mode constant adds", 0)
_INIT = Attribute("init", "init", "how weights are drawn where no file gives them", words=tuple(INITIALISERS))
_POOL_STRIDE = Attribute("stride", "integers", "pixels between neighbouring outputs; left out: the kernel", least=1)
_AXIS = Attribute("axis", "integer", "the axis, counted from 0 (the batch); 1 is the channels", 1, least=0)
_LEARNED = ("weight", "bias")
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


def _axes(doc: str) -> Attribute:
    return Attribute("axes", "integers", doc, required=True, least=0)


def _position(name: str, doc: str, default: int | None = None) -> Attribute:
    return Attribute(name, "integer", doc, default, least=-LARGEST_POSITION)


_REDUCED = (
    _axes("the axes, counted from 0 (the batch)"),
    Attribute("keep", "boolean", "the axes stay, with size 1", True),
)

_KINDS = (
    Kind(
        "conv",
        "convolution (cross-correlation), 1-D, 2-D or 3-D by its input",
        (
            Attribute("filters", "integer", "output channels", least=1),
            Attribute("multiplier", "integer", "output channels per input channel, instead of filters", least=1),
            _KERNEL,
            _STRIDE,
            _DILATION,
            _GROUP,
            Attribute("join", "word", "what becomes of the groups' outputs", "concat", words=("concat", "sum")),
            Attribute("tied", "boolean", "all groups share one kernel", False),
            _BIAS,
            _PAD,
            _PAD_MODE,
            _PAD_VALUE,
            _INIT,
        ),
        roles=_LEARNED,
    ),
    Kind(
        "conv_transpose",
        "transposed convolution: the adjoint of a convolution, used to upsample",
        (
            Attribute("filters", "integer", "output channels", required=True, least=1),
            _KERNEL,
            _STRIDE,
            _DILATION,
            _GROUP,
            _BIAS,
            Attribute("pad", "pad", "pixels cut off the output", 0, least=0, words=("same", "valid")),
            Attribute("output_pad", "integers", "pixels appended to the output", 0, least=0),
            _INIT,
        ),
        roles=_LEARNED,
    ),
    Kind(
        "dense",
        "fully connected layer on [N, features]",
        (Attribute("features", "integer", "outputs", required=True, least=1), _BIAS, _INIT),
        bare="features",
        roles=_LEARNED,
    ),
    Kind("max_pool", "largest value of a window", (_KERNEL, _POOL_STRIDE, _DILATION, _PAD, _CEIL), bare="kernel"),
    Kind(
        "average_pool",
        "mean of a window",
        (
            _KERNEL,
            _POOL_STRIDE,
            _DILATION,
            _PAD,
            _CEIL,
            Attribute("count_include_pad", "boolean", "padding counts as pixels of value 0", False),
        ),
        bare="kernel",
    ),
    Kind("lp_pool", "p-norm of a window", (_KERNEL, _POOL_STRIDE, _DILATION, _PAD, _CEIL, _NORM), bare="kernel"),
    Kind("global_lp_pool", "p-norm of all positions, per channel", (_NORM,), bare="p"),
    Kind("global_max_pool", "largest value of all positions, per channel"),
    Kind("global_average_pool", "mean of all positions, per channel"),
    Kind("relu", "max(x, 0)"),
    Kind("relu6", "min(max(x, 0), 6)"),
    Kind(
        "leaky_relu",
        "x where x >= 0, else slope * x",
        (Attribute("slope", "number", "the factor below zero", 0.01),),
        bare="slope",
    ),
    Kind(
        "prelu",
        "x where x >= 0, else weight * x",
        (Attribute("shared", "boolean", "one learned weight for all channels", False), _INIT),
        bare="shared",
        roles=("weight",),
    ),
    Kind(
        "clip",
        "x limited to a range",
        (
            Attribute("min", "number", "lower limit; left out: none"),
            Attribute("max", "number", "upper limit; left out: none"),
        ),
    ),
    Kind("sigmoid", "1 / (1 + exp(-x))"),
    Kind("silu", "x * sigmoid(x)"),
    Kind("tanh", "hyperbolic tangent"),
    Kind(
        "elu",
        "x where x >= 0, else alpha * (exp(x) - 1)",
        (Attribute("alpha", "number", "minus the limit far below zero", 1),),
        bare="alpha",
    ),
    Kind(
        "hard_sigmoid",
        "min(max(alpha * x + beta, 0), 1); the defaults are ONNX's, torch and MobileNetV3 have alpha 1/6",
        (
            Attribute("alpha", "number", "the slope", 0.2),
            Attribute("beta", "number", "the value at 0", 0.5),
        ),
    ),
    Kind("hard_swish", "x * min(max(x / 6 + 0.5, 0), 1)"),
    Kind("softplus", "log(1 + exp(x))"),
    Kind(
        "gelu",
        "x * Phi(x), with the normal distribution Phi",
        (Attribute("by", "word", "erf, which is exact, or the approximation by tanh", "erf", words=("erf", "tanh")),),
        bare="by",
    ),
    Kind("mish", "x * tanh(softplus(x))"),
    Kind("softmax", "exponentials that sum to 1 along an axis", (_AXIS,), bare="axis"),
    Kind(
        "batch_norm",
        "each channel shifted and scaled by its running statistics",
        (
            Attribute("epsilon", "number", "added to the variance", 1e-5),
            Attribute("fold", "boolean", "multiply it into the convolution before it", False),
            _INIT,
        ),
        roles=(*_LEARNED, "running_mean", "running_var"),
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
            Attribute("epsilon", "number", "added to the variance", 1e-5),
            Attribute("bias", "boolean", "add one learned number for each value", True),
            _INIT,
        ),
        bare="over",
        roles=_LEARNED,
    ),
    Kind(
        "group_norm",
        "each group of an image's channels shifted and scaled to mean 0 and variance 1, then each channel by its weight and bias",
        (
            Attribute("group", "integer", "groups of channels", required=True, least=1),
            Attribute("epsilon", "number", "added to the variance", 1e-5),
            _INIT,
        ),
        bare="group",
        roles=_LEARNED,
    ),
    Kind(
        "instance_norm",
        "each channel of an image shifted and scaled to mean 0 and variance 1, then by its weight and bias",
        (Attribute("epsilon", "number", "added to the variance", 1e-5), _INIT),
        roles=_LEARNED,
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
    *(
        Kind(f"reduce_{name}", f"{what} along some axes", _REDUCED, bare="axes")
        for name, what in (
            ("sum", "sum"),
            ("mean", "mean"),
            ("max", "largest value"),
            ("min", "smallest value"),
            ("l1", "sum of absolute values"),
            ("l2", "root of the sum of squares"),
            ("sum_square", "sum of squares"),
            ("prod", "product"),
        )
    ),
    Kind("neg", "-x"),
    Kind("abs", "|x|"),
    Kind("sqrt", "square root"),
    Kind("exp", "exponential function"),
    Kind("log", "natural logarithm"),
    Kind("erf", "error function"),
    Kind("reciprocal", "1 / x"),
    Kind("scale", "each channel times a learned number", (_INIT,), roles=("weight",)),
    Kind(
        "constant",
        "numbers that are the same whatever the input, for a join to read; learned where there are several",
        (Attribute("shape", "integers", "its sizes, batch and channels too", required=True, least=1), _INIT),
        bare="shape",
        roles=("value",),
        source=True,
    ),
    Kind("add", "sum of tensors, broadcast as in NumPy", join=True),
    Kind("sub", "first tensor less the second, broadcast as in NumPy", join=True),
    Kind("mul", "product of tensors, broadcast as in NumPy", join=True),
    Kind("div", "first tensor over the second, broadcast as in NumPy", join=True),
    Kind("pow", "first tensor to the power of the second, broadcast as in NumPy", join=True),
    Kind("maximum", "the largest of several tensors at each position, broadcast as in NumPy", join=True),
    Kind("minimum", "the smallest of several tensors at each position, broadcast as in NumPy", join=True),
    Kind("matmul", "first tensor times the second as matrices, the axes before the last two broadcast", join=True),
    Kind("concat", "tensors one after the other along an axis", (_AXIS,), join=True),
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
                "shape", "integers", "all sizes; 0: that of the same axis, -1: what is left", required=True, least=-1
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
    Kind("squeeze", "axes of size 1 taken away", (_axes("the axes, counted from 0 (the batch)"),), bare="axes"),
    Kind("unsqueeze", "axes of size 1 inserted", (_axes("the new axes, as counted in the output"),), bare="axes"),
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
        ),
    ),
    Kind(
        "expand",
        "axes of size 1 repeated",
        (Attribute("shape", "integers", "sizes of the last axes; 1: as it is", required=True, least=1),),
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
    Kind(
        "cast",
        "the same numbers in another data type",
        (Attribute("to", "word", "the data type", required=True, words=FLOATS),),
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
            _PAD_MODE,
            _PAD_VALUE,
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

LAYERS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""Every kind of layer by its name."""

WORDS = frozenset(word for kind in _KINDS for attribute in kind.attributes for word in attribute.words)
"""Words that an attribute may hold instead of a number."""

RESERVED = WORDS | {"min", "max", "previous", "layers", "true", "false", "null"}
"""Words with a meaning of their own; no parameter may be called like one."""

LAYER_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "name": "what the layer and its tensor are called",
        "from": "the tensor that it reads, instead of the previous layer's",
        "repeat": "how often, one after the other: a number, {i: number} counting i from 0, or {d: [values]}",
        "when": "left out where this is 0",
    }
)
"""Keys that stand beside any layer's kind."""

SPEC_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "name": "what the network is called",
        "parameters": "names for numbers, each with its value; --set overrides them",
        "dtype": "data type of inputs that do not say theirs; float32 where left out",
        "init": "how weights are drawn, for every layer that does not say it",
        "inputs": "the tensors from outside: name and type, such as float32[N, 3, 224, 224]",
        "blocks": "layers under one name, with parameters, to be used like a layer",
        "layers": "the layers, each reading the one before it",
        "outputs": "names of the output tensors; the last layer where left out",
        "quantize": "compute convolutions and dense layers with integers: uint8 or int8, or a table",
    }
)
"""Keys of the whole file."""

QUANTIZATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"activations": ("uint8", "int8"), "weights": ("channel", "tensor")}
)
"""Words of `quantize`, each with what it may be, the default first: int8 weights have a scale per channel or per tensor."""

SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        "linear": "dense",
        "fc": "dense",
        "fully_connected": "dense",
        "gemm": "dense",
        "conv1d": "conv",
        "conv2d": "conv",
        "conv3d": "conv",
        "convolution": "conv",
        "deconv": "conv_transpose",
        "convtranspose": "conv_transpose",
        "avgpool": "average_pool",
        "avg_pool": "average_pool",
        "maxpool": "max_pool",
        "gap": "global_average_pool",
        "bn": "batch_norm",
        "batchnorm": "batch_norm",
        "batchnormalization": "batch_norm",
        "swish": "silu",
        "hardsigmoid": "hard_sigmoid",
        "hardswish": "hard_swish",
        "hswish": "hard_swish",
        "sum": "add",
        "multiply": "mul",
        "layer_scale": "scale",
        "layernorm": "layer_norm",
        "ln": "layer_norm",
        "groupnorm": "group_norm",
        "gn": "group_norm",
        "instancenorm": "instance_norm",
        "local_response_norm": "lrn",
        "subtract": "sub",
        "divide": "div",
        "power": "pow",
        "keepdims": "keep",
        "keepdim": "keep",
        "concatenate": "concat",
        "cat": "concat",
        "interpolate": "resize",
        "scale_factor": "factor",
        "bilinear": "linear",
        "trilinear": "linear",
        "bicubic": "cubic",
        "nearest_mode": "round",
        "coordinate_transformation_mode": "coordinates",
        "cubic_coeff_a": "cubic_a",
        "sizes": "size",
        "scales": "scale",
        "permute": "transpose",
        "view": "reshape",
        "center_crop": "crop",
        "narrow": "slice",
        "pixel_shuffle": "depth_to_space",
        "pixel_unshuffle": "space_to_depth",
        "shuffle": "channel_shuffle",
        "astype": "cast",
        "perm": "axes",
        "dims": "axes",
        "end": "stop",
        "begin": "start",
        "blocksize": "block",
        "block_size": "block",
        "upscale_factor": "block",
        "mode": "order",
        "dtype": "to",
        "out_channels": "filters",
        "channels": "filters",
        "channel_multiplier": "multiplier",
        "depth_multiplier": "multiplier",
        "kernel_size": "kernel",
        "kernel_shape": "kernel",
        "size": "kernel",
        "strides": "stride",
        "padding": "pad",
        "pads": "pad",
        "padding_mode": "pad_mode",
        "dilations": "dilation",
        "dilation_rate": "dilation",
        "groups": "group",
        "use_bias": "bias",
        "ceil_mode": "ceil",
        "output_padding": "output_pad",
        "units": "features",
        "out_features": "features",
        "approximate": "by",
        "alpha": "slope",
        "negative_slope": "slope",
        "eps": "epsilon",
        "dim": "axis",
        "input": "from",
        "initializer": "init",
        "params": "parameters",
        "input_shape": "inputs",
        "SAME": "same",
        "SAME_UPPER": "same",
        "SAME_LOWER": "same_lower",
        "VALID": "valid",
        "dw": "depthwise",
    }
)
"""What other tools call our words; for suggestions only."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The known word that is meant by another tool's word or by a misspelt one, or the list of known words."""
    names = set(known)
    for spelling in (word, word.lower()):
        if SYNONYMS.get(spelling) in names:
            return f"did you mean {SYNONYMS[spelling]!r}?"
    return closest(word, names)
