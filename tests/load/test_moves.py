"""Operators that move values, in the spelling of every opset, mean what onnxruntime says they mean, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from meaning import assert_means_the_same, by_onnxruntime
from onnx import helper
from oracles.hand_models import integers, model, one, saved

from onnxconv.execute import run
from onnxconv.load import load

A = np.array
BIG, SMALL = 2**63 - 1, -(2**63)


def slicing(opset: int, *bounds: list[int]) -> dict[str, Any]:
    """The arguments of `one`: attributes before opset 10, inputs from then on."""
    if opset < 10:
        return dict(zip(("starts", "ends", "axes"), bounds, strict=False))
    return {"constants": {name: A(values) for name, values in zip("abcd", bounds, strict=False)}}


CASES: list[tuple[str, tuple[int, ...], int, dict[str, Any]]] = [
    ("Transpose", (2, 3, 4), 7, {}),
    ("Transpose", (2, 3, 4), 13, {"perm": [1, 2, 0]}),
    *(("Reshape", (2, 3, 4), o, {"constants": {"s": A(s)}}) for o in (7, 13, 14, 21) for s in ([0, -1], [4, 3, 2], [24], [0, 0, 2, 2])),
    ("Squeeze", (2, 1, 3, 1), 7, {"axes": [1]}),
    ("Squeeze", (2, 1, 3, 1), 11, {"axes": [-1, 1]}),
    ("Squeeze", (2, 1, 3, 1), 11, {}),
    ("Squeeze", (2, 1, 3, 1), 13, {"constants": {"a": A([-1])}}),
    ("Squeeze", (2, 1, 3, 1), 21, {}),
    ("Unsqueeze", (2, 3), 7, {"axes": [0, 3]}),
    ("Unsqueeze", (2, 3), 11, {"axes": [-1, 1]}),
    ("Unsqueeze", (2, 3), 13, {"constants": {"a": A([3, 0])}}),
    ("Flatten", (2, 3, 4, 5), 9, {"axis": 0}),
    ("Flatten", (2, 3, 4, 5), 11, {"axis": -1}),
    ("Flatten", (2, 3, 4, 5), 13, {"axis": 4}),
    *(("Slice", (3, 7, 6), o, slicing(o, [1, -3], [BIG, -1], [1, 2])) for o in (7, 10, 11, 13)),
    *(("Slice", (3, 7, 6), o, slicing(o, [0, 1], [2, 100])) for o in (9, 10, 13)),
    *(("Slice", (3, 7, 6), o, slicing(o, [6, -1, 0], [0, SMALL, 9], [-2, 2, 0], [-2, -1, 2])) for o in (10, 13)),
    ("Slice", (3, 7), 13, slicing(13, [100], [-100], [1], [-3])),
    ("Slice", (3, 7), 13, slicing(13, [-1], [-8], [1], [-1])),
    ("Gather", (3, 7), 7, {"constants": {"i": A([2, 0, 2])}}),
    ("Gather", (3, 7), 11, {"constants": {"i": A([[-1, 0], [1, 6]], np.int32)}, "axis": 1}),
    ("Gather", (3, 7), 13, {"constants": {"i": A(2)}, "axis": -1}),
    ("Expand", (3, 1), 8, {"constants": {"s": A([2, 1, 4])}}),
    ("Expand", (3, 1), 13, {"constants": {"s": A([1])}}),
    ("Tile", (3, 2), 7, {"constants": {"r": A([2, 3])}}),
    ("Tile", (3, 2), 13, {"constants": {"r": A([1, 2])}}),
    *(("DepthToSpace", (2, 12, 2, 3), o, {"blocksize": 2}) for o in (7, 11, 13)),
    *(("DepthToSpace", (2, 12, 2, 3), o, {"blocksize": 2, "mode": mode}) for o in (11, 13) for mode in ("DCR", "CRD")),
    *(("SpaceToDepth", (2, 3, 4, 6), o, {"blocksize": 2}) for o in (7, 13)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "shape", "opset", "arguments"), CASES, ids=lambda v: None if isinstance(v, dict) else str(v)
)
def test_moves(op: str, shape: tuple[int, ...], opset: int, arguments: dict[str, Any], tmp_path: Path) -> None:
    assert_means_the_same(one(op, shape, opset=opset, **arguments), integers(shape, 1, -99, 99), tmp_path)


SPLITS: list[tuple[int, int, dict[str, Any], dict[str, np.ndarray]]] = [
    (7, 2, {"axis": 1}, {}),
    (7, 2, {"axis": 1, "split": [1, 5]}, {}),
    (11, 3, {"axis": -1}, {}),
    (13, 2, {"axis": 1}, {"s": A([5, 1])}),
    (13, 6, {"axis": 1}, {}),
    (18, 4, {"axis": 1, "num_outputs": 4}, {}),
    (18, 2, {"axis": 1}, {"s": A([2, 4])}),
]


@pytest.mark.parametrize(("opset", "count", "attributes", "constants"), SPLITS)
def test_splits(
    opset: int, count: int, attributes: dict[str, Any], constants: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Every part is an output; onnxruntime has the word on the sizes of uneven ones."""
    names = [f"p{i}" for i in range(count)]
    x = integers((2, 7 if opset == 18 and not constants else 6), 3)
    node = helper.make_node("Split", ["x", *constants], names, **attributes)
    proto = model([node], {"x": x.shape}, constants, opset=opset, output="p0")
    proto.graph.output.extend(helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names[1:])
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    graph, weights = load(saved(proto, tmp_path))
    found = run(graph, weights, {"x": x})
    assert graph.outputs == tuple(names)
    for name, array in zip(names, expected, strict=True):
        np.testing.assert_array_equal(found[name], array)


