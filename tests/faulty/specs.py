"""Small networks in which the parts of a convolution network meet, in one to three dimensions, and weights for them."""

from __future__ import annotations

import numpy as np

import onnxconv
from onnxconv.graph import Graph
from onnxconv.weights import Weights, given

X1, X2, X3 = "float32[N, 6, 21]", "float32[N, 6, 12, 13]", "float32[N, 4, 6, 7, 8]"
SQUARE = "float32[N, 6, 11, 11]"
SMALL = "float32[N, 6, 7, 8]"
ODD = "float32[N, 5, 10, 11]"
WIDE = "float32[N, 256, 7, 7]"

LAYERS: dict[str, tuple[str, str]] = {
    "conv 1-D": (X1, "conv: {filters: 8, kernel: 3, stride: 2, pad: [[1, 2]]}"),
    "conv 1-D, causal": (X1, "conv: {filters: 8, kernel: 3, dilation: 4, pad: causal}"),
    "conv 2-D": (SQUARE, "conv: {filters: 8, kernel: 3, pad: 1}"),
    "conv 2-D, without pads": (X2, "conv: {filters: 8, kernel: [3, 2]}"),
    "conv 2-D, same": (X2, "conv: {filters: 8, kernel: 4, stride: 2, pad: same}"),
    "conv 2-D, everything": (
        X2,
        "conv: {filters: 8, kernel: [3, 2], group: 2, stride: [1, 2], dilation: [2, 3], pad: [[0, 2], [3, 1]]}",
    ),
    "conv 2-D, pointwise": (ODD, "conv: {filters: 9, kernel: 1}"),
    "conv 2-D, depthwise": (X2, "conv: {multiplier: 2, group: depthwise, kernel: 3, pad: 1}"),
    "conv 2-D, no bias": (ODD, "conv: {filters: 7, kernel: 5, stride: 3, pad: 2, bias: false}"),
    "conv 2-D, 2304 products": (WIDE, "conv: {filters: 8, kernel: 3, pad: 1}"),
    "conv 3-D": (
        X3,
        "conv: {filters: 6, kernel: [2, 3, 3], stride: [1, 2, 1], dilation: [2, 1, 1], pad: [[1, 0], [1, 1], [0, 2]]}",
    ),
    "conv 3-D, groups": (X3, "conv: {filters: 8, kernel: 3, group: 2, pad: 1}"),
    "transposed 1-D": (X1, "conv_transpose: {filters: 8, kernel: 4, stride: 2, pad: [[1, 0]]}"),
    "transposed 2-D": (SMALL, "conv_transpose: {filters: 8, kernel: 3, stride: 2, pad: 1, output_pad: 1}"),
    "transposed 2-D, groups": (
        SMALL,
        "conv_transpose: {filters: 8, kernel: [3, 2], group: 2, stride: [2, 3], pad: [[0, 1], [1, 0]]}",
    ),
    "transposed 2-D, dilated": (SMALL, "conv_transpose: {filters: 7, kernel: 3, dilation: 2, pad: 2}"),
    "transposed 3-D": (X3, "conv_transpose: {filters: 4, kernel: 2, stride: 2, pad: [[0, 1], [0, 0], [1, 0]]}"),
    "max pool 1-D": (X1, "max_pool: {kernel: 3, stride: 2, pad: 1}"),
    "max pool 2-D": (X2, "max_pool: {kernel: 3, stride: 2, pad: [[0, 1], [1, 0]]}"),
    "max pool 2-D, dilated": (X2, "max_pool: {kernel: [2, 3], stride: 1, dilation: 2, pad: 1}"),
    "max pool 3-D, ceil": (X3, "max_pool: {kernel: 2, stride: 2, ceil: true}"),
    "average pool 1-D": (X1, "average_pool: {kernel: 3, stride: 1, pad: 1}"),
    "average pool 2-D": (X2, "average_pool: {kernel: 3, stride: 2, pad: 1, count_include_pad: true}"),
    "average pool 2-D, ceil": (X2, "average_pool: {kernel: 3, stride: 2, ceil: true}"),
    "average pool 3-D": (X3, "average_pool: {kernel: [2, 3, 2], stride: [2, 2, 1], pad: [[1, 0], [0, 1], [0, 0]]}"),
    "dense": ("float32[N, 37]", "dense: 11"),
}
"""One layer each: its input and itself."""

