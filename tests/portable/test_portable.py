"""Somebody's model in portable form: the same outputs, plain to every runtime, and nothing written without proof."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from cli.shell import call
from onnx import TensorProto, helper, numpy_helper
from oracles.hand_models import model, one, saved

import onnxconv
from onnxconv.errors import OnnxconvError
from onnxconv.load import READERS, products, windows
from onnxconv.ops import AveragePool, BatchNorm, Softmax
from onnxconv.portable import proof
from onnxconv.portable.changes import changes

onnxruntime.set_default_logger_severity(4)
RNG = np.random.default_rng(3)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def norm(opset: int) -> onnx.ModelProto:
    constants = {"s": floats(4), "b": floats(4), "m": floats(4), "v": np.abs(floats(4)) + 0.5}
    return one("BatchNormalization", (2, 4, 5, 5), constants, opset=opset, epsilon=1e-3)


def several(opset: int = 11) -> onnx.ModelProto:
    """Weights in Constant nodes and as inputs too, auto_pad, ceil mode, dropout, a bias that is added."""
    constants = {"b1": floats(4), "W": floats(64, 5), "bb": floats(5)}
    nodes = [
        helper.make_node("Constant", [], ["w1"], value=numpy_helper.from_array(floats(4, 3, 3, 3))),
        helper.make_node("Conv", ["x", "w1", "b1"], ["c"], auto_pad="SAME_LOWER", strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        helper.make_node("AveragePool", ["p"], ["a"], kernel_shape=[3, 3], auto_pad="SAME_UPPER", count_include_pad=1),
        helper.make_node("Dropout", ["a"], ["d"]),
        helper.make_node("Flatten", ["d"], ["f"]),
        helper.make_node("MatMul", ["f", "W"], ["mm"]),
        helper.make_node("Add", ["mm", "bb"], ["y"]),
    ]
    made = model(nodes, {"x": ["N", 3, 16, 16]}, constants, opset=opset)
    for name, array in constants.items():
        made.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape))
    return made


def function() -> onnx.ModelProto:
    """Two calls of a function of the model's own."""
    body = [
        helper.make_node("Conv", ["a", "w"], ["t"], auto_pad="SAME_UPPER", strides=[2, 2]),
        helper.make_node("Sigmoid", ["t"], ["b"]),
    ]
    block = helper.make_function("my", "Block", ["a", "w"], ["b"], body, [helper.make_opsetid("", 17)])
    nodes = [helper.make_node("Block", [a, w], [b], domain="my") for a, w, b in (("x", "w1", "m"), ("m", "w2", "y"))]
    made = model(nodes, {"x": ["N", 3, 16, 16]}, {"w1": floats(4, 3, 3, 3), "w2": floats(5, 4, 3, 3)})
    made.functions.append(block)
    made.opset_import.append(helper.make_opsetid("my", 1))
    return made


