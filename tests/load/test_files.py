"""What real files are like: weights as inputs, functions, odd names, every form of a constant, more bytes than memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from oracles.hand_models import integers, model, saved

import onnxconv
from onnxconv.emit import EmitOptions, save, to_bytes
from onnxconv.errors import ModelError
from onnxconv.execute import run
from onnxconv.load import load

CONV = helper.make_node("Conv", ["x", "w"], ["y"])
W = integers((3, 2, 2))
X = integers((1, 2, 5), 1)


def assert_computes(proto: onnx.ModelProto, folder: Path) -> None:
    graph, weights = load(saved(proto, folder))
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": X})
    found = run(graph, weights, {"x": X})
    assert list(found) == [value.name for value in proto.graph.output]
    for array, theirs in zip(found.values(), expected, strict=True):
        np.testing.assert_array_equal(array, theirs)


def test_what_build_writes_with_weights_as_inputs_loads_back(tmp_path: Path) -> None:
    spec = {
        "inputs": {"x": "float32[N, 3, 16, 16]"},
        "layers": [
            {"conv": {"filters": 8, "kernel": 3, "pad": 1}},
            "batch_norm",
            "relu",
            {"conv": {"filters": 8, "kernel": 3, "group": 4, "bias": False}},
            "global_average_pool",
            "flatten",
            {"dense": 5},
        ],
    }
    onnxconv.build(spec, tmp_path / "model.onnx", weights_as="inputs", seed=3)
    onnxconv.build(spec, tmp_path / "whole.onnx", seed=3)
    network, whole = onnxconv.read(tmp_path / "model.onnx", seed=3), onnxconv.read(tmp_path / "whole.onnx")
    assert [name for name, _ in network.graph.inputs] == ["x"]
    assert [p.name for p in network.graph.params()] == [p.name for p in whole.graph.params()]
    x = integers((2, 3, 16, 16), 1)
    (found,), (expected,) = network.run({"x": x}).values(), whole.run({"x": x}).values()
    np.testing.assert_array_equal(found, expected, "the same seed draws the same weights")
    other = onnxconv.read(tmp_path / "model.onnx", seed=4).run({"x": x})
    assert not np.array_equal(next(iter(other.values())), expected)


def test_weights_that_are_inputs_cannot_be_turned_over(tmp_path: Path) -> None:
    """Their numbers are not known: no other form of them is."""
    proto = model([helper.make_node("Gemm", ["x", "w"], ["y"])], {"x": (1, 4), "w": (4, 3)}, {})
    with pytest.raises(ModelError, match="is not a constant of the model"):
        load(saved(proto, tmp_path))


def constant(**value: object) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["c"], **value)


@pytest.mark.parametrize(
    "value",
    [
        {"value": numpy_helper.from_array(np.array(2, np.float32))},
        {"value": helper.make_tensor("", TensorProto.FLOAT, [1], [2.0])},
        {"value_float": 2.0},
        {"value_floats": [2.0, 3.0, 4.0, 5.0, 6.0]},
    ],
    ids=["raw", "listed", "float", "floats"],
)
def test_constants_in_every_form(value: dict[str, object], tmp_path: Path) -> None:
    assert_computes(
        model([constant(**value), helper.make_node("Mul", ["x", "c"], ["y"])], {"x": X.shape}, {}), tmp_path
    )


@pytest.mark.parametrize("value", [{"value_int": 10}, {"value_ints": [1, 10]}], ids=["int", "ints"])
def test_constants_of_integers(value: dict[str, object], tmp_path: Path) -> None:
    shape = [helper.make_node("Reshape", ["c", "one"], ["s"]), helper.make_node("Reshape", ["x", "s"], ["y"])]
    assert_computes(model([constant(**value), *shape], {"x": X.shape}, {"one": np.array([-1])}), tmp_path)


def test_text_is_no_constant(tmp_path: Path) -> None:
    nodes = [constant(value_string=b"text"), helper.make_node("Relu", ["x"], ["y"])]
    path = saved(model(nodes, {"x": (1, 2)}, {}), tmp_path)
    with pytest.raises(ModelError, match="it holds text"):
        load(path)
    assert [layer["op"] for layer in onnxconv.report(path).document["layers"]] == ["Relu"]


def test_initializers_listed_as_inputs_are_weights(tmp_path: Path) -> None:
    proto = model([CONV], {"x": X.shape, "w": W.shape}, {"w": W})
    for version in (3, 8):
        proto.ir_version = version
        graph, _ = load(saved(proto, tmp_path))
        assert [name for name, _ in graph.inputs] == ["x"]
        assert [param.name for param in graph.params()] == ["w"]


def test_what_is_not_used_is_not_even_read(tmp_path: Path) -> None:
    proto = model([CONV], {"x": X.shape}, {"w": W})
    proto.graph.initializer.add(name="broken", dims=[2**40], data_type=TensorProto.FLOAT, raw_data=b"ab")
    graph, _ = load(saved(proto, tmp_path))
    assert [param.name for param in graph.params()] == ["w"]


@pytest.mark.parametrize("kind", [np.float16, np.int8, np.uint8, np.int32, np.int64, np.bool_, np.float64], ids=str)
def test_constants_of_every_type_are_told_with_their_bytes(kind: type, tmp_path: Path) -> None:
    array = np.ones((3, 2), kind)
    nodes = [helper.make_node("Warp", ["x", "k"], ["y"], domain="my.ops")]
    proto = model(nodes, {"x": X.shape}, {"k": array})
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, X.shape))
    (layer,) = onnxconv.report(saved(proto, tmp_path)).document["layers"]
    weights = array.nbytes if np.dtype(kind).kind == "f" or (array.itemsize == 1 and kind is not np.bool_) else 0
    assert layer["weight_bytes"] == weights


def test_outputs_that_are_inputs_or_constants(tmp_path: Path) -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], {"x": X.shape}, {"w": W})
    proto.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "w"))
    graph, weights = load(saved(proto, tmp_path))
    found = run(graph, weights, {"x": X})
    np.testing.assert_array_equal(found["x"], X)
    np.testing.assert_array_equal(found["w"], W)
    again = onnxruntime.InferenceSession(to_bytes(graph, weights)).run(["y", "x", "w"], {"x": X})
    for name, array in zip(("y", "x", "w"), again, strict=True):
        np.testing.assert_array_equal(found[name], array)


def test_names_that_clash_with_ours(tmp_path: Path) -> None:
    """Names such as we make up, and one for a node and another's tensor."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["y/globalaveragepool"], axes=[2], keepdims=0, name="y"),
        helper.make_node("Relu", ["y/globalaveragepool"], ["y/flatten"], name="y"),
        helper.make_node("Sigmoid", ["y/flatten"], ["a"], name=""),
        helper.make_node("Relu", ["a"], ["y"], name="a"),
    ]
    proto = model(nodes, {"x": X.shape}, {}, opset=13)
    graph, weights = load(saved(proto, tmp_path))
    (found,) = run(graph, weights, {"x": X}).values()
    session = onnxruntime.InferenceSession(to_bytes(graph, weights))
    (expected,) = onnx.reference.ReferenceEvaluator(proto).run(None, {"x": X})
    for array in (found, session.run(None, {"x": X})[0]):
        np.testing.assert_allclose(array, expected, rtol=1e-6)


