"""Models that are not understood: each gives one clear diagnostic, never anything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from oracles.hand_models import integers, model, one, saved

from onnxconv.errors import ModelError
from onnxconv.load import load

W = {"w": integers((3, 2, 3))}


def two(first: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    return model([first, helper.make_node("Relu", ["h"], ["y"])], {"x": (1, 2, 5)}, constants)


def with_input(change: Callable[[onnx.TypeProto.Tensor], object]) -> onnx.ModelProto:
    proto = one("Relu", (1, 2, 5))
    change(proto.graph.input[0].type.tensor_type)
    return proto


def weight_computed() -> onnx.ModelProto:
    nodes = [helper.make_node("Relu", ["v"], ["w"]), helper.make_node("Conv", ["x", "w"], ["y"])]
    return model(nodes, {"x": (1, 2, 5), "v": (3, 2, 3)}, {})


CASES: list[tuple[str, onnx.ModelProto, str]] = [
    ("unknown-operator", one("Det", (2, 2)), "node 0 (Det) is of an operator that onnxconv does not read"),
    ("unknown-operator", two(helper.make_node("Selu", ["x"], ["h"], name="act")), "node 0 'act' (Selu)"),
    ("unknown-operator", two(helper.make_node("Relu", ["x"], ["h"], domain="my.ops")), "(my.ops.Relu)"),
    ("groups", one("Conv", (1, 4, 5), W, group=2), "3 filters cannot be split into 2 groups"),
    ("groups", one("Conv", (1, 2, 5), W, group=0), "cannot be split into 0 groups"),
    ("weight-shape", one("Conv", (1, 4, 5), W), "its weight 'w' has shape [3, 2, 3]"),
    ("weight-shape", one("Conv", (1, 2, 5), {**W, "b": integers((4,))}), "its bias 'b' has shape [4]"),
    ("kernel-shape", one("Conv", (1, 2, 5), W, kernel_shape=[2]), "kernel_shape is [2]"),
    ("rank", one("Conv", (1, 2, 5, 5), W), "its kernel has 1 axes, its input 2 spatial ones"),
    ("attribute-length", one("Conv", (1, 2, 5), W, strides=[1, 1]), "strides has 2 numbers"),
    ("attribute-length", one("Conv", (1, 2, 5), W, pads=[1]), "pads has 1 numbers"),
    ("negative-pad", one("Conv", (1, 2, 5), W, pads=[-1, 1]), "pad is [-1, 1]"),
    ("not-positive", one("Conv", (1, 2, 5), W, strides=[0]), "stride is 0"),
    ("too-large", one("Conv", (1, 2, 5), W, pads=[2**62, 0]), "has 13,835,058,055,282,163,721 elements"),
    ("too-large", one("MaxPool", (1, 2, 5), kernel_shape=[2**30], pads=[2**29, 2**29]), "a window extends over"),
    ("empty-output", one("Conv", (1, 2, 2), W), "does not fit into 2 pixels"),
    ("auto-pad", one("Conv", (1, 2, 5), W, auto_pad="SAME"), "auto_pad is 'SAME'"),
    ("symbolic-same", one("Conv", (1, 2, "L"), W, auto_pad="SAME_UPPER", strides=[2]), "'L'"),
    ("dtype", one("Conv", (1, 2, 5), {"w": integers((3, 2, 3)).astype(np.float64)}), "float64, another one float32"),
    ("empty-weight", one("Conv", (1, 2, 5), {"w": np.zeros((0, 2, 3), np.float32)}), "its weight 'w'"),
    ("not-constant", weight_computed(), "its weight ('w') is not a constant of the model"),
    ("output-pad", one("ConvTranspose", (1, 2, 5), {"w": integers((2, 3, 3))}, output_padding=[2]), "output_pad is 2"),
    ("bias-shape", one("Gemm", (2, 6), {"w": integers((6, 5)), "b": integers((3,))}), "its bias has shape [3]"),
    ("join-shape", one("PRelu", (1, 2, 5), {"s": integers((3,))}), "cannot scale [1, 2, 5] and [3]"),
    ("slope-shape", one("PRelu", (1, 2, 5), {"s": integers((2, 2, 5))}), "its slope has shape [2, 2, 5]"),
    ("matmul-shape", one("MatMul", (2, 3, 6), {"w": integers((5, 6))}), "6 columns and 5 rows"),
    ("join-shape", one("Add", (1, 2, 5), {"c": integers((3, 1))}), "cannot add [1, 2, 5] and [3, 1]"),
    ("dtype", one("Add", (1, 2), {"c": np.array([2, 1])}), "its input 1 ('c') is int64, another one float32"),
    ("dtype", one("Add", (1, 2), {"c": np.array([2.0, 1.0])}), "float64, another one float32"),
    ("weight-shape", one("LayerNormalization", (1, 2, 5), {"c": integers((2, 1))}), "its weight has shape [2, 1]"),
    ("axis", one("ReduceMax", (1, 2), opset=13, axes=[2]), "it reduces the axes [2] of [1, 2]"),
    (
        "join-shape",
        model([helper.make_node("Add", ["x", "z"], ["y"])], {"x": (3, 2, 5), "z": (2, 2, 5)}, {}),
        "cannot add [3, 2, 5] and [2, 2, 5]",
    ),
    (
        "join-shape",
        model([helper.make_node("Concat", ["x", "z"], ["y"], axis=1)], {"x": (1, 2, 5), "z": (1, 2, 4)}, {}),
        "they differ in axis 2: 5 and 4",
    ),
    ("ambiguous", one("MaxPool", (1, 1, 8), kernel_shape=[3], strides=[2], auto_pad="VALID", ceil_mode=1), "auto_pad"),
    ("pool-pad", one("MaxPool", (1, 1, 1), kernel_shape=[2], dilations=[2], pads=[2, 2]), "1 of 3 windows"),
    ("pool-pad", one("MaxPool", (1, 1, 8), kernel_shape=[2], pads=[2, 0]), "pool pad [2, 0]"),
    (
        "second-output",
        model([helper.make_node("Dropout", ["x"], ["h", "y"])], {"x": (1, 8)}, {}, opset=10),
        "its output 'y' is used",
    ),
    (
        "training",
        one("BatchNormalization", (1, 2, 5), {c: integers((2,)) for c in "abcd"}, opset=6),
        "it is in training mode",
    ),
    ("training", one("Dropout", (1, 2), {"r": np.float32(0.5), "t": np.array(True)}), "it is in training mode"),
    (
        "unsupported-attribute",
        one("BatchNormalization", (1, 2, 5), {c: integers((2,)) for c in "abcd"}, 7, spatial=0),
        "",
    ),
    ("axis", one("Softmax", (2, 3, 4), axis=3), "axis is 3"),
    ("axis", one("Flatten", (2, 3, 4), axis=4), "axis is 4"),
    ("reshape", one("Reshape", (2, 3, 4), {"s": np.array([5, -1])}), "a reshape of [2, 3, 4] to [5, -1]"),
    ("reshape", one("Reshape", (2, 3, 4), {"s": np.array([2, 6])}), "a reshape of [2, 3, 4] to [2, 6]"),
    ("reshape", one("Reshape", (2, 3, 4), {"s": np.array([-1, -1])}), "at most one -1"),
    ("reshape", one("Reshape", (2, 3, 4), {"s": np.array([-2, 12])}), "at most one -1"),
    ("reshape", one("Reshape", (2, 3, 4), {"s": np.array([2, 12, 1, 0])}), "0 for that of the same axis"),
    ("reshape", one("Reshape", (2, 3, 4), {"s": np.array([0, 12])}, allowzero=1), "elements stays the same"),
    ("squeeze", one("Squeeze", (2, 3, 1, 4), {"s": np.array([1])}), "a squeeze of axis 1 of [2, 3, 1, 4]"),
    ("axes", one("Squeeze", (2, 1), {"s": np.array([2])}), "axes [2]"),
    ("axes", one("Unsqueeze", (2, 1), {"s": np.array([1, -3])}), "axes [1, 1]"),
    ("axes", one("Transpose", (2, 3), perm=[0, 0]), "a transpose to [0, 0]"),
    (
        "slice",
        one("Slice", (2,), {c: np.array([n]) for c, n in zip("abcd", (0, 2, 0, 0), strict=True)}),
        "by steps of 0",
    ),
    ("attribute-length", one("Slice", (2, 3), {"a": np.array([0, 1]), "b": np.array([9])}), "2 starts, 1 ends"),
    ("symbolic-size", one("Slice", ("N", 3), {"a": np.array([-3]), "b": np.array([9])}), "positions"),
    (
        "split",
        model([helper.make_node("Split", ["x"], ["y", "z"])], {"x": (7, 2)}, {}),
        "it splits 7 positions into 2 equal parts",
    ),
    ("split", one("Split", (7, 2), {"s": np.array([3])}), "its parts have 3 positions, axis 0 of [7, 2] has 7"),
    ("gather", one("Gather", (7, 2), {"i": np.array([7])}), "position 7 of axis 0"),
    ("broadcast", one("Expand", (7, 2), {"s": np.array([3, 1])}), "[7, 2] expanded to [3, 1]"),
    ("repeats", one("Tile", (7, 2), {"s": np.array([3])}), "repeated [3] times"),
    ("block", one("DepthToSpace", (1, 6, 2, 2), blocksize=2), "a block takes 2^2 = 4 channels"),
    ("block", one("SpaceToDepth", (1, 6, 2, 3), blocksize=2), "use a divisor of 3"),
    ("empty-output", one("Pad", (2, 3, 4), {"p": np.array([0, 0, -1, 0, 0, -3])}), "cut off at most 3"),
    ("attribute-length", one("Pad", (2, 3, 4), {"p": np.array([0, 0, -1])}), "3 begins and ends are needed"),
    ("axes", one("Pad", (2, 3), {"p": np.zeros(4, int), "_": np.zeros(0), "a": np.array([1, -1])}, 18), "each once"),
    ("pad-mode", one("Pad", (2, 3, 4), {"p": np.array([0, 0, 4, 0, 0, 0])}, mode="reflect"), "reflect padding"),
    ("pad-mode", one("Pad", (2, 3, 4), {"p": np.array([0, 0, 4, 0, 0, 0])}, mode="mirror"), "its mode is 'mirror'"),
    ("not-a-number", one("Clip", (2, 3), {"lo": np.float32("nan")}), "its min is nan"),
    ("dtype", with_input(lambda t: setattr(t, "elem_type", TensorProto.FLOAT8E5M2)), "the input 'x' is float8e5m2"),
    ("no-shape", with_input(lambda t: t.ClearField("shape")), "the input 'x' has no shape"),
    (
        "input-size",
        with_input(lambda t: setattr(t.shape.dim[0], "dim_value", -3)),
        "axis 0 of the input 'x' has size -3",
    ),
    ("output", model([helper.make_node("Relu", ["x"], ["h"])], {"x": (1, 2)}, {}), "the output 'y'"),
    ("invalid-model", one("Conv", (1, 2, 5), W, wrong=1), "Unrecognized attribute: wrong"),
    ("invalid-model", model([helper.make_node("Relu", ["z"], ["y"])], {"x": (1, 2)}, {}), "z"),
]


@pytest.mark.parametrize(("code", "proto", "said"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_what_is_not_understood_is_named(code: str, proto: onnx.ModelProto, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load(saved(proto, tmp_path))
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "model.onnx"))


def test_all_unknown_operators_are_named_at_once(tmp_path: Path) -> None:
    nodes = [helper.make_node("Selu", ["x"], ["h"]), helper.make_node("Maxpool", ["h"], ["y"])]
    with pytest.raises(ModelError) as caught:
        load(saved(model(nodes, {"x": (1, 2)}, {}), tmp_path))
    assert len(caught.value.diagnostics) == 2
    assert "did you mean 'MaxPool'?" in str(caught.value)


def test_an_operator_of_the_standard_is_not_taken_for_a_misspelt_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"these are read: Abs, Add, ") as caught:
        load(saved(one("Det", (4, 4)), tmp_path))
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x00" * 100, b"\xff" * 64, b"PK\x03\x04"], ids=repr)
def test_other_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError):
        load(tmp_path / "model.onnx")


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            load(path)


def network() -> bytes:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["h"], pads=[1, 1, 1, 1], strides=[2, 2], name="conv"),
        helper.make_node("BatchNormalization", ["h", "b", "b", "b", "b"], ["n"], epsilon=0.5),
        helper.make_node("MaxPool", ["n"], ["m"], kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("Clip", ["m", "", "six"], ["c"]),
        helper.make_node("Pad", ["c", "pads"], ["p"], mode="edge"),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["y"]),
    ]
    constants = {
        "w": integers((2, 3, 3, 3)),
        "b": np.ones(2, np.float32),
        "six": np.array(6, np.float32),
        "pads": np.array([0, 0, 1, 1, 0, 0, 0, 0]),
        "g": integers((32, 4)),
    }
    return model(nodes, {"x": ("N", 3, 6, 6)}, constants).SerializeToString()


def load_or_refuse(content: bytes, path: Path) -> bool:
    path.write_bytes(content)
    try:
        load(path)
    except ModelError:
        return False
    return True


@pytest.mark.slow
def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Cut short at every length, and with random bytes changed: a `ModelError` or a graph, nothing else."""
    whole, path = network(), tmp_path / "model.onnx"
    assert load_or_refuse(whole, path)
    for length in range(0, len(whole), 41):
        load_or_refuse(whole[:length], path)
    random = np.random.default_rng(0)
    read = 0
    for _ in range(120):
        damaged = bytearray(whole)
        for at in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[at] = random.integers(0, 256)
        read += load_or_refuse(bytes(damaged), path)
    assert 0 < read < 120
