"""Layers of ResNet's sizes, each alone, with drawn weights: up to 4,608 products an output."""

from __future__ import annotations

import onnxconv
from onnxconv.graph import Graph

LARGE: dict[str, tuple[str, str]] = {
    "stem 7×7×3": ("3, 56, 56", "conv: {filters: 64, kernel: 7, stride: 2, pad: 3}"),
    "3×3×64": ("64, 28, 28", "conv: {filters: 64, kernel: 3, pad: 1}"),
    "3×3×128": ("128, 14, 14", "conv: {filters: 128, kernel: 3, pad: 1}"),
    "3×3×128, strided": ("128, 28, 28", "conv: {filters: 128, kernel: 3, stride: 2, pad: 1}"),
    "3×3×256": ("256, 7, 7", "conv: {filters: 256, kernel: 3, pad: 1}"),
    "3×3×256, strided": ("256, 14, 14", "conv: {filters: 256, kernel: 3, stride: 2, pad: 1}"),
    "3×3×512": ("512, 7, 7", "conv: {filters: 512, kernel: 3, pad: 1}"),
    "1×1×64": ("64, 28, 28", "conv: {filters: 256, kernel: 1}"),
    "1×1×256": ("256, 14, 14", "conv: {filters: 64, kernel: 1}"),
    "1×1×1024": ("1024, 7, 7", "conv: {filters: 256, kernel: 1}"),
    "1×1×2048": ("2048, 7, 7", "conv: {filters: 512, kernel: 1}"),
    "1×1×512, no bias": ("512, 7, 7", "conv: {filters: 1024, kernel: 1, bias: false}"),
    "3×3×32, 32 groups of 8": ("256, 14, 14", "conv: {filters: 256, kernel: 3, group: 32, pad: 1}"),
    "3×3 depthwise of 256": ("256, 14, 14", "conv: {multiplier: 1, group: depthwise, kernel: 3, pad: 1}"),
    "transposed 2×2×256": ("256, 7, 7", "conv_transpose: {filters: 128, kernel: 2, stride: 2}"),
    "max pool 3×3 of 64": ("64, 28, 28", "max_pool: {kernel: 3, stride: 2, pad: 1}"),
    "average of 512": ("512, 7, 7", "global_average_pool"),
    "dense of 512": ("512", "dense: 1000"),
}
"""Shape of one image and layer, by name."""


def large(name: str) -> Graph:
    shape, layer = LARGE[name]
    spec = f'name: layer\ninputs: {{x: "float32[N, {shape}]"}}\nlayers:\n  - {layer}\n'
    return onnxconv.resolve(onnxconv.parse(spec))