def with_functions(*bodies: tuple[str, list[onnx.NodeProto]]) -> onnx.ModelProto:
    proto = model([helper.make_node(bodies[-1][0], ["x"], ["y"], domain="local")], {"x": X.shape}, {})
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    proto.opset_import.append(opsets[1])
    for name, nodes in bodies:
        proto.functions.append(helper.make_function("local", name, ["a"], ["b"], nodes, opsets))
    return proto


def call(name: str, given: str, made: str) -> onnx.NodeProto:
    return helper.make_node(name, [given], [made], domain="local")


def test_functions_are_written_out(tmp_path: Path) -> None:
    inner = [helper.make_node("Relu", ["a"], ["h"]), helper.make_node("Add", ["h", "a"], ["b"])]
    outer = [call("Inner", "a", "h"), call("Inner", "h", "b")]
    proto = with_functions(("Inner", inner), ("Outer", outer))
    assert_computes(proto, tmp_path)
    assert len(load(saved(proto, tmp_path))[0].nodes) == 4


def test_functions_in_a_circle_or_without_end_are_refused(tmp_path: Path) -> None:
    circle = with_functions(("F", [call("G", "a", "b")]), ("G", [call("F", "a", "b")]))
    doubling = [(f"F{i}", [call(f"F{i - 1}", "a", "h"), call(f"F{i - 1}", "h", "b")]) for i in range(1, 60)]
    endless = with_functions(("F0", [helper.make_node("Relu", ["a"], ["b"])]), *doubling)
    for proto, code in ((circle, "recursion"), (endless, "too-large")):
        with pytest.raises(ModelError) as refused:
            onnxconv.report(saved(proto, tmp_path))
        assert [found.code for found in refused.value.diagnostics] == [code]


def external(folder: Path, shape: tuple[int, ...], dtype: int, size: int) -> Path:
    """A model with a Gemm whose weight is `shape`, in a file of `size` bytes that takes no disk."""
    proto = model([helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)], {"x": (1, shape[1])}, {})
    tensor = proto.graph.initializer.add(name="w", dims=shape, data_type=dtype)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(size)
    return saved(proto, folder)


def test_more_weights_than_memory_are_reported(tmp_path: Path) -> None:
    """12 GB of weights under a limit of 4 GB of memory, in a process of its own."""
    path = external(tmp_path, (3_000_000, 1000), TensorProto.FLOAT, 12_000_000_000)
    program = (
        "import resource, sys\n"
        "import onnxconv\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))\n"
        "print(onnxconv.report(sys.argv[1]).document['totals']['params'])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    params, peak = map(int, done.stdout.split())
    assert params == 3_000_000_000
    assert peak < 1 << 20, "kilobytes"
    assert resource.getrlimit(resource.RLIMIT_DATA) != (4 << 30, 4 << 30)


@pytest.mark.parametrize(
    ("shape", "dtype", "size"),
    [((4, 8), TensorProto.FLOAT, 127), ((4, 8), TensorProto.DOUBLE, 255), ((4, 8), TensorProto.FLOAT16, 63)],
)
def test_external_data_that_are_too_short(shape: tuple[int, ...], dtype: int, size: int, tmp_path: Path) -> None:
    path = external(tmp_path, shape, dtype, size)
    with pytest.raises(ModelError, match=f"has {size}"):
        load(path)
    assert onnxconv.report(path).document["unread"][0]["op"] == "Gemm"


def test_external_data_written_by_us_load_back(tmp_path: Path) -> None:
    graph, weights = load(saved(model([CONV], {"x": X.shape}, {"w": W}), tmp_path))
    save(graph, weights, tmp_path / "again.onnx", EmitOptions(external_data="always"))
    again, arrays = load(tmp_path / "again.onnx")
    np.testing.assert_array_equal(run(again, arrays, {"x": X})["y"], run(graph, weights, {"x": X})["y"])