NETWORKS: dict[str, str] = {
    "residual 1-D": """
inputs: {x: "float32[N, 6, 24]"}
layers:
  - conv: {filters: 8, kernel: 1}
  - add:
      - - conv: {filters: 8, kernel: 3, dilation: 2, pad: causal}
        - relu
        - conv: {filters: 8, kernel: 3, dilation: 2, pad: causal}
      - []
  - relu
  - conv: {filters: 4, kernel: 1}
""",
    "residual 2-D": """
inputs: {x: "float32[N, 3, 16, 16]"}
layers:
  - conv: {filters: 8, kernel: 3, stride: 2, pad: 1, bias: false}
  - batch_norm
  - relu
  - max_pool: {kernel: 3, stride: 1, pad: 1}
  - add:
      - - conv: {filters: 8, kernel: 3, pad: 1, bias: false}
        - batch_norm
        - relu
        - conv: {filters: 8, kernel: 3, pad: 1, bias: false}
        - batch_norm
      - []
  - relu
  - global_average_pool
  - flatten
  - dense: 5
""",
    "inverted residual 2-D": """
inputs: {x: "float32[N, 4, 12, 12]"}
layers:
  - add:
      - - conv: {filters: 12, kernel: 1}
        - clip: {min: 0, max: 6}
        - conv: {multiplier: 1, group: depthwise, kernel: 3, pad: 1}
        - clip: {min: 0, max: 6}
        - conv: {filters: 4, kernel: 1}
      - []
  - conv: {filters: 6, kernel: 3, stride: 2, pad: same}
""",
    "branches 2-D": """
inputs: {x: "float32[N, 5, 12, 12]"}
layers:
  - concat:
      - - conv: {filters: 4, kernel: 1}
        - relu
      - - conv: {filters: 4, kernel: 3, pad: 1}
        - relu
      - - max_pool: {kernel: 3, stride: 1, pad: 1}
        - conv: {filters: 4, kernel: 1}
        - relu
  - average_pool: {kernel: 2, stride: 2}
  - conv: {filters: 6, kernel: 3}
""",
    "encoder and decoder 2-D": """
inputs: {x: "float32[N, 2, 16, 12]"}
layers:
  - conv: {filters: 6, kernel: 3, pad: 1}
  - leaky_relu: {slope: 0.1}
    name: left
  - max_pool: {kernel: 2}
  - conv: {filters: 8, kernel: 3, pad: 1}
  - leaky_relu: {slope: 0.1}
  - conv_transpose: {filters: 6, kernel: 2, stride: 2}
    name: up
  - concat: [left, up]
  - conv: {filters: 4, kernel: 3, pad: 1}
""",
    "pre-activation 2-D": """
inputs: {x: "float32[N, 3, 11, 13]"}
layers:
  - conv: {filters: 6, kernel: 3, pad: 1}
  - max_pool: {kernel: 2, stride: 1}
  - add:
      - - relu
        - conv: {filters: 6, kernel: 3, pad: 1}
      - []
  - concat:
      - - conv: {filters: 4, kernel: 3}
      - - conv: {filters: 4, kernel: 1}
        - average_pool: {kernel: 3, stride: 1}
  - conv: {filters: 3, kernel: 1}
""",
    "gates 2-D": """
inputs: {x: "float32[N, 4, 9, 9]"}
layers:
  - conv: {filters: 6, kernel: 3}
    name: maps
  - global_average_pool
  - conv: {filters: 6, kernel: 1}
  - sigmoid:
    name: gate
  - mul: [maps, gate]
  - conv_transpose: {filters: 3, kernel: 3, stride: 2, pad: 1}
  - tanh
""",
    "clip 3-D": """
inputs: {x: "float32[N, 2, 6, 8, 8]"}
layers:
  - conv: {filters: 6, kernel: 3, pad: 1}
  - relu
  - max_pool: {kernel: [1, 2, 2], stride: [1, 2, 2]}
  - conv: {filters: 4, kernel: [3, 1, 1], pad: [1, 0, 0]}
  - prelu
  - global_average_pool
""",
    "a quiet filter": """
inputs: {x: "float32[N, 6, 10, 10]"}
layers:
  - conv: {filters: 8, kernel: 3, pad: 1}
  - relu
  - conv: {filters: 6, kernel: 3}
""",
}
"""Whole networks."""

QUIET = 1e-4
"""What the first filter of each layer is multiplied with where a filter is quiet."""

SPECS = {
    **{name: f'name: layer\ninputs: {{x: "{x}"}}\nlayers:\n  - {layer}\n' for name, (x, layer) in LAYERS.items()},
    **{name: f"name: network{text}" for name, text in NETWORKS.items()},
}


def graph(name: str) -> Graph:
    return onnxconv.resolve(onnxconv.parse(SPECS[name]))


def weights(graph: Graph, seed: int, quiet: bool = False) -> Weights:
    """He-normal kernels, and biases, means, variances and factors that matter."""
    random, arrays = np.random.default_rng(seed), {}
    for node in graph.nodes:
        for role, param in node.params:
            shape = tuple(param.shape)
            match role:
                case "weight" if len(shape) > 1:
                    fan = np.prod(shape) // (shape[0] if node.op.kind != "ConvTranspose" else shape[1])
                    a = random.standard_normal(shape) * np.sqrt(2 / fan)
                    a[:1] *= QUIET if quiet else 1.0
                case "weight" | "running_var":
                    a = random.uniform(0.5, 1.5, shape)
                case "slope":
                    a = random.uniform(0.05, 0.4, shape)
                case _:
                    a = random.uniform(-0.5, 0.5, shape)
                    a[:1] *= 0.0 if quiet else 1.0
            arrays[param.name] = a.astype(np.float32)
    return given(arrays)