def shape_arithmetic() -> onnx.ModelProto:
    """A flatten as exporters write it: the batch taken from the shape, the rest left open."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Shape", ["c"], ["s"]),
        helper.make_node("Gather", ["s", "first"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axis"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["to"], axis=0),
        helper.make_node("Reshape", ["c", "to"], ["r"]),
        helper.make_node("Gemm", ["r", "W", "b"], ["y"], transB=1),
    ]
    constants = {
        "w": floats(4, 3, 3, 3),
        "first": np.array(0),
        "axis": np.array([0]),
        "rest": np.array([-1]),
        "W": floats(5, 64),
        "b": floats(5),
    }
    return model(nodes, {"x": ["N", 3, 6, 6]}, constants)


CASES: dict[str, onnx.ModelProto] = {
    "function": function(),
    "shape arithmetic": shape_arithmetic(),
    "gelu 20": one("Gelu", (2, 5), opset=20),
    "mish 18": one("Mish", (2, 5), opset=18),
    **{
        f"conv {auto}": one("Conv", (1, 2, 9, 8), {"w": floats(3, 2, 4, 3)}, auto_pad=auto, strides=[2, 3])
        for auto in ("SAME_UPPER", "SAME_LOWER", "VALID")
    },
    **{
        f"conv_transpose {auto}": one(
            "ConvTranspose", (1, 2, 5, 4), {"w": floats(2, 3, 3, 4)}, auto_pad=auto, strides=[2, 2]
        )
        for auto in ("SAME_UPPER", "SAME_LOWER", "VALID")
    },
    "output_shape": one("ConvTranspose", (1, 2, 5, 4), {"w": floats(2, 3, 3, 4)}, output_shape=[10, 9], strides=[2, 2]),
    **{
        f"{op} ceil": one(op, (1, 2, 8, 7), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0], ceil_mode=1)
        for op in ("MaxPool", "AveragePool")
    },
    "counted": one("AveragePool", (1, 2, 8, 7), kernel_shape=[3, 2], pads=[1, 1, 1, 0], count_include_pad=1),
    **{f"norm {opset}": norm(opset) for opset in (7, 9, 14, 15)},
    "clip 6": one("Clip", (1, 2, 5), opset=6, min=-0.5, max=0.25),
    "clip 11": one(
        "Clip", (1, 2, 5), {"low": np.array(-0.5, np.float32), "high": np.array(0.25, np.float32)}, opset=11
    ),
    "pad 2": one("Pad", (1, 2, 5), opset=2, pads=[0, 0, 1, 0, 0, 2], mode="reflect"),
    "softmax 11": one("Softmax", (2, 7), opset=11, axis=1),
    "leaky 7": one("LeakyRelu", (1, 2, 5), opset=7, alpha=0.3),
    "several": several(),
    "several 7": several(10),
}


@pytest.mark.parametrize("name", CASES)
def test_a_portable_model_computes_the_same(name: str, tmp_path: Path) -> None:
    source = saved(CASES[name], tmp_path)
    path = tmp_path / "portable.onnx"
    account = onnxconv.read(source).rewrite(path)
    assert {e.finding.verdict.value for e in account.evidence if e.probe != "routing"} == {"pass"}
    written = onnx.load(path)
    onnx.checker.check_model(written, full_check=True)
    named = {a.name for node in written.graph.node for a in node.attribute}
    assert not named & {"auto_pad", "ceil_mode", "output_shape"}
    assert written.opset_import[0].version == 17
    assert written.ir_version == 8
    assert not {node.op_type for node in written.graph.node} & {"Constant", "Dropout", "Identity"}
    assert [v.name for v in written.graph.input] == ["x"]
    assert all(v.type.tensor_type.HasField("shape") for v in written.graph.output)
    shape = [2 if isinstance(n, str) else n for n in onnxconv.read(source).graph.inputs[0][1].shape]
    x = floats(*shape)
    old, new = (by_onnxruntime(file, x) for file in (source, path))
    np.testing.assert_allclose(new, old, rtol=2e-5, atol=2e-6)


def by_onnxruntime(file: Path, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def test_numbers_without_axes_keep_their_shape_among_other_weights(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Add", ["c", "half"], ["y"])]
    constants = {"w": floats(4, 3, 3, 3), "half": np.array(0.5, np.float32)}
    account = onnxconv.read(saved(model(nodes, {"x": (1, 3, 6, 6)}, constants), tmp_path)).rewrite(tmp_path / "p.onnx")
    assert {e.probe: e.finding.verdict.value for e in account.evidence}["routing"] == "pass"


def test_only_layers_that_compute_are_judged(tmp_path: Path) -> None:
    """A constant is a node of its own in the file, and a layer of its own in the graph; it is none that is judged."""
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(floats(4, 1, 1))),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    account = onnxconv.read(saved(model(nodes, {"x": (2, 4, 3, 3)}, {}), tmp_path)).rewrite(tmp_path / "p.onnx")
    (judged,) = (e.finding for e in account.evidence if e.probe == "layers")
    assert judged.note == "1 layers on normal data"
    assert judged.elements == 2 * 4 * 3 * 3


def test_what_changed_is_counted_in_the_models(tmp_path: Path) -> None:
    account = onnxconv.read(saved(several(), tmp_path)).rewrite(tmp_path / "p.onnx")
    told = {change.what: (change.before, change.after) for change in account.changes}
    assert told["opset"] == ("11", "17")
    assert told["nodes with auto_pad"] == ("1 SAME_LOWER, 1 SAME_UPPER", "0")
    assert told["nodes with ceil_mode"] == ("1", "0")
    assert told["nodes that are gone"][0] == "1 Add, 1 Constant, 1 Dropout, 1 MatMul"
    assert told["nodes that are new"][1] == "1 Gemm"
    assert told["initializers that are inputs too"] == ("3", "0")
    assert told["output 'y'"] == ("float32", "float32[N, 5]")


def test_a_portable_model_has_nothing_left_to_change(tmp_path: Path) -> None:
    onnxconv.read(saved(several(), tmp_path)).rewrite(tmp_path / "p.onnx")
    again = onnxconv.read(tmp_path / "p.onnx").rewrite(tmp_path / "q.onnx")
    assert again.changes == ()
    assert (tmp_path / "p.onnx").read_bytes() == (tmp_path / "q.onnx").read_bytes()
    assert changes(several(), several()) == ()


def _swapped(*arguments: Any, lower: bool = False) -> Any:
    from onnxconv.geometry import same_pads

    return same_pads(*arguments, lower=not lower)


def _axis_off(at: Any) -> Any:
    (step,) = READERS_BEFORE["Softmax"](at)
    return (type(step)(Softmax(0), step.inputs),)


def _uncounted(at: Any) -> Any:
    steps = READERS_BEFORE["AveragePool"](at)
    return tuple(
        type(s)(AveragePool(s.op.window, False) if isinstance(s.op, AveragePool) else s.op, s.inputs) for s in steps
    )


def _other_epsilon(at: Any) -> Any:
    (step,) = READERS_BEFORE["BatchNormalization"](at)
    return (type(step)(BatchNorm(1e-5), step.inputs, step.weights),)


READERS_BEFORE = dict(READERS)
MISREADINGS: dict[str, tuple[str, Any]] = {
    "conv SAME_UPPER": ("same_pads", _swapped),
    "conv SAME_LOWER": ("same_pads", _swapped),
    "conv_transpose SAME_UPPER": ("crop_reaching", lambda n, out, axis, lower: (0, int(axis.out_size(n)) - out)),
    "counted": ("AveragePool", _uncounted),
    "softmax 11": ("Softmax", _axis_off),
    "norm 9": ("BatchNormalization", _other_epsilon),
    "several": ("same_pads", _swapped),
}


@pytest.mark.parametrize("name", MISREADINGS)
def test_a_misread_model_is_not_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The accused is `load`: each of these misreads the model consistently, so that only the original can tell."""
    what, wrong = MISREADINGS[name]
    if what in READERS:
        monkeypatch.setitem(READERS, what, wrong)
    else:
        monkeypatch.setattr(windows, what, wrong)
    source = saved(CASES[name], tmp_path)
    told = call("build", str(source), "-o", str(tmp_path / "p.onnx"))
    assert told.exit_code == 1, told.stderr
    assert "disagrees" in told.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx"]


