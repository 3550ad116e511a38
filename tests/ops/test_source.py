"""Constants are tensors like others; what is not understood is seen by nobody but named."""

import numpy as np
import onnx
import onnxruntime
import pytest

from onnxconv.emit import to_bytes
from onnxconv.errors import UsageError
from onnxconv.execute import run
from onnxconv.geometry import ANYTHING
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.ops import Add, Constant, Opaque, Relu
from onnxconv.receptive import receptive_fields
from onnxconv.verify import verify
from onnxconv.weights import given

X = TensorType("float32", (1, 2, 4))


def shifted(name: str = "c", outputs: tuple[str, ...] = ("y",)) -> Graph:
    type = TensorType("float32", (1, 2, 1))
    param = Param(name, "float32", (1, 2, 1), Initial(name, (1, 2, 1), "ones"))
    constant = Node("c", Constant((1, 2, 1)), (), "c", type, (("value", param),))
    return Graph("shifted", (("x", X),), (constant, Node("y", Add(), ("x", "c"), "y", X)), outputs)


@pytest.mark.parametrize(("name", "outputs"), [("c", ("y",)), ("c.value", ("y",)), ("c.value", ("y", "c"))])
def test_a_constant_is_an_initializer(name: str, outputs: tuple[str, ...]) -> None:
    graph, x = shifted(name, outputs), np.arange(8, dtype=np.float32).reshape(1, 2, 4)
    weights = given({name: np.array([[[10], [20]]], np.float32)})
    content = to_bytes(graph, weights)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Add"] + ["Identity"] * ("c" in outputs) or "c" in outputs
    expected = x + np.array([[[10], [20]]], np.float32)
    assert np.array_equal(run(graph, weights, {"x": x})["y"], expected)
    assert np.array_equal(onnxruntime.InferenceSession(content).run(["y"], {"x": x})[0], expected)


def test_a_constant_sees_nothing() -> None:
    fields = receptive_fields(shifted())
    assert fields["c"] == {}
    assert fields["y"]["x"][0].at(3) == (3, 1)


def test_models_with_constants_are_verified() -> None:
    weights = given({"c": np.array([[[10], [20]]], np.float32)})
    found = verify(shifted(), weights, probes=("shape", "exact", "bound"))
    assert [check.verdict.value for check in found.checks] == ["pass"] * 3


def unknown() -> Graph:
    nodes = (
        Node("a", Relu(), ("x",), "a", X),
        Node("b", Opaque("Warp", (1, 2, 9), "com.example"), ("a",), "b", TensorType("float32", (1, 2, 9))),
        Node("c", Relu(), ("b",), "c", TensorType("float32", (1, 2, 9))),
    )
    return Graph("unknown", (("x", X),), nodes, ("c",))


def test_what_is_not_understood_may_see_anything() -> None:
    fields = receptive_fields(unknown())
    assert fields["a"]["x"][0].at(2) == (2, 1)
    assert fields["b"]["x"] == fields["c"]["x"] == (ANYTHING,)
    assert fields["c"]["x"][0].size() is None


def test_what_is_not_understood_is_not_run_or_written() -> None:
    with pytest.raises(UsageError, match=r"layer 'b' \(com\.example\.Warp\)"):
        run(unknown(), given({}), {"x": np.zeros((1, 2, 4), np.float32)})
    with pytest.raises(UsageError, match=r"com\.example\.Warp cannot be written"):
        to_bytes(unknown(), given({}))
