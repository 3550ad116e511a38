"""Shapes computed from shapes: known before anything runs, open sizes kept as symbols; branches that are known are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from oracles.hand_models import integers, model, saved

import onnxconv
from onnxconv.errors import ModelError
from onnxconv.execute import run
from onnxconv.load import load

Shape = tuple[int | str, ...]


def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


SIZE = [node("Shape", "x", "s"), node("Gather", "s i", "n")]
ONE = {"i": np.array(0), "axis": np.array([0]), "rest": np.array([-1]), "two": np.array(2), "four": np.array([4])}
FLAT = [node("Unsqueeze", "n axis", "n1"), node("Concat", "n1 rest", "to", axis=0), node("Reshape", "x to", "y")]

MODELS: dict[str, tuple[list[onnx.NodeProto], dict[str, np.ndarray]]] = {
    "the batch passes through a reshape": ([*SIZE, *FLAT], ONE),
    "one axis of a shape": (
        [node("Shape", "x", "n1", start=0, end=1), node("Concat", "n1 rest", "to", axis=0), node("Reshape", "x to", "y")],
        ONE,
    ),
    "sliced": (
        [node("Shape", "x", "s"), node("Slice", "s axis one", "n1"), *FLAT[1:]],
        {**ONE, "one": np.array([1])},
    ),
    "divided and multiplied": (
        [*SIZE, node("Mul", "n two", "m"), node("Div", "m two", "d"), node("Unsqueeze", "d axis", "n1"), *FLAT[1:]],
        ONE,
    ),
    "cast to and fro": (
        [
            *SIZE,
            node("Cast", "n", "f", to=TensorProto.FLOAT),
            node("Floor", "f", "g"),
            node("Cast", "g", "m", to=TensorProto.INT64),
            node("Unsqueeze", "m axis", "n1"),
            *FLAT[1:],
        ],
        ONE,
    ),
    "chosen where": (
        [
            node("Shape", "x", "s"),
            node("Equal", "s zeros", "none"),
            node("Where", "none ones s", "t"),
            node("Reshape", "x t", "y"),
        ],
        {"zeros": np.zeros(4, np.int64), "ones": np.ones(4, np.int64)},
    ),
    "a size": (
        [node("Shape", "x", "s"), node("Slice", "s one four", "r"), node("ReduceProd", "r", "p"),
         node("Gather", "s i", "n"), node("Unsqueeze", "n axis", "n1"), node("Concat", "n1 p", "to", axis=0),
         node("Reshape", "x to", "y")],
        {**ONE, "one": np.array([1])},
    ),
}  # fmt: skip


@pytest.mark.parametrize("batch", ["N", 3], ids=["open", "known"])
@pytest.mark.parametrize("name", MODELS)
def test_shape_arithmetic_is_computed_ahead(name: str, batch: int | str, tmp_path: Path) -> None:
    nodes, constants = MODELS[name]
    proto = model(nodes, {"x": (batch, 2, 3, 4)}, constants)
    graph, weights = load(saved(proto, tmp_path))
    assert graph.types()["y"].shape[0] == batch
    x = integers((3, 2, 3, 4), 1)
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], expected)


def test_what_depends_on_an_open_size_says_how_to_pin_it(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("ReduceProd", "s", "p"),
        node("Max", "p most", "q"),
        node("Reshape", "x q", "y"),
    ]
    path = saved(model(nodes, {"x": ("N", 2, "H", 4)}, {"most": np.array([24])}), tmp_path)
    with pytest.raises(ModelError, match="--input-shape x=N,2,H,4"):
        load(path)
    document = onnxconv.report(path).document
    assert document["unread"][0]["op"] == "Max"
    assert document["unread"][0]["reason"].endswith("write a number for N, H: --input-shape x=N,2,H,4")
    graph, _ = load(path, input_shapes={"x": (1, 2, 3, 4)})
    assert graph.types()["y"].shape == (24,)


def test_shapes_that_contradict_the_model_are_refused(tmp_path: Path) -> None:
    path = saved(model([node("Relu", "x", "y")], {"x": ("N", 2)}, {}), tmp_path)
    for shapes in ({"x": (1, 3)}, {"z": (1, 2)}, {"x": (1,)}):
        with pytest.raises(onnxconv.errors.UsageError):
            load(path, input_shapes=shapes)


@pytest.mark.parametrize("dims", [(-1, 3), ("?", 3), ("", 3), ("4*", 3), ("x0.1", 3), ("max(1, N)", 3)], ids=str)
def test_sizes_without_a_proper_name_are_open(dims: Shape, tmp_path: Path) -> None:
    graph, _ = load(saved(model([node("Relu", "x", "y")], {"x": dims}, {}), tmp_path))
    assert graph.types()["y"].shape == ("x_0", 3)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("ConstantOfShape", "big", "c"), node("Add", "c c", "v")], {"big": np.array([2**40])}),
        ([node("Range", "zero big one", "v")], {"zero": np.array(0), "big": np.array(2**40), "one": np.array(1)}),
        ([node("Range", "zero one zero", "v")], {"zero": np.array(0), "one": np.array(1)}),
        ([node("Tile", "one big", "v")], {"one": np.ones(1, np.float32), "big": np.array([2**40])}),
        ([node("Div", "one zero", "v")], {"zero": np.array(0), "one": np.array(1)}),
        ([node("Expand", "one big", "c"), node("Cast", "c", "d", to=10), node("Concat", "d d", "v", axis=0)],
         {"one": np.ones(1, np.float32), "big": np.array([2**39])}),
    ],
    ids=["sum", "range", "endless range", "tile", "by zero", "concat"],
)  # fmt: skip
def test_constants_that_cannot_be_are_refused_by_arithmetic(
    nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], tmp_path: Path
) -> None:
    proto = model([*nodes, node("Gather", "x v", "y")], {"x": (1, 2)}, constants)
    with pytest.raises(ModelError) as refused:
        load(saved(proto, tmp_path))
    assert refused.value.diagnostics[0].code in ("too-large", "not-computable")


def branching(condition: list[onnx.NodeProto], **constants: np.ndarray) -> onnx.ModelProto:
    """y = relu(x) or conv(x), and its double, by a condition c."""

    def branch(name: str, *nodes: onnx.NodeProto, **held: np.ndarray) -> onnx.GraphProto:
        outputs = [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in (f"{name}_y", f"{name}_z")
        ]
        tensors = [onnx.numpy_helper.from_array(array, key) for key, array in held.items()]
        return helper.make_graph(list(nodes), name, [], outputs, tensors)

    then = branch("then", node("Relu", "x", "then_y"), node("Add", "then_y then_y", "then_z"))
    other = branch("else", node("Conv", "x w", "else_y"), node("Add", "else_y else_y", "else_z"), w=integers((2, 2, 1)))
    chosen = helper.make_node("If", ["c"], ["h", "z"], then_branch=then, else_branch=other)
    return model([*condition, chosen, node("Add", "h z", "y")], {"x": (1, 2, 5)}, constants)


@pytest.mark.parametrize("rank", [3, 4])
def test_the_branch_that_is_known_is_taken(rank: int, tmp_path: Path) -> None:
    condition = [node("Shape", "x", "s"), node("Size", "s", "n"), node("Equal", "n rank", "c")]
    proto = branching(condition, rank=np.array(rank))
    graph, weights = load(saved(proto, tmp_path))
    assert [n.op.kind for n in graph.nodes] == [*(["Relu"] if rank == 3 else ["Conv"]), "Add", "Add"]
    x = integers((1, 2, 5), 1)
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], expected)


def test_the_same_branch_taken_twice_does_not_meet_itself(tmp_path: Path) -> None:
    proto = branching([], c=np.array(False))
    twice = onnx.ModelProto()
    twice.CopyFrom(proto)
    again = onnx.NodeProto()
    again.CopyFrom(proto.graph.node[0])
    again.output[:] = ["h2", "z2"]
    del twice.graph.node[1:]
    twice.graph.node.extend([again, node("Sum", "h z h2 z2", "y")])
    graph, weights = load(saved(twice, tmp_path))
    x = integers((1, 2, 5), 1)
    expected = onnxruntime.InferenceSession(twice.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], expected)
