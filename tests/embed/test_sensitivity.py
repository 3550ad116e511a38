"""The measured tolerance of a whole network: zero where nothing rounds, above what correct runtimes err, below what faults cause."""

from __future__ import annotations

import numpy as np
import onnxruntime
from verify.sketch import Sketch

from onnxconv.embed.sensitivity import measured
from onnxconv.emit import to_bytes
from onnxconv.execute import run, seeded_inputs
from onnxconv.geometry import Axis
from onnxconv.graph import Graph
from onnxconv.ops import MaxPool, Relu
from onnxconv.weights import given, seeded


def test_layers_that_do_not_round_leave_no_room() -> None:
    s = Sketch((2, 3, 8, 8))
    s.add(MaxPool((Axis(2, 2),) * 2))
    s.add(Relu())
    graph = s.graph()
    inputs = seeded_inputs(graph, 0)
    (found,) = measured(graph, seeded(0), inputs, run(graph, seeded(0), inputs), "direct").values()
    assert found == 0


def deep() -> Graph:
    s = Sketch((2, 3, 16, 16))
    for _ in range(12):
        s.conv_bn_relu(16, 3)
    return s.graph()


def test_a_deep_network_has_room_for_roundings_and_none_for_a_filter() -> None:
    graph, weights = deep(), seeded(3)
    inputs = seeded_inputs(graph, 0)
    expected = run(graph, weights, inputs)
    (found,) = measured(graph, weights, inputs, expected, "direct").values()
    session = onnxruntime.InferenceSession(to_bytes(graph, weights), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, inputs)
    arrays = {param.name: weights[param].copy() for param in graph.params()}
    changed = next(array for array in arrays.values() if array.ndim > 2)
    changed[0] *= 1.01
    (other,) = run(graph, given(arrays), inputs).values()
    (exact,) = expected.values()
    assert 0 < np.abs(got.astype(float) - exact).max() < found
    assert np.abs(other.astype(float) - exact).max() > found
