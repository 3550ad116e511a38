"""What other tools call the words of the spec language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from onnxconv.errors import closest

__all__ = ["SYNONYMS", "suggestion"]

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
