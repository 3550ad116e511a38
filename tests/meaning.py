"""What a model means: to onnxruntime, to our definitions once it is loaded, and once it is emitted again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from oracles.hand_models import saved

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.graph import Graph
from onnxconv.load import load
from onnxconv.weights import Weights

onnxruntime.set_default_logger_severity(4)


def by_definition(graph: Graph, weights: Weights, x: np.ndarray) -> np.ndarray:
    values = {graph.inputs[0][0]: x.astype(np.float64)}
    for node in graph.nodes:
        arrays = {role: weights[param].astype(np.float64) for role, param in node.params}
        values[node.output] = node.op.define(*(values[name] for name in node.inputs), **arrays)
    return values[graph.outputs[0]].astype(np.float32)


def by_onnxruntime(content: bytes, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options).run(None, {"x": x})[0]


def assert_means_the_same(proto: onnx.ModelProto, x: np.ndarray, folder: Path, exact: bool = True) -> Graph:
    """The original in onnxruntime, our definition, and the model emitted from what was loaded: all agree."""
    graph, weights = load(saved(proto, folder))
    expected = by_onnxruntime(proto.SerializeToString(), x)
    options = EmitOptions(opset=max(17, proto.opset_import[0].version))
    ours, again = by_definition(graph, weights, x), by_onnxruntime(to_bytes(graph, weights, options), x)
    assert ours.shape == expected.shape == again.shape
    if exact:
        np.testing.assert_array_equal(ours, expected)
        np.testing.assert_array_equal(again, expected)
    else:
        np.testing.assert_allclose(ours, expected, rtol=3e-6, atol=1e-6)
        np.testing.assert_allclose(again, expected, rtol=3e-6, atol=1e-6)
    return graph
