"""Tensors without elements: every operator takes one or says why not, as onnxruntime does, and nothing is proved by them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from ops.test_roundings import EXAMPLES
from oracles.hand_models import integers, model, one, saved

import onnxconv
from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.errors import ModelError, Refusal
from onnxconv.execute import apply, run
from onnxconv.execute.fast import Program, make_plan
from onnxconv.graph import Node, TensorType
from onnxconv.load import load
from onnxconv.ops import Operator
from onnxconv.verify import Verdict

Shapes = tuple[tuple[int, ...], ...]


def emptied(shapes: Shapes, axis: int) -> Shapes:
    """The axis of the first input, counted from behind, and what is as long on the others, made 0 positions long."""
    behind, size = len(shapes[0]) - axis, shapes[0][axis]

    def one_of(shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(0 if len(shape) - at == behind and n == size else n for at, n in enumerate(shape))

    return tuple(map(one_of, shapes))


@pytest.mark.parametrize(("op", "shapes"), EXAMPLES, ids=lambda v: "" if isinstance(v, tuple) else type(v).__name__)
def test_every_operator_takes_an_axis_without_positions_or_says_why_not(op: Operator, shapes: Shapes) -> None:
    for xs in (emptied(shapes, axis) for axis in range(len(shapes[0]))):
        try:
            y, weights = op.out_shape(*xs), op.weight_shapes(*xs)
        except Refusal:
            continue
        if any(0 in shape for shape in weights.values()):
            continue  # which `load` refuses
        node = Node("y", op, tuple("abc"[: len(xs)]), "y", TensorType("float32", y))
        w = {role: np.ones(shape, np.float32) for role, shape in weights.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert apply(node, [np.zeros(x, np.float32) for x in xs], w).shape == y
        assert op.roundings(*xs) >= 0
        assert [len(steps) for steps in op.footprint(*xs)] == [len(x) for x in xs]
        assert op.work(*xs).macs >= 0
        assert op.onnx(*xs, opset=21)[-1].output == "y"


E = np.zeros((2, 0, 4), np.float32)
A = np.array
MODELS: list[tuple[onnx.ModelProto, np.ndarray]] = [
    *((one(f"Reduce{name}", E.shape, {"a": A([1])}, 18, keepdims=0), E) for name in ("Max", "Min", "Prod", "L1", "L2")),
    *((one("ReduceSum", E.shape, {"a": A(axes)}, 13), E) for axes in ([1], [2], [0, 1, 2])),
    (one("Concat", E.shape, {"c": integers((2, 3, 4))}, axis=1), E),
    (one("Concat", (2, 3, 4), {"c": E}, axis=1), integers((2, 3, 4))),
    (one("Add", E.shape, {"c": integers((4,))}), E),
    (one("Add", (2, 1, 4), {"c": E}), integers((2, 1, 4))),
    (one("Slice", (2, 3, 4), {"s": A([9]), "e": A([99]), "a": A([1])}), integers((2, 3, 4))),
    (one("Slice", (2, 3, 4), {"s": A([1]), "e": A([1]), "a": A([-1])}), integers((2, 3, 4))),
    (one("Transpose", E.shape, perm=[2, 0, 1]), E),
    (one("Reshape", E.shape, {"s": A([0, 0, 2, 2])}), E),
    (one("Reshape", E.shape, {"s": A([-1, 8])}), E),
    (one("Reshape", E.shape, {"s": A([8, 0, 3])}, allowzero=1), E),
    (one("Reshape", E.shape, {"s": A([0, 5])}, allowzero=1), E),
    (one("Flatten", E.shape), E),
    (one("MatMul", (3, 0), {"c": np.zeros((0, 5), np.float32)}), np.zeros((3, 0), np.float32)),
    (one("Expand", (1, 4), {"s": A([0, 4])}), integers((1, 4))),
    (one("Tile", (1, 4), {"s": A([3, 0])}), integers((1, 4))),
    (one("Conv", (0, 2, 5), {"w": integers((3, 2, 3)), "b": integers((3,))}), np.zeros((0, 2, 5), np.float32)),
    (one("Softmax", E.shape, axis=1), E),
    (one("Pad", E.shape, {"p": A([0, 1, 0, 0, 1, 0])}), E),
    (one("Identity", E.shape), E),
]


@pytest.mark.parametrize(("proto", "x"), MODELS, ids=lambda v: v.graph.node[0].op_type if hasattr(v, "graph") else "")
def test_models_mean_what_onnxruntime_says(proto: onnx.ModelProto, x: np.ndarray, tmp_path: Path) -> None:
    """Read, executed, and written again."""
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
    graph, weights = load(saved(proto, tmp_path))
    (found,) = run(graph, weights, {"x": x}).values()
    np.testing.assert_array_equal(found, expected, strict=True)
    assert found.shape == graph.types()[graph.outputs[0]].shape
    (fast,) = Program(make_plan(graph, weights, {"x": x.shape})).run({"x": x}).values()
    np.testing.assert_array_equal(fast, expected, strict=True)
    again = to_bytes(graph, weights, EmitOptions(opset=max(17, proto.opset_import[0].version)))
    np.testing.assert_array_equal(onnxruntime.InferenceSession(again).run(None, {"x": x})[0], expected, strict=True)


@pytest.mark.parametrize(
    ("proto", "said"),
    [
        (one("ReduceMean", (2, 0, 4), {"a": A([1])}, 18), "the mean of [2, 0, 4]"),
        (one("GlobalAveragePool", (2, 3, 0)), "a pool over all positions of [2, 3, 0]"),
        (one("GlobalMaxPool", (2, 3, 4, 0)), "a pool over all positions of [2, 3, 4, 0]"),
        (one("Resize", (2, 3, 0), {"_r": A([]), "_s": A([]), "z": A([2, 3, 4])}), "a resize of [2, 3, 0]"),
        (one("Conv", (1, 2, 0), {"w": integers((3, 2, 3))}), "does not fit into 0 pixels"),
        (one("Reshape", (2, 0, 4), {"s": A([0, -1])}, allowzero=1), "a reshape of [2, 0, 4] to [0, -1]"),
    ],
)
def test_what_has_no_value_of_nothing_is_refused(proto: onnx.ModelProto, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load(saved(proto, tmp_path))
    assert said in caught.value.diagnostics[0].what


def halves() -> onnx.ModelProto:
    """A convolution, of whose output nothing is kept beside it."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Slice", ["c", "far", "end", "axis"], ["none"]),
        helper.make_node("Concat", ["c", "none"], ["y"], axis=1),
    ]
    constants = {"w": integers((3, 2, 3)), "far": A([3]), "end": A([9]), "axis": A([1])}
    return model(nodes, {"x": (1, 2, 5)}, constants)


