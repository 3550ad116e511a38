"""ONNX models made by hand, in the spellings that other exporters use. Imports nothing of the product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "uint8": TensorProto.UINT8,
}


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, np.ndarray],
    *,
    opset: int = 17,
    output: str = "y",
    dtype: str = "float32",
) -> onnx.ModelProto:
    """A model whose constants are initializers; the output has no shape, so that nothing but its nodes says it."""
    graph = helper.make_graph(
        list(nodes),
        "hand",
        [helper.make_tensor_value_info(name, TYPES[dtype], list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, TYPES[dtype], None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def one(
    op: str,
    shape: Sequence[int | str],
    constants: Mapping[str, np.ndarray] | None = None,
    opset: int = 17,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one node: x and the constants in order are its inputs; an empty name is left out."""
    constants = constants or {}
    node = helper.make_node(
        op, ["x", *(name if not name.startswith("_") else "" for name in constants)], ["y"], **attributes
    )
    held = {name: array for name, array in constants.items() if not name.startswith("_")}
    return model([node], {"x": shape}, held, opset=opset)


def saved(proto: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def integers(shape: Sequence[int], seed: int = 0, low: int = -4, high: int = 5) -> np.ndarray:
    """Small whole numbers as float32: sums of their products are exact in any order."""
    return np.random.default_rng([seed, *shape]).integers(low, high, tuple(shape)).astype(np.float32)