def test_a_transposed_weight_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_transposed", lambda at, weight: weight)
    told = call(
        "build", str(saved(one("MatMul", (2, 5), {"W": floats(5, 5)}), tmp_path)), "-o", str(tmp_path / "p.onnx")
    )
    assert told.exit_code == 1, told.stderr
    assert not (tmp_path / "p.onnx").exists()


def test_a_wrong_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is read back and compared with what was to be written."""
    room = importlib.import_module("onnxconv.portable.rewrite")
    keep = room.save
    source = saved(CASES["several"], tmp_path)

    def spoilt(graph: Any, weights: Any, path: Path, options: Any) -> None:
        keep(graph, weights, path, options)
        proto = onnx.load(path)
        next(n for n in proto.graph.node if n.op_type == "Conv").attribute[1].ints[0] += 1
        onnx.save(proto, path)

    monkeypatch.setattr(room, "save", spoilt)
    with pytest.raises(OnnxconvError, match="comes back"):
        onnxconv.read(source).rewrite(tmp_path / "p.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx"]


FAILING = "def prepare(path):\n    raise RuntimeError('no such thing')\n"
WRONG = """\
import onnxruntime

def prepare(path):
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: {name: y + 1 for name, y in zip(names, session.run(None, inputs))}
"""


def test_without_a_runtime_nothing_is_proved_nor_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.setattr(proof, "EVALUATORS", ((f"python:{tmp_path / 'failing.py'}", {}),))
    source, path = str(saved(several(), tmp_path)), tmp_path / "p.onnx"
    told = call("build", source, "-o", str(path))
    assert told.exit_code == 3, told.stderr
    assert "no such thing" in told.stderr
    assert "--unproved" in told.stderr
    assert not path.exists()
    told = call("build", source, "-o", str(path), "--unproved")
    assert told.exit_code == 0, told.stderr
    assert "unproved" in told.stderr
    assert path.exists()


def test_a_runtime_that_disagrees_is_named_where_another_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    wrong = (f"python:{tmp_path / 'wrong.py'}", {})
    source, path = str(saved(several(), tmp_path)), tmp_path / "p.onnx"
    monkeypatch.setattr(proof, "EVALUATORS", (wrong,))
    assert call("build", source, "-o", str(path)).exit_code == 1
    assert not path.exists()
    monkeypatch.setattr(proof, "EVALUATORS", (wrong, ("onnxruntime:cpu", {})))
    told = call("build", source, "-o", str(path))
    assert told.exit_code == 0, told.stderr
    assert "disagrees" in told.stderr
    assert "proved" in told.stderr
    assert path.exists()


def test_what_was_asked_to_be_other_is_no_part_of_the_proof(tmp_path: Path) -> None:
    source, path = str(saved(several(), tmp_path)), tmp_path / "p.onnx"
    told = call("build", source, "-o", str(path), "--dtype", "float64", "--weights-as", "inputs")
    assert told.exit_code == 0, told.stderr
    assert "the data type is another, as asked for" in told.stderr
    assert "the weights are inputs, as asked for" in told.stderr
    assert onnx.load(path).graph.input[0].type.tensor_type.elem_type == TensorProto.DOUBLE


def test_external_data_go_along(tmp_path: Path) -> None:
    proto = several()
    source = tmp_path / "m.onnx"
    onnx.save(proto, source, save_as_external_data=True, location="m.bin", size_threshold=0)
    account = onnxconv.read(source).rewrite(tmp_path / "p.onnx", external_data="always")
    assert {e.finding.verdict.value for e in account.evidence} == {"pass"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.bin", "m.onnx", "p.onnx", "p.onnx.data"]


def test_a_network_from_a_spec_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(OnnxconvError, match="was not read from a model"):
        onnxconv.read("mb1_ic3ih8_oc4_kh3").rewrite(tmp_path / "p.onnx")


def test_a_model_that_reads_with_a_size_pinned_alone_is_routed_too(tmp_path: Path) -> None:
    """A class token beside the patches: for an open batch, the two cannot be put side by side."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Concat", ["token", "c"], ["y"], axis=2)]
    proto = model(nodes, {"x": ["N", 3, 8]}, {"w": floats(4, 3, 3), "token": floats(2, 4, 1)}, opset=17)
    file = saved(proto, tmp_path)
    assert call("build", str(file), "-o", str(tmp_path / "y.onnx")).exit_code == 2
    told = call("build", str(file), "-o", str(tmp_path / "y.onnx"), "--input-shape", "x=2,3,8")
    assert told.exit_code == 0
    assert "does not read" not in told.stderr
    assert " ".join(told.stderr.split()).count("proved the whole original with weights that route values") == 1
