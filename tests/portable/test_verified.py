"""A model's own file is verified, not only what we make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxconv
from onnxconv.errors import UsageError
from onnxconv.network.value import Model
from onnxconv.verify import Verdict


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """auto_pad, an odd total pad, a ceil mode, opset 11: each is read, none is handed on as it is."""
    rng = np.random.default_rng(0)
    w = numpy_helper.from_array(rng.standard_normal((4, 3, 2, 3)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", auto_pad="SAME_LOWER", strides=[2, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("MaxPool", ["r"], ["y"], name="pool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 9, 7])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [w],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7), path)
    return path


def test_the_file_itself_is_asked_first(model: Path) -> None:
    found = onnxconv.verify(model)
    assert found.verdict is Verdict.PASS, [check.reason for check in found.checks]
    first = found.checks[0]
    assert first.probe == "original"
    assert first.finding.elements > 100
    assert first.reproduce.startswith(f"onnxconv verify {model} --runtime onnxruntime:cpu --probe original")


def test_it_may_be_asked_alone(model: Path) -> None:
    found = onnxconv.verify(model, probes=["original"], runtimes=["onnxruntime:cpu", "onnx-reference"])
    assert [(c.runtime, c.probe, c.verdict) for c in found.checks] == [
        ("onnxruntime:cpu", "original", Verdict.PASS),
        ("onnx-reference", "original", Verdict.PASS),
    ]


def test_specs_have_no_file_to_ask() -> None:
    with pytest.raises(UsageError, match="asked of ONNX models"):
        onnxconv.verify({"inputs": {"x": "float32[1, 2, 4]"}, "layers": ["relu"]}, probes=["original"])


def test_a_wrong_reading_fails_here_and_passes_elsewhere(model: Path) -> None:
    """The pads of SAME_LOWER, read as those of SAME_UPPER: the model that we write agrees with our graph, the file does not."""
    network = onnxconv.read(model)
    nodes = list(network.graph.nodes)
    at = next(i for i, node in enumerate(nodes) if node.op.kind == "Conv")
    window = tuple(replace(axis, pad=axis.pad[::-1]) for axis in nodes[at].op.window)  # type: ignore[attr-defined]
    assert window != nodes[at].op.window  # type: ignore[attr-defined]
    nodes[at] = replace(nodes[at], op=replace(nodes[at].op, window=window))  # type: ignore[type-var]
    wrong = replace(network.graph, nodes=tuple(nodes))
    misread = replace(network, graph=wrong, model=Model(model, wrong, network.weights))
    verdicts = {check.probe: check.verdict for check in misread.verify().checks}
    assert verdicts.pop("original") is Verdict.FAIL
    assert set(verdicts.values()) == {Verdict.PASS}


def test_an_absent_runtime_was_not_run(model: Path) -> None:
    found = onnxconv.verify(model, probes=["original"], runtimes=["onnxruntime:cuda"])
    assert found.checks[0].verdict is Verdict.NOT_RUN
    assert found.checks[0].reason
