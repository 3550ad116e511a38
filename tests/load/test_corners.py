"""Attributes and operands that seldom differ from what everybody writes: read as onnxruntime does, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from meaning import assert_means_the_same
from onnx import TensorProto, helper
from oracles.hand_models import integers, model, one, saved

from onnxconv.errors import ModelError
from onnxconv.execute import run
from onnxconv.load import load


def assert_as_onnxruntime(proto: onnx.ModelProto, x: np.ndarray, folder: Path) -> None:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    graph, weights = load(saved(proto, folder))
    y = run(graph, weights, {"x": x})[graph.outputs[0]]
    assert (y.dtype, y.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def added(*nodes: onnx.NodeProto, opset: int = 13, **constants: np.ndarray) -> onnx.ModelProto:
    """x plus "c", which the nodes compute from constants."""
    tail = [helper.make_node("Cast", ["c"], ["d"], to=TensorProto.FLOAT), helper.make_node("Add", ["x", "d"], ["y"])]
    return model([*nodes, *tail], {"x": (2, 3)}, constants, opset=opset)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceProd", "ReduceMax"])
@pytest.mark.parametrize("noop", [0, 1])
@pytest.mark.parametrize("axes", [None, [], [-1]])
def test_a_reduction_of_constants_over_all_axes_or_none(
    op: str, noop: int, axes: list[int] | None, tmp_path: Path
) -> None:
    held = {"a": np.array([2, 3, 5])} | ({} if axes is None else {"axes": np.array(axes, np.int64)})
    node = helper.make_node(op, list(held), ["c"], noop_with_empty_axes=noop, keepdims=0)
    assert_as_onnxruntime(added(node, opset=18, **held), integers((2, 3)), tmp_path)


def test_the_remainder_with_the_sign_of_the_dividend_is_not_the_other_one(tmp_path: Path) -> None:
    held = {"a": np.array([-7, 7, 5]), "b": np.array([3, -3, 3])}
    assert_as_onnxruntime(added(helper.make_node("Mod", ["a", "b"], ["c"]), **held), integers((2, 3)), tmp_path)
    with pytest.raises(ModelError, match="fmod"):
        load(saved(added(helper.make_node("Mod", ["a", "b"], ["c"], fmod=1), **held), tmp_path))


def shaped(*nodes: onnx.NodeProto, batch: int | str = "N") -> onnx.ModelProto:
    """x with its last axes cut to "r" rows, which the nodes compute from its shape "s"."""
    first = helper.make_node("Shape", ["x"], ["s"])
    tail = [
        helper.make_node("Concat", ["r", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    held = {"rest": np.array([-1]), "two": np.array([2]), "three": np.array([3]), "axes": np.array([0])}
    return model([first, *nodes, *tail], {"x": (batch, 3, 7, 4)}, held, opset=13)


def test_known_sizes_among_open_ones_are_divided_as_the_numbers_that_they_were_cast_to(tmp_path: Path) -> None:
    """⌈7 ÷ 4⌉ = 2 of real numbers, 1 of whole ones."""
    nodes = [
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["f", "two"], ["h"]),
        helper.make_node("Gather", ["f", "three"], ["w"]),
        helper.make_node("Div", ["h", "w"], ["q"]),
        helper.make_node("Ceil", ["q"], ["c"]),
        helper.make_node("Cast", ["c"], ["r"], to=TensorProto.INT64),
    ]
    assert_as_onnxruntime(shaped(*nodes), integers((2, 3, 7, 4)), tmp_path)


def test_the_largest_of_open_sizes_is_not_their_sum(tmp_path: Path) -> None:
    whole = helper.make_node("ReduceMax", ["s"], ["r"])
    with pytest.raises(ModelError, match="max"):
        load(saved(shaped(whole), tmp_path))
    assert_as_onnxruntime(shaped(whole, batch=12), integers((12, 3, 7, 4)), tmp_path)


@pytest.mark.parametrize("mode", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize(
    ("policy", "sizes"), [("not_larger", (9, 2)), ("not_smaller", (8, 1)), ("not_larger", (20, 2))]
)
def test_an_axis_resized_in_proportion_to_its_own_size_moves(
    mode: str, policy: str, sizes: tuple[int, int], tmp_path: Path
) -> None:
    """2 positions times 9/10 are 2 again, but not the same ones."""
    held = {"_roi": np.array([]), "_scales": np.array([]), "sizes": np.array(sizes)}
    given = {"axes": [2, 3], "mode": mode, "keep_aspect_ratio_policy": policy}
    x = np.random.default_rng(0).standard_normal((1, 1, 10, 2)).astype(np.float32)
    assert_as_onnxruntime(one("Resize", x.shape, held, 19, **given), x, tmp_path)


def test_a_resize_of_an_axis_that_is_not_there_is_refused(tmp_path: Path) -> None:
    held = {"_roi": np.array([]), "scales": np.array([2], np.float32)}
    with pytest.raises(ModelError, match=r"the input has 4 axes: -4 to 3"):
        load(saved(one("Resize", (1, 2, 3, 4), held, 18, axes=[7]), tmp_path))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_slope_of_a_tensor_without_channels(rank: int, tmp_path: Path) -> None:
    x = integers((5,))[: 1 + 4 * rank].reshape((5,) * rank)
    assert_as_onnxruntime(one("PRelu", x.shape, {"slope": np.full((1,) * rank, 0.5, np.float32)}), x, tmp_path)


@pytest.mark.parametrize("slope", [0.5, -2.0, np.inf])
def test_a_slope_of_each_pixel_is_exact_at_the_ends(slope: float, tmp_path: Path) -> None:
    """A limit at 0 would not do: onnxruntime 1.32 clips −∞ to the least float32. Ours, written again, says the same."""
    x = np.array([[-np.inf, np.inf, np.nan, -1.5, 2.5, np.finfo(np.float32).min, 0]], np.float32)
    proto = one("PRelu", x.shape, {"slope": np.full((1, 1, 7), slope, np.float32)[0]}, 16)
    assert load(saved(proto, tmp_path))[0].nodes[-1].op.kind == "PRelu"
    each = np.full((2, 7), slope, np.float32)
    proto, x = one("PRelu", (2, 7), {"slope": each}, 16), np.concatenate([x, x[:, ::-1]])
    graph = assert_means_the_same(proto, x, tmp_path)
    assert [node.op.kind for node in graph.nodes if node.op.kind != "Constant"] == ["Mul", "Less", "Where"]


@pytest.mark.parametrize(
    ("opset", "held"), [(6, {}), (6, {"is_test": 0}), (6, {"is_test": 1}), (6, {"ratio": 0.0}), (7, {})]
)
def test_a_dropout_that_trains_is_refused(opset: int, held: dict[str, Any], tmp_path: Path) -> None:
    """Up to opset 6 it does, unless is_test says otherwise."""
    path = saved(one("Dropout", (2, 3), opset=opset, **held), tmp_path)
    if opset < 7 and held.get("is_test") != 1 and held.get("ratio") != 0:
        with pytest.raises(ModelError, match="training mode: is_test is 0"):
            load(path)
    else:
        assert load(path)[0].nodes[0].op.kind == "Identity"


@pytest.mark.parametrize("opset", [11, 13])
def test_a_squeeze_of_an_open_size_asks_for_it(opset: int, tmp_path: Path) -> None:
    """Where the size is 1 the axis is taken away, else it stays."""
    path = saved(one("Squeeze", ("N", 3, 1), opset=opset), tmp_path)
    with pytest.raises(ModelError, match=r"(?s)whether N is 1 is left open.*--input-shape x=N,3,1") as caught:
        load(path)
    assert caught.value.diagnostics[0].code == "symbolic-size"
    for batch, shape in ((1, (3,)), (2, (2, 3))):
        assert load(path, input_shapes={"x": (batch, 3, 1)})[0].nodes[0].type.shape == shape


def test_a_split_has_as_many_outputs_as_it_says(tmp_path: Path) -> None:
    node = helper.make_node("Split", ["x"], ["y", "z"], num_outputs=3, axis=1)
    with pytest.raises(ModelError, match="num_outputs is 3, and it has 2 outputs"):
        load(saved(model([node], {"x": (2, 6)}, {}, opset=18), tmp_path))


@pytest.mark.parametrize("folded", [False, True])
def test_a_dequantised_type_that_is_not_the_scales_is_refused(folded: bool, tmp_path: Path) -> None:
    """float16 times a number in float16 is not what is asked for, float32."""
    node = helper.make_node("DequantizeLinear", ["q", "s"], ["c"], output_dtype=TensorProto.FLOAT)
    held = {"s": np.array(0.1, np.float16)}
    if folded:
        proto = added(node, opset=23, q=np.array([1, 2, 3], np.uint8), **held)
    else:
        quantised = helper.make_node("QuantizeLinear", ["x", "t"], ["q"])
        proto = model(
            [quantised, node, helper.make_node("Relu", ["c"], ["y"])],
            {"x": (2, 3)},
            held | {"t": np.float32(0.5)},
            opset=23,
        )
    with pytest.raises(ModelError, match="its output is float32, its scale float16"):
        load(saved(proto, tmp_path))


def test_a_quantised_type_is_said_once(tmp_path: Path) -> None:
    held = {"scale": np.float32(0.5), "zero": np.array(3, np.uint8)}
    proto = one("QuantizeLinear", (2, 3), held, 21, output_dtype=TensorProto.INT8)
    with pytest.raises(ModelError, match="int8"):
        load(saved(proto, tmp_path))


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER"])
def test_a_transposed_same_that_the_kernel_does_not_fill_is_refused(auto: str, tmp_path: Path) -> None:
    """onnx's shape inference says 15 outputs, onnxruntime gives 14."""
    w = {"w": integers((1, 1, 2))}
    proto = one("ConvTranspose", (1, 1, 5), w, auto_pad=auto, strides=[3])
    with pytest.raises(ModelError, match="strides beyond its kernel"):
        load(saved(proto, tmp_path))
    filled = one("ConvTranspose", (1, 1, 5), {"w": integers((1, 1, 3))}, auto_pad=auto, strides=[3])
    assert_as_onnxruntime(filled, integers((1, 1, 5)), tmp_path)
