"""Models that are not understood as a whole: what is known is reported, what is not is named, and nothing more is done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from oracles.hand_models import integers, model, saved

import onnxconv
from onnxconv.errors import ModelError
from onnxconv.load import load
from onnxconv.ops import Opaque

CONV = helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1], name="conv")
W = {"w": integers((3, 2, 3))}


def reported(proto: onnx.ModelProto, folder: Path, **options: Any) -> dict[str, Any]:
    return onnxconv.report(saved(proto, folder), **options).document


def layers(document: Mapping[str, Any]) -> dict[str, str]:
    return {layer["name"]: layer["op"] for layer in document["layers"]}


def between(
    node: onnx.NodeProto, *, told: Sequence[int | str] | None = None, **constants: np.ndarray
) -> onnx.ModelProto:
    """conv, then `node` from a to b, then relu; with the shape of b in the file if it is `told`."""
    nodes = [CONV, node, helper.make_node("Relu", ["b"], ["y"], name="relu")]
    proto = model(nodes, {"x": (1, 2, 8)}, {**W, **constants})
    if told is not None:
        proto.graph.value_info.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, told))
    return proto


def test_a_custom_operator_and_what_is_behind_it_are_named(tmp_path: Path) -> None:
    document = reported(between(helper.make_node("Warp", ["a"], ["b"], name="warp", domain="my.ops")), tmp_path)
    assert layers(document) == {"conv": "Conv"}
    assert [(entry["name"], entry["op"], entry["layer"]) for entry in document["unread"]] == [
        ("warp", "my.ops.Warp", None),
        ("relu", "Relu", None),
        ("y", "output", None),
    ]
    assert document["totals"]["left_out"] == 2
    assert [output["name"] for output in document["outputs"]] == ["a"]


def test_where_the_file_tells_its_shape_the_rest_is_reported_too(tmp_path: Path) -> None:
    node = helper.make_node("Warp", ["a", "k"], ["b"], name="warp", domain="my.ops")
    document = reported(between(node, told=[1, 3, 4], k=integers((5, 3))), tmp_path)
    assert layers(document) == {"conv": "Conv", "warp": "my.ops.Warp", "relu": "Relu"}
    warp, relu = document["layers"][1:]
    assert (warp["params"], warp["macs"], warp["output_shape"]) == (15, None, [1, 3, 4])
    for layer in (warp, relu):
        assert layer["receptive_field"]["x"]["size"] is None
        assert layer["receptive_field"]["x"]["exact"] is False
    assert [(entry["name"], entry["layer"]) for entry in document["unread"]] == [("warp", "warp")]
    assert (document["totals"]["params"], document["totals"]["left_out"]) == (18 + 15, 1)
    assert document["totals"]["macs"] == document["layers"][0]["macs"]


def test_shapes_that_onnx_infers_serve_too(tmp_path: Path) -> None:
    """Bernoulli draws numbers: no operator of ours will ever be one."""
    document = reported(between(helper.make_node("Bernoulli", ["a"], ["b"])), tmp_path)
    assert layers(document) == {"conv": "Conv", "b": "Bernoulli", "relu": "Relu"}
    assert document["layers"][1]["output_shape"] == [1, 3, 8]


def test_every_output_of_a_node_is_a_layer(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        helper.make_node("LSTM", ["t", "w", "r"], ["", "h", "c"], name="lstm", hidden_size=4),
        helper.make_node("Add", ["h", "c"], ["y"]),
    ]
    proto = model(nodes, {"x": (1, 2, 8)}, {"w": integers((1, 16, 2)), "r": integers((1, 16, 4))})
    proto.graph.value_info.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, [8, 1, 2]))
    document = reported(proto, tmp_path)
    found = [layer for layer in document["layers"] if layer["op"] == "LSTM"]
    assert [(layer["output"], layer["output_shape"]) for layer in found] == [("h", [1, 1, 4]), ("c", [1, 1, 4])]
    assert sum(layer["params"] for layer in found) == 16 * 2 + 16 * 4, "they share their weights"


def test_a_second_output_leaves_the_first_one_understood(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Dropout", ["x"], ["p", "i"], name="drop"),
        helper.make_node("Relu", ["p"], ["y"]),
    ]
    proto = model(nodes, {"x": (1, 2, 8)}, {}, opset=10)
    proto.graph.output.append(helper.make_tensor_value_info("i", TensorProto.BOOL, None))
    document = reported(proto, tmp_path)
    assert [layer["op"] for layer in document["layers"]] == ["Identity", "Dropout", "Relu"]
    assert {output["name"]: output["dtype"] for output in document["outputs"]} == {"y": "float32", "i": "bool"}
    assert len(document["unread"]) == 1


def test_what_an_opaque_layer_sees_includes_what_it_sees_through_unread_nodes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Warp", ["x"], ["a"], domain="my.ops"),
        helper.make_node("Mix", ["a", "z"], ["b"], domain="my.ops"),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    proto = model(nodes, {"x": (1, 2, 8), "z": (1, 2, 8)}, {})
    proto.graph.value_info.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, [1, 2, 8]))
    mix, relu = reported(proto, tmp_path)["layers"]
    assert set(mix["receptive_field"]) == set(relu["receptive_field"]) == {"x", "z"}


def test_a_model_of_which_nothing_is_known_is_told_to_be_so(tmp_path: Path) -> None:
    proto = model([helper.make_node("Make", [], ["y"], domain="my.ops")], {}, {})
    report = onnxconv.report(saved(proto, tmp_path))
    assert report.document["layers"] == report.document["outputs"] == []
    for format in ("text", "json", "csv", "markdown", "html"):
        assert format == "csv" or "my.ops.Make" in report.render(format)


def test_inputs_that_are_no_tensors_are_named(tmp_path: Path) -> None:
    proto = model([CONV, helper.make_node("SequenceAt", ["s", "i"], ["y"])], {"x": (1, 2, 8)}, {**W, "i": np.array(0)})
    proto.graph.input.append(
        helper.make_value_info("s", helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [2])))
    )
    document = reported(proto, tmp_path)
    assert layers(document) == {"conv": "Conv"}
    assert document["unread"][0] == {"name": "s", "op": "input", "reason": "the input 's' is sequence", "layer": None}


def test_weights_in_the_branches_of_an_if_count(tmp_path: Path) -> None:
    def branch(name: str) -> onnx.GraphProto:
        node = helper.make_node("Conv", ["x", "v"], [f"{name}_y"], pads=[1, 1])
        value = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, [1, 3, 8])
        weight = onnx.numpy_helper.from_array(integers((3, 2, 3)), "v")
        return helper.make_graph([node], name, [], [value], [weight])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("then"), else_branch=branch("else"))
    proto = model([node], {"x": (1, 2, 8)}, {})
    proto.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 8]))
    (layer,) = reported(proto, tmp_path)["layers"]
    assert (layer["op"], layer["params"], layer["inputs"]) == ("If", 36, ["c", "x"])


@pytest.mark.parametrize("format", ["text", "json", "csv", "markdown", "html"])
def test_every_format_names_what_is_not_understood(format: str, tmp_path: Path) -> None:
    node = helper.make_node("Warp", ["a"], ["b"], name="warp", domain="my.ops")
    told = onnxconv.report(saved(between(node, told=[1, 3, 8]), tmp_path)).render(format)
    assert "my.ops.Warp" in told
    if format == "json":
        assert json.loads(told)["unread"][0]["reason"] == "its operator is not known"
    elif format != "csv":
        assert "left out" in told


@pytest.mark.parametrize("told", [None, [1, 3, 8]], ids=["unread", "opaque"])
def test_nothing_else_is_done_with_it(told: list[int] | None, tmp_path: Path) -> None:
    path = saved(between(helper.make_node("Warp", ["a"], ["b"], name="warp", domain="my.ops"), told=told), tmp_path)
    for act in (onnxconv.verify, onnxconv.run, lambda source: onnxconv.build(source, tmp_path / "out.onnx")):
        with pytest.raises(ModelError) as refused:
            act(path)
        assert [found.code for found in refused.value.diagnostics] == ["unknown-operator"]
    network = onnxconv.read(path, partial=True)
    assert network.graph.unread or any(isinstance(node.op, Opaque) for node in network.graph.nodes)
    for act in (network.verify, network.run, lambda: network.build(tmp_path / "out.onnx")):
        with pytest.raises(ModelError, match="warp"):
            act()
    assert not (tmp_path / "out.onnx").exists()


def test_one_diagnostic_for_each_node_not_understood(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Warp", ["x"], ["a"], domain="my.ops", name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="behind"),
        helper.make_node("Bernoulli", ["x"], ["c"], name="second"),
        helper.make_node("Relu", ["c"], ["d"], name="understood"),
        helper.make_node("Warp", ["b", "d"], ["y"], domain="my.ops", name="third"),
    ]
    with pytest.raises(ModelError) as refused:
        load(saved(model(nodes, {"x": (1, 2)}, {}), tmp_path))
    assert [str(found.what).split()[2] for found in refused.value.diagnostics] == ["'first'", "'second'"]


def test_files_that_are_no_models_are_refused_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="not an ONNX model"):
        onnxconv.report(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("dtype", "shape", "wrong"),
    [
        (TensorProto.FLOAT, [1, 3, 8], False),
        (TensorProto.FLOAT, ["N", 3, "?"], False),
        (TensorProto.FLOAT, None, False),
        (TensorProto.FLOAT, [1, 3, 7], True),
        (TensorProto.FLOAT, [1, 3], True),
        (TensorProto.DOUBLE, [1, 3, 8], True),
    ],
)
def test_an_output_that_is_not_what_the_model_declares_is_named(
    dtype: int, shape: list[int | str] | None, wrong: bool, tmp_path: Path
) -> None:
    proto = between(helper.make_node("Relu", ["a"], ["b"]))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", dtype, shape))
    path = saved(proto, tmp_path)
    unread = onnxconv.report(path).document["unread"]
    assert [(entry["name"], entry["op"]) for entry in unread] == ([("y", "output")] if wrong else [])
    if wrong:
        with pytest.raises(ModelError, match=r"and the model declares") as refused:
            onnxconv.verify(path)
        assert [found.code for found in refused.value.diagnostics] == ["declared-output"]
    else:
        load(path)
