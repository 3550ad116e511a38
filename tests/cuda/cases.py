"""What is run on a GPU: families of layers, data types, settings of the runtime, and whole networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from onnxconv.runtimes import MATRICES

INPUTS = {
    "1-D": "[N, 16, 61]",
    "2-D": "[N, 16, 15, 14]",
    "3-D": "[N, 8, 6, 7, 8]",
    "wide": "[N, 64, 28, 28]",
    "few": "[N, 3, 32, 33]",
    "features": "[N, 72]",
}
"""Sizes without the data type. `wide`: as many channels as tensor cores and Winograd's tiles are made for."""

FAMILIES: dict[str, tuple[str, str]] = {
    "conv 3x3, 64 channels": ("wide", "conv: {filters: 64, kernel: 3, pad: 1}"),
    "conv 1x1, 64 channels": ("wide", "conv: {filters: 64, kernel: 1}"),
    "conv 5x5, 64 channels": ("wide", "conv: {filters: 32, kernel: 5, pad: 2}"),
    "conv 7x7, stride 2, 3 channels": ("few", "conv: {filters: 32, kernel: 7, stride: 2, pad: 3}"),
    "conv 1-D": ("1-D", "conv: {filters: 24, kernel: 5, pad: 2}"),
    "conv 2-D": ("2-D", "conv: {filters: 24, kernel: 3}"),
    "conv 3-D": ("3-D", "conv: {filters: 16, kernel: 3, pad: 1}"),
    "depthwise": ("2-D", "conv: {multiplier: 1, group: depthwise, kernel: 3, pad: 1}"),
    "depthwise, multiplier 2": ("2-D", "conv: {multiplier: 2, group: depthwise, kernel: 3, pad: 1}"),
    "grouped": ("2-D", "conv: {filters: 16, kernel: 3, group: 4}"),
    "strided": ("2-D", "conv: {filters: 16, kernel: 3, stride: 2, pad: same}"),
    "dilated": ("2-D", "conv: {filters: 16, kernel: 3, dilation: 2, pad: same}"),
    "causal, dilated, 1-D": ("1-D", "conv: {filters: 16, kernel: 2, dilation: 4, pad: causal}"),
    "asymmetric pads": ("2-D", "conv: {filters: 16, kernel: 3, pad: [[0, 2], [1, 3]]}"),
    "odd channels": ("few", "conv: {filters: 5, kernel: [3, 2], bias: false}"),
    "everything, 3-D": (
        "3-D",
        "conv: {filters: 8, kernel: [2, 3, 1], group: 2, dilation: [2, 1, 1], stride: [1, 2, 3], pad: [[1, 0], [0, 2], [1, 1]]}",
    ),
    "transposed 1-D": ("1-D", "conv_transpose: {filters: 8, kernel: 3, stride: 2}"),
    "transposed 2-D": ("2-D", "conv_transpose: {filters: 8, kernel: 4, stride: 2, pad: 1}"),
    "transposed 3-D": ("3-D", "conv_transpose: {filters: 8, kernel: 2, stride: 2}"),
    "transposed, asymmetric pads": ("2-D", "conv_transpose: {filters: 8, kernel: 4, stride: 2, pad: [[0, 2], [1, 3]]}"),
    "transposed, output_pad": ("2-D", "conv_transpose: {filters: 8, kernel: 3, stride: 2, pad: 1, output_pad: 1}"),
    "transposed, grouped, dilated": ("2-D", "conv_transpose: {filters: 8, kernel: 3, group: 2, dilation: 2}"),
    "dense": ("features", "dense: {features: 40}"),
    "max pool": ("2-D", "max_pool: {kernel: 3, stride: 2, pad: 1}"),
    "max pool, ceil": ("2-D", "max_pool: {kernel: 3, stride: 2, ceil: true}"),
    "max pool 3-D": ("3-D", "max_pool: {kernel: 2}"),
    "average pool": ("2-D", "average_pool: {kernel: 3, stride: 2, pad: 1}"),
    "average pool, padding counted": ("2-D", "average_pool: {kernel: 3, stride: 2, pad: 1, count_include_pad: true}"),
    "average pool 1-D": ("1-D", "average_pool: {kernel: 3, stride: 2}"),
    "lp pool": ("2-D", "lp_pool: {kernel: 2}"),
    "global average pool": ("2-D", "global_average_pool:"),
    "global max pool": ("2-D", "global_max_pool:"),
    "batch norm": ("2-D", "batch_norm:"),
    "instance norm": ("2-D", "instance_norm:"),
    "group norm": ("2-D", "group_norm: {group: 4}"),
    "layer norm": ("2-D", "layer_norm:"),
    "lrn": ("2-D", "lrn: {size: 5}"),
    "sum of branches": ("2-D", "add: [[{max_pool: {kernel: 3, stride: 1, pad: 1}}], []]"),
    "concat of branches": ("2-D", "concat: [[relu], []]"),
    "relu": ("2-D", "relu:"),
    "silu": ("2-D", "silu:"),
    "gelu": ("2-D", "gelu:"),
    "softmax": ("2-D", "softmax:"),
    "upsample": ("2-D", "upsample: {factor: 2, mode: linear}"),
    "reflecting pad": ("2-D", "pad: {pad: 2, pad_mode: reflect}"),
}
"""Which input, and the layer."""

DTYPES = ("float32", "float16", "bfloat16", "int8")
"""`int8`: the float32 network with convolutions and dense layers in integers (QuantizeLinear, DequantizeLinear)."""

NETWORKS = (
    "resnet50",
    "mobilenet_v2",
    "unet",
    "wavenet",
    "squeezenet1_1",
    "efficientnet_b0",
    "resnext50_32x4d",
    "r3d_18",
)
"""Specs that ship, the first ones first."""

BUSY = ("conv", "depthwise", "grouped", "strided", "dilated", "causal", "asymmetric", "odd", "everything", "transposed")


def families(dtype: str) -> tuple[str, ...]:
    """Those that exist in a data type: integers are for convolutions and dense layers."""
    products = tuple(name for name in FAMILIES if name.startswith((*BUSY, "dense")) and "branches" not in name)
    products = tuple(name for name in products if not name.startswith("transposed")) if dtype == "int8" else products
    return products if dtype == "int8" else tuple(FAMILIES)


def spec(family: str, dtype: str) -> str:
    """The network of one family in one data type."""
    sizes, layer = FAMILIES[family]
    integers = "quantize: int8\n" if dtype == "int8" else ""
    held = "float32" if dtype == "int8" else dtype
    return f"name: case\n{integers}inputs:\n  x: {held}{INPUTS[sizes]}\nlayers:\n  - {layer}\n"


def settings(runtime: str) -> tuple[str, ...]:
    """Every combination of a runtime's matrix: first its defaults, then what differs from them in one option, then in two, …"""
    matrix = MATRICES[runtime]
    first = {key: values[0] for key, values in matrix.items()}
    names = [
        "".join((runtime, *(f",{key}={value}" for key, value in zip(matrix, values, strict=True))))
        for values in itertools.product(*matrix.values())
    ]

    def distance(name: str) -> int:
        return sum(f",{key}={value}" not in name for key, value in first.items())

    return tuple(sorted(names, key=distance))


def tasks(runtime: str, dtypes: Sequence[str] = DTYPES) -> list[tuple[str, str]]:
    """(setting, data type), the most telling first: all data types at the defaults, then float32 everywhere, then the rest."""
    names = settings(runtime)
    ordered = [(names[0], dtype) for dtype in dtypes]
    return ordered + [(name, dtype) for dtype in dtypes for name in names[1:]]