def test_a_part_that_nothing_reads_may_have_no_name(tmp_path: Path) -> None:
    """Not asked of onnxruntime: 1.32 ends with a segmentation fault."""
    node = helper.make_node("Split", ["x"], ["", "y"], axis=1)
    graph, weights = load(saved(model([node], {"x": (2, 6)}, {}, opset=13), tmp_path))
    x = integers((2, 6))
    assert len(graph.nodes) == 1
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], x[:, 3:])


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        (("N", 4, 9, 8), [0, -1, 8], ("N", 36, 8)),
        (("N", 4, 9, 8), [-1, 288], ("N", 288)),
        (("N", 4, 9, 8), [-1, 2, 72], ("2*N", 2, 72)),
        (("N", 4, "H", 8), [0, 0, -1], ("N", 4, "8*H")),
        (("N", 4, "H", "W"), [0, 4, -1], ("N", 4, "H*W")),
        (("N", 4), [-1, 8], ("N//2", 8)),
        (("N", 4), [3, 4], (3, 4)),
    ],
)
def test_symbolic_sizes_survive_a_reshape(
    shape: tuple[int | str, ...], target: list[int], expected: tuple[int | str, ...], tmp_path: Path
) -> None:
    graph, _ = load(saved(one("Reshape", shape, {"s": A(target)}), tmp_path))
    assert graph.nodes[-1].type.shape == expected


def test_channels_shuffled_by_reshapes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "a"], ["s"]),
        helper.make_node("Transpose", ["s"], ["t"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["t", "b"], ["y"]),
    ]
    constants = {"a": A([-1, 2, 3, 4, 5]), "b": A([-1, 6, 4, 5])}
    x = integers((2, 6, 4, 5))
    proto = model(nodes, {"x": ("N", 6, 4, 5)}, constants)
    graph = assert_means_the_same(proto, x, tmp_path)
    assert graph.nodes[-1].type.shape == ("N", 6, 4, 5)
    np.testing.assert_array_equal(by_onnxruntime(proto.SerializeToString(), x), x[:, [0, 3, 1, 4, 2, 5]])


def computed(op: str, **bound: list[Any]) -> onnx.ModelProto:
    """A model of one operator whose operands are lists of numbers, and of sizes of x: ("size", axis, plus)."""
    nodes, constants = [helper.make_node("Shape", ["x"], ["sizes"])], {}
    for name, entries in bound.items():
        for i, entry in enumerate(entries):
            if isinstance(entry, int):
                constants[f"{name}{i}"] = A([entry])
                continue
            constants |= {f"{name}{i}_axis": A([entry[1]]), f"{name}{i}_plus": A([entry[2]])}
            nodes.append(helper.make_node("Gather", ["sizes", f"{name}{i}_axis"], [f"{name}{i}_size"]))
            nodes.append(helper.make_node("Add", [f"{name}{i}_size", f"{name}{i}_plus"], [f"{name}{i}"]))
        nodes.append(helper.make_node("Concat", [f"{name}{i}" for i in range(len(entries))], [name], axis=0))
    return model([*nodes, helper.make_node(op, ["x", *bound], ["y"])], {"x": ("N", 4, "H", 8)}, constants)


N, H = ("size", 0, 0), ("size", 2, 0)


@pytest.mark.parametrize(
    ("proto", "expected"),
    [
        (computed("Reshape", shape=[N, 2, 2, H, 8]), ("N", 2, 2, "H", 8)),
        (computed("Reshape", shape=[N, -1, H, 8]), ("N", 4, "H", 8)),
        (computed("Reshape", shape=[N, 4, -1]), ("N", 4, "8*H")),
        (computed("Reshape", shape=[H, N, 32]), ("H", "N", 32)),
        (computed("Reshape", shape=[4, H, N, 8]), (4, "H", "N", 8)),
        (computed("Reshape", shape=[N, H, -1, 2]), ("N", "H", 16, 2)),
        (computed("Expand", shape=[("size", 2, 3), N, 4, H, 8]), ("H+3", "N", 4, "H", 8)),
        (computed("Slice", starts=[0], ends=[H], axes=[2]), ("N", 4, "H", 8)),
        (computed("Slice", starts=[0], ends=[("size", 2, -2)], axes=[2]), ("N", 4, "H-2", 8)),
        (computed("Slice", starts=[("size", 2, -3)], ends=[BIG], axes=[2]), ("N", 4, 3, 8)),
        (computed("Expand", shape=[N, 4, H, 8]), ("N", 4, "H", 8)),
        (computed("Expand", shape=[2, N, 4, H, 8]), (2, "N", 4, "H", 8)),
    ],
)
def test_sizes_computed_from_sizes(proto: onnx.ModelProto, expected: tuple[int | str, ...], tmp_path: Path) -> None:
    graph = assert_means_the_same(proto, integers((2, 4, 5, 8)), tmp_path)
    assert graph.nodes[-1].type.shape == expected
