"""Weights that a model does not hold but computes: ConstantOfShape and Expand of constants."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from oracles.hand_models import integers, model, saved

from onnxconv.errors import ModelError
from onnxconv.execute import run
from onnxconv.load import load


def filled(value: np.ndarray | None = None) -> onnx.NodeProto:
    said = {} if value is None else {"value": numpy_helper.from_array(value)}
    return helper.make_node("ConstantOfShape", ["shape"], ["w"], **said)


def convolved(*nodes: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    """x[1, 2, 5] convolved with a weight w[3, 2, 2] that `nodes` compute."""
    return model([*nodes, helper.make_node("Conv", ["x", "w"], ["y"])], {"x": (1, 2, 5)}, constants)


SHAPE = {"shape": np.array([3, 2, 2])}
MODELS = {
    "zero by default": convolved(filled(), **SHAPE),
    "one number": convolved(filled(np.array([0.5], np.float32)), **SHAPE),
    "expanded": convolved(helper.make_node("Expand", ["v", "shape"], ["w"]), v=integers((3, 1, 2)), **SHAPE),
    "expanded both ways": convolved(
        helper.make_node("Expand", ["v", "shape"], ["w"]), v=integers((3, 1, 2)), shape=np.array([2, 1])
    ),
    "filled and expanded": convolved(
        helper.make_node("ConstantOfShape", ["one"], ["v"], value=numpy_helper.from_array(np.array([3], np.float32))),
        helper.make_node("Expand", ["v", "shape"], ["w"]),
        one=np.array([1]),
        **SHAPE,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_computed_weights_are_weights(name: str, tmp_path: Path) -> None:
    graph, weights = load(saved(MODELS[name], tmp_path))
    x = integers((1, 2, 5), 1)
    session = onnxruntime.InferenceSession(MODELS[name].SerializeToString())
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], session.run(None, {"x": x})[0])
    assert [(param.name, param.learned) for param in graph.params()] == [("w", 12)]


def test_a_weight_takes_no_memory_before_it_is_used(tmp_path: Path) -> None:
    nodes = [filled(), helper.make_node("Conv", ["x", "w"], ["y"])]
    wide = model(nodes, {"x": (1, 100_000, 1)}, {"shape": np.array([1_000_000, 100_000, 1])})
    tracemalloc.start()
    graph, _ = load(saved(wide, tmp_path))
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert [param.learned for param in graph.params()] == [10**11]


@pytest.mark.parametrize(
    ("proto", "code"),
    [
        (convolved(filled(), shape=np.array([2**21, 2**20, 2])), "too-large"),
        (convolved(filled(), shape=np.array([-3, 2, 2])), "negative-size"),
        (convolved(filled(np.ones(2, np.float32)), **SHAPE), "constant"),
        (
            convolved(helper.make_node("Expand", ["v", "shape"], ["w"]), v=integers((2,)), shape=np.array([3])),
            "broadcast",
        ),
    ],
)
def test_refused(proto: onnx.ModelProto, code: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refused:
        load(saved(proto, tmp_path))
    assert [d.code for d in refused.value.diagnostics] == [code]
