"""ONNX models of quantised layers, made by hand, in the forms that quantisers write. Imports nothing of the product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
}


def quantised(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[str, Sequence[int | str]]],
    constants: Mapping[str, np.ndarray],
    outputs: Mapping[str, str],
    opset: int = 17,
) -> onnx.ModelProto:
    """Inputs are data types and shapes, outputs data types."""
    graph = helper.make_graph(
        list(nodes),
        "quantised",
        [helper.make_tensor_value_info(name, TYPES[dtype], list(shape)) for name, (dtype, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TYPES[dtype], None) for name, dtype in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def operators(seed: int = 0, *, signed: bool = False, per_channel: bool = True, opset: int = 17) -> onnx.ModelProto:
    """Float → QuantizeLinear → QLinearConv → MaxPool → depthwise QLinearConv → DequantizeLinear, per channel or tensor."""
    rng = np.random.default_rng(seed)
    of, zero = (np.int8, -3) if signed else (np.uint8, 121)
    n = (6,) if per_channel else ()
    scale = lambda low, high, shape=(): rng.uniform(low, high, shape).astype(np.float32)  # noqa: E731
    held = {
        "xs": scale(0.01, 0.03),
        "xz": np.array(zero, of),
        "w1": rng.integers(-127, 128, (6, 3, 3, 3)).astype(np.int8),
        "w1s": scale(0.002, 0.01, n),
        "w1z": np.zeros(n, np.int8),
        "b1": rng.integers(-3000, 3000, 6).astype(np.int32),
        "s1": scale(0.02, 0.06),
        "z1": np.array(zero + 3, of),
        "w2": rng.integers(-127, 128, (6, 1, 3, 3)).astype(np.int8),
        "w2s": scale(0.002, 0.01, n),
        "w2z": np.zeros(n, np.int8),
        "s2": scale(0.02, 0.08),
        "z2": np.array(zero - 2, of),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node(
            "QLinearConv",
            ["q", "xs", "xz", "w1", "w1s", "w1z", "s1", "z1", "b1"],
            ["c1"],
            pads=[1, 0, 1, 2],
            strides=[1, 2],
        ),
        helper.make_node("MaxPool", ["c1"], ["m"], kernel_shape=[2, 2]),
        helper.make_node(
            "QLinearConv", ["m", "s1", "z1", "w2", "w2s", "w2z", "s2", "z2"], ["c2"], group=6, pads=[1, 1, 1, 1]
        ),
        helper.make_node("DequantizeLinear", ["c2", "s2", "z2"], ["y"]),
    ]
    return quantised(nodes, {"x": ("float32", ("N", 3, 9, 8))}, held, {"y": "float32"}, opset)


def pairs(seed: int = 0, *, per_channel: bool = True, opset: int = 17) -> onnx.ModelProto:
    """The same as quantise–dequantise pairs around float operators, weights and biases dequantised from constants."""
    rng = np.random.default_rng(seed)
    n = (6,) if per_channel else ()
    scale = lambda low, high, shape=(): rng.uniform(low, high, shape).astype(np.float32)  # noqa: E731
    held: dict[str, np.ndarray] = {}
    nodes: list[onnx.NodeProto] = []

    def pair(x: str, name: str, zero: int) -> str:
        held[f"{name}s"], held[f"{name}z"] = scale(0.02, 0.06), np.array(zero, np.uint8)
        nodes.append(helper.make_node("QuantizeLinear", [x, f"{name}s", f"{name}z"], [f"{name}q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}q", f"{name}s", f"{name}z"], [f"{name}d"]))
        return f"{name}d"

    def weight(name: str, shape: Sequence[int]) -> str:
        held[f"{name}q"] = rng.integers(-127, 128, tuple(shape)).astype(np.int8)
        held[f"{name}s"], held[f"{name}z"] = scale(0.002, 0.01, n), np.zeros(n, np.int8)
        along = {"axis": 0} if n else {}
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}q", f"{name}s", f"{name}z"], [name], **along))
        return name

    x = pair("x", "x", 120)
    nodes.append(helper.make_node("Conv", [x, weight("w1", (6, 3, 3, 3))], ["c1"], pads=[1, 0, 1, 2], strides=[1, 2]))
    nodes.append(helper.make_node("Relu", ["c1"], ["r1"]))
    x = pair("r1", "a", 0)
    nodes.append(helper.make_node("Conv", [x, weight("w2", (6, 1, 3, 3))], ["c2"], group=6, pads=[1, 1, 1, 1]))
    x = pair("c2", "b", 128)
    nodes.append(helper.make_node("MaxPool", [x], ["m"], kernel_shape=[2, 2]))
    nodes.append(helper.make_node("Identity", ["m"], ["y"]))
    return quantised(nodes, {"x": ("float32", ("N", 3, 9, 8))}, held, {"y": "float32"}, opset)


def dynamic() -> onnx.ModelProto:
    """DynamicQuantizeLinear, whose scale and zero point go on into DequantizeLinear; and into ConvInteger."""
    rng = np.random.default_rng(3)
    held = {"w": rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)}
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("ConvInteger", ["q", "w", "z"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("DequantizeLinear", ["c", "s"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    return quantised(nodes, {"x": ("float32", (2, 3, 9, 8))}, held, {"y": "float32"})


def products() -> onnx.ModelProto:
    """QuantizeLinear → QLinearMatMul → MatMulInteger, both with constants."""
    rng = np.random.default_rng(4)
    held = {
        "xs": np.float32(0.013),
        "xz": np.uint8(118),
        "a": rng.integers(0, 256, (20, 8)).astype(np.uint8),
        "as": np.float32(0.0071),
        "az": np.uint8(131),
        "ys": np.float32(0.11),
        "yz": np.uint8(125),
        "b": rng.integers(0, 256, (8, 5)).astype(np.uint8),
        "bz": np.uint8(9),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node("QLinearMatMul", ["q", "xs", "xz", "a", "as", "az", "ys", "yz"], ["m"]),
        helper.make_node("MatMulInteger", ["m", "b", "yz", "bz"], ["y"]),
    ]
    return quantised(nodes, {"x": ("float32", (6, 20))}, held, {"y": "int32"})
