"""Nodes by hand, with weights that are drawn."""

from __future__ import annotations

import numpy as np

from onnxconv.graph import Initial, Node, Param, TensorType
from onnxconv.ops import Operator, Shape


def node(name: str, op: Operator, inputs: tuple[str, ...], *shapes: Shape, dtype: str = "float32") -> Node:
    params = tuple(
        (role, Param(f"{name}.{role}", dtype, shape, Initial(f"{name}.{role}", shape)))
        for role, shape in op.weight_shapes(*shapes).items()
    )
    return Node(name, op, inputs, name, TensorType(dtype, op.out_shape(*shapes)), params)


def weights_of(node: Node, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {role: np.abs(rng.standard_normal(param.shape)).astype(param.dtype) for role, param in node.params}
