"""Hand-made models, as other exporters spell them, mean after loading what onnxruntime says they mean."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from meaning import assert_means_the_same, by_definition, by_onnxruntime
from onnx import helper
from oracles.hand_models import integers, model, one, saved

from onnxconv.emit import to_bytes
from onnxconv.load import load

onnxruntime.set_default_logger_severity(4)


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    proto = one("Conv", (1, 1, 5), {"w": integers((1, 1, 3))}, pads=[1, 1])
    graph, weights = load(saved(proto, tmp_path))
    x = integers((1, 1, 5), 7)
    assert (by_definition(graph, weights, x)[..., ::-1] != by_onnxruntime(proto.SerializeToString(), x)).any()


CONVS: list[dict[str, Any]] = [
    {"auto_pad": auto, "strides": [s] * rank} | ({"kernel_shape": [k] * rank} if named else {})
    for auto, s, (rank, k), named in itertools.product(
        ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"), (1, 2, 3), ((1, 2), (2, 3), (2, 4), (3, 2)), (False, True)
    )
]


@pytest.mark.parametrize("attributes", CONVS, ids=str)
@pytest.mark.parametrize("group", [1, 2])
def test_convolutions(attributes: dict[str, Any], group: int, tmp_path: Path) -> None:
    rank = len(attributes["strides"])
    k = attributes.get("kernel_shape", [{1: 2, 2: 3, 3: 2}[rank]] * rank)
    shape = (2, 4, *(7, 8, 6)[:rank])
    constants = {"w": integers((6, 4 // group, *k)), "b": integers((6,))}
    assert_means_the_same(one("Conv", shape, constants, group=group, **attributes), integers(shape, 1), tmp_path)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 3]},
        {"strides": [2, 3], "pads": [1, 0, 0, 1]},
        {"strides": [2, 3], "output_padding": [1, 2]},
        {"dilations": [2, 1], "pads": [1, 1, 1, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        {"auto_pad": "VALID", "strides": [2, 2]},
        {"output_shape": [10, 9], "strides": [2, 2]},
        {"output_shape": [9, 8], "strides": [2, 2]},
        {"output_shape": [10, 9], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"output_shape": [10, 9], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
        {"output_shape": [12, 9], "strides": [2, 2], "output_padding": [1, 0]},
    ],
    ids=str,
)
@pytest.mark.parametrize("group", [1, 2])
def test_transposed_convolutions(attributes: dict[str, Any], group: int, tmp_path: Path) -> None:
    constants = {"w": integers((4, 3, 3, 2)), "b": integers((3 * group,))}
    proto = one("ConvTranspose", (2, 4, 5, 4), constants, group=group, **attributes)
    assert_means_the_same(proto, integers((2, 4, 5, 4), 1), tmp_path)


POOLS: list[dict[str, Any]] = [
    {"kernel_shape": [k, 3], "strides": [s, 2], **pads, **ceil}
    for k, s, pads, ceil in itertools.product(
        (2, 3),
        (1, 2, 3),
        ({}, {"pads": [1, 1, 0, 1]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {"auto_pad": "VALID"}),
        ({}, {"ceil_mode": 1}),
    )
    if not (ceil and pads.get("auto_pad") == "VALID")  # ambiguous: refused
    and not (s > k and pads.get("auto_pad", "").startswith("SAME"))  # onnxruntime 1.32 may fail: see below
]


@pytest.mark.parametrize("attributes", POOLS, ids=str)
@pytest.mark.parametrize("shape", [(1, 2, 7, 8), (1, 1, 6, 9)])
def test_max_pools(attributes: dict[str, Any], shape: tuple[int, ...], tmp_path: Path) -> None:
    assert_means_the_same(one("MaxPool", shape, **attributes), integers(shape, 1, -90, 90), tmp_path)


@pytest.mark.parametrize("attributes", POOLS, ids=str)
@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("shape", [(1, 2, 7, 8), (1, 1, 6, 9)])
def test_average_pools(attributes: dict[str, Any], include: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    proto = one("AveragePool", shape, opset=19, count_include_pad=include, **attributes)
    assert_means_the_same(proto, integers(shape, 1, -90, 90), tmp_path, exact=False)


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER"])
def test_a_stride_beyond_the_window_needs_no_padding(auto: str, tmp_path: Path) -> None:
    """⌈6 ÷ 3⌉ = 2 windows of 2 pixels, at 0 and 3; onnxruntime 1.32 refuses the negative padding it computes."""
    path = saved(one("MaxPool", (1, 1, 6), kernel_shape=[2], strides=[3], auto_pad=auto), tmp_path)
    x = np.array([[[3, 1, 9, 2, 5, 8]]], np.float32)
    np.testing.assert_array_equal(by_definition(*load(path), x), [[[3, 5]]])


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER"])
def test_same_with_dilation(auto: str, tmp_path: Path) -> None:
    """onnxruntime refuses it. Extent 5 on 5 pixels, stride 2: 3 outputs need 4 pads, 2 on each side; taps at −2, 0, 2 …"""
    weight = np.array([[[1, 10, 100]]], np.float32)
    path = saved(one("Conv", (1, 1, 5), {"w": weight}, dilations=[2], strides=[2], auto_pad=auto), tmp_path)
    x = np.array([[[1, 2, 3, 4, 5]]], np.float32)
    np.testing.assert_array_equal(by_definition(*load(path), x), [[[310, 531, 53]]])


def test_same_with_dilation_puts_the_odd_pixel_at_the_named_side(tmp_path: Path) -> None:
    """Extent 4 on 5 pixels, stride 1: 3 pads."""
    weight, x = np.array([[[1, 10]]], np.float32), np.array([[[1, 2, 3, 4, 5]]], np.float32)
    expected = {"SAME_UPPER": [30, 41, 52, 3, 4], "SAME_LOWER": [20, 30, 41, 52, 3]}
    for auto, values in expected.items():
        path = saved(one("Conv", (1, 1, 5), {"w": weight}, dilations=[3], auto_pad=auto), tmp_path)
        np.testing.assert_array_equal(by_definition(*load(path), x), [[values]])


def matrix(transposed: bool) -> np.ndarray:
    return integers((5, 6)) if transposed else integers((6, 5))


SINGLE: list[tuple[str, onnx.ModelProto, tuple[int, ...]]] = [
    ("relu", one("Relu", (2, 3)), (2, 3)),
    ("leaky relu by default", one("LeakyRelu", (2, 3, 4)), (2, 3, 4)),
    ("leaky relu", one("LeakyRelu", (2, 3, 4), alpha=0.3), (2, 3, 4)),
    ("sigmoid", one("Sigmoid", (2, 3, 4)), (2, 3, 4)),
    ("prelu", one("PRelu", (2, 3, 4, 4), {"s": integers((3, 1, 1))}), (2, 3, 4, 4)),
    ("prelu, as wide as its input", one("PRelu", (2, 3, 4), {"s": integers((1, 3, 1))}), (2, 3, 4)),
    ("prelu, shared", one("PRelu", (2, 3, 4), {"s": integers((1,)) + 2}), (2, 3, 4)),
    ("prelu, a scalar", one("PRelu", (2, 3, 4), {"s": integers(()) + 2}), (2, 3, 4)),
    ("prelu on features", one("PRelu", (2, 3), {"s": integers((3,))}), (2, 3)),
    ("tanh", one("Tanh", (2, 3, 4)), (2, 3, 4)),
    ("elu by default", one("Elu", (2, 3, 4)), (2, 3, 4)),
    ("elu", one("Elu", (2, 3, 4), alpha=0.3), (2, 3, 4)),
    ("hard sigmoid by default", one("HardSigmoid", (2, 3, 4)), (2, 3, 4)),
    ("hard sigmoid", one("HardSigmoid", (2, 3, 4), alpha=0.03, beta=0.4), (2, 3, 4)),
    ("hard swish", one("HardSwish", (2, 3, 4), opset=14), (2, 3, 4)),
    ("softplus", one("Softplus", (2, 3, 4)), (2, 3, 4)),
    ("gelu", one("Gelu", (2, 3, 4), opset=20), (2, 3, 4)),
    ("gelu by tanh", one("Gelu", (2, 3, 4), opset=20, approximate="tanh"), (2, 3, 4)),
    ("mish", one("Mish", (2, 3, 4), opset=18), (2, 3, 4)),
    ("clip 6", one("Clip", (2, 3), opset=6, min=-1.0, max=2.0), (2, 3)),
    ("clip 6 by default", one("Clip", (2, 3), opset=10), (2, 3)),
    ("clip 11", one("Clip", (2, 3), {"lo": np.float32(-1), "hi": np.float32(2)}, opset=11), (2, 3)),
    ("clip without min", one("Clip", (2, 3), {"_": np.float32(0), "hi": np.float32(2)}), (2, 3)),
    ("clip, min above max", one("Clip", (2, 3), {"lo": np.float32(2), "hi": np.float32(1)}), (2, 3)),
    ("clip without max", one("Clip", (2, 3), {"lo": np.float32(-1.5)}), (2, 3)),
    ("softmax 13", one("Softmax", (2, 3, 4)), (2, 3, 4)),
    ("softmax 13, axis", one("Softmax", (2, 3, 4), axis=1), (2, 3, 4)),
    ("softmax 11", one("Softmax", (2, 3, 1, 1), opset=11), (2, 3, 1, 1)),
    ("softmax 11, last axis", one("Softmax", (2, 3, 4), opset=11, axis=-1), (2, 3, 4)),
    ("flatten", one("Flatten", (2, 3, 4)), (2, 3, 4)),
    ("flatten from behind", one("Flatten", (2, 3, 4), opset=13, axis=-2), (2, 3, 4)),
    ("reshape 0 -1", one("Reshape", (2, 3, 4), {"s": np.array([0, -1])}), (2, 3, 4)),
    ("reshape -1 n", one("Reshape", (2, 3, 4), {"s": np.array([-1, 12])}), (2, 3, 4)),
    ("reshape n n", one("Reshape", (2, 3, 4), {"s": np.array([2, 12])}), (2, 3, 4)),
    ("squeeze 11", one("Squeeze", (2, 3, 1, 1), opset=11, axes=[2, 3]), (2, 3, 1, 1)),
    ("squeeze 13", one("Squeeze", (2, 3, 1, 1), {"a": np.array([-1, -2])}), (2, 3, 1, 1)),
    ("global max", one("GlobalMaxPool", (2, 3, 4, 5)), (2, 3, 4, 5)),
    ("global average", one("GlobalAveragePool", (2, 3, 4, 4)), (2, 3, 4, 4)),
    ("reduce mean 13", one("ReduceMean", (2, 3, 4, 4), opset=13, axes=[-1, 2]), (2, 3, 4, 4)),
    ("reduce mean, flat", one("ReduceMean", (2, 3, 4, 4), opset=13, axes=[2, 3], keepdims=0), (2, 3, 4, 4)),
    ("reduce mean 18", one("ReduceMean", (2, 3, 4, 4), {"a": np.array([2, 3])}, opset=18), (2, 3, 4, 4)),
    ("dropout 7", one("Dropout", (2, 3), opset=7, ratio=0.3), (2, 3)),
    ("dropout 13", one("Dropout", (2, 3), {"r": np.float32(0.3)}), (2, 3)),
    ("dropout 13, not training", one("Dropout", (2, 3), {"r": np.float32(0.3), "t": np.array(False)}), (2, 3)),
    ("gemm", one("Gemm", (3, 6), {"w": matrix(False)}), (3, 6)),
    ("gemm transB", one("Gemm", (3, 6), {"w": matrix(True), "b": integers((5,))}, transB=1), (3, 6)),
    ("gemm, bias as a row", one("Gemm", (3, 6), {"w": matrix(False), "b": integers((1, 5))}), (3, 6)),
    ("gemm, one bias for all", one("Gemm", (3, 6), {"w": matrix(False), "b": integers(())}), (3, 6)),
    ("gemm 9", one("Gemm", (3, 6), {"w": matrix(False), "b": integers((5,))}, opset=9), (3, 6)),
    ("matmul", one("MatMul", (3, 6), {"w": matrix(False)}), (3, 6)),
    ("pad 2", one("Pad", (1, 2, 4), opset=2, pads=[0, 0, 1, 0, 0, 2], value=3.0), (1, 2, 4)),
    ("pad 11", one("Pad", (1, 2, 4), {"p": np.array([0, 0, 1, 0, 0, 2]), "v": np.float32(3)}, opset=11), (1, 2, 4)),
    ("pad reflect", one("Pad", (1, 2, 4), {"p": np.array([0, 0, 1, 0, 0, 2])}, mode="reflect"), (1, 2, 4)),
    ("pad edge", one("Pad", (1, 2, 4), {"p": np.array([0, 0, 1, 0, 0, 2])}, mode="edge"), (1, 2, 4)),
    (
        "pad 18, axes",
        one("Pad", (1, 2, 4, 5), {"p": np.array([1, 2]), "_": np.float32(0), "a": np.array([-1])}, opset=18),
        (1, 2, 4, 5),
    ),
    (
        "pad wrap",
        one("Pad", (1, 2, 4), {"p": np.array([0, 0, 1, 0, 0, 2])}, opset=19, mode="wrap"),
        (1, 2, 4),
    ),
    (
        "dilated average",
        one("AveragePool", (1, 2, 9), opset=19, kernel_shape=[3], dilations=[2], pads=[1, 2]),
        (1, 2, 9),
    ),
    ("dilated max", one("MaxPool", (1, 2, 9), kernel_shape=[3], dilations=[2], pads=[1, 2]), (1, 2, 9)),
]


@pytest.mark.parametrize(("proto", "shape"), [case[1:] for case in SINGLE], ids=[case[0] for case in SINGLE])
def test_single_operators(proto: onnx.ModelProto, shape: tuple[int, ...], tmp_path: Path) -> None:
    assert_means_the_same(proto, integers(shape, 3), tmp_path, exact=False)


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
@pytest.mark.parametrize("extra", [{}, {"epsilon": 0.1}])
def test_batch_norm(opset: int, extra: dict[str, float], tmp_path: Path) -> None:
    names = ("scale", "shift", "mean", "var")
    constants = {name: np.abs(integers((3,), i)) + 0.5 for i, name in enumerate(names)}
    proto = one("BatchNormalization", (2, 3, 4), constants, opset=opset, **extra)
    assert_means_the_same(proto, integers((2, 3, 4), 5), tmp_path, exact=False)


def test_joins_and_constants(tmp_path: Path) -> None:
    """A network with Constant nodes, initializers that are inputs too, Sum of three, Mul, Concat from behind, a shared weight."""
    nodes = [
        helper.make_node("Constant", [], ["w"], value=onnx.numpy_helper.from_array(integers((3, 3, 3)))),
        helper.make_node("Identity", ["bias"], ["b"]),
        helper.make_node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1], name="first"),
        helper.make_node("Conv", ["a", "w"], ["c"], pads=[1, 1], name="a"),
        helper.make_node("Sum", ["x", "a", "c"], ["s"]),
        helper.make_node("Mul", ["s", "x"], ["m"]),
        helper.make_node("Add", ["m", "m"], ["d"]),
        helper.make_node("Concat", ["d", "x"], ["y"], axis=-2),
    ]
    proto = model(nodes, {"x": ("batch", 3, 5)}, {"bias": integers((3,))})
    proto.graph.input.append(helper.make_tensor_value_info("bias", onnx.TensorProto.FLOAT, [3]))
    graph = assert_means_the_same(proto, integers((2, 3, 5), 4), tmp_path)
    assert [name for name, _ in graph.inputs] == ["x"]
    assert graph.inputs[0][1].shape == ("batch", 3, 5)
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)
    assert [param.name for param in graph.params()] == ["w", "bias"]


@pytest.mark.parametrize("first", [True, False])
def test_a_constant_added_to_a_matmul_is_its_bias(first: bool, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Add", ["b", "h"] if first else ["h", "b"], ["y"]),
    ]
    proto = model(nodes, {"x": ("N", 6)}, {"w": matrix(False), "b": integers((5,))})
    graph = assert_means_the_same(proto, integers((3, 6), 2), tmp_path)
    assert len(graph.nodes) == 1


def test_other_forms_of_a_constant_do_not_take_its_neighbours_name(tmp_path: Path) -> None:
    """W transposed is not the constant that happens to be called W.T, and one number as a bias fits any layer."""
    nodes = [
        helper.make_node("Gemm", ["x", "W", "b"], ["g"]),
        helper.make_node("Gemm", ["g", "W.T"], ["h"], transB=1),
        helper.make_node("Gemm", ["h", "V", "b"], ["y"], transB=1),
    ]
    constants = {"W": integers((3, 3), 1), "W.T": integers((3, 3), 2), "V": integers((5, 3), 3), "b": integers((1,), 4)}
    assert_means_the_same(model(nodes, {"x": ("N", 3)}, constants), integers((2, 3), 2), tmp_path)


def test_sizes_without_a_name_get_one_of_their_own(tmp_path: Path) -> None:
    proto = one("Conv", (1, 2, 5), {"w": integers((3, 2, 3))})
    for dim in (proto.graph.input[0].type.tensor_type.shape.dim[i] for i in (0, 2)):
        dim.Clear()
    graph, _ = load(saved(proto, tmp_path))
    assert graph.nodes[0].type.shape == ("x_0", 3, "x_2-2")


def test_a_size_may_be_called_anything(tmp_path: Path) -> None:
    graph, _ = load(saved(one("Conv", ("N", 2, "two\nlines"), {"w": integers((3, 2, 3))}), tmp_path))
    assert graph.nodes[0].type.shape == ("N", 3, "two\nlines-2")


def test_node_names_become_unique(tmp_path: Path) -> None:
    """A node without a name takes its output's, which another may have: onnxruntime refuses two of one name."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="c"),
        helper.make_node("Sigmoid", ["a"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"], name="c"),
    ]
    path = saved(model(nodes, {"x": (1, 2)}, {}), tmp_path)
    graph, weights = load(path)
    assert len({node.name for node in graph.nodes}) == 3
    by_onnxruntime(to_bytes(graph, weights), integers((1, 2)))


def test_constants_among_the_inputs_of_a_join(tmp_path: Path) -> None:
    """They are tensors of their own, emitted under their name, and parameters."""
    proto = one("Concat", (2, 3, 4), {"c": integers((2, 2, 4))}, axis=1)
    graph = assert_means_the_same(proto, integers((2, 3, 4), 7), tmp_path)
    assert [(node.op.kind, node.output) for node in graph.nodes] == [("Constant", "c"), ("Concat", "y")]
    assert [(param.name, param.learned) for param in graph.params()] == [("c", 16)]