def test_a_report_counts_nothing_of_what_is_empty(tmp_path: Path) -> None:
    report = onnxconv.report(saved(halves(), tmp_path))
    layers = {layer["name"]: layer for layer in report.document["layers"]}
    assert layers["none"]["output_shape"] == [1, 0, 3]
    assert layers["none"]["activation_bytes"] == 0
    assert layers["y"]["output_shape"] == [1, 3, 3]
    assert layers["y"]["receptive_field"]["x"]["size"] == [3]
    assert report.document["totals"]["macs"] == 3 * 3 * 2 * 3
    for format in ("text", "csv", "markdown", "html"):
        assert "none" in report.render(format)


def test_nothing_is_proved_where_there_is_nothing_to_compare(tmp_path: Path) -> None:
    found = onnxconv.verify(saved(halves(), tmp_path))
    assert {check.verdict for check in found.checks} == {Verdict.UNTRUSTED}
    assert "tensor 'none' [1, 0, 3] has no elements" in found.checks[0].reason


def test_inputs_and_outputs_without_elements(tmp_path: Path) -> None:
    """A constant that is an output, and an input of which nothing is given."""
    node = helper.make_node("Shape", ["x"], ["y"], start=2, end=1)
    proto = model([node], {"x": (2, 0, 4)}, {})
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    graph, weights = load(saved(proto, tmp_path))
    (found,) = run(graph, weights, {"x": E}).values()
    assert found.shape == (0,)
    assert found.dtype == np.int64
