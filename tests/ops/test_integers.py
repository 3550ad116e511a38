"""Operators on integers: shapes, types, footprints, their ONNX form in every opset, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from ops.on_integers import ON_INTEGERS
from oracles.hand_models import saved
from oracles.quantised_models import dynamic, operators, pairs, products, quantised

from onnxconv.cost import costs
from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.errors import ModelError, Refusal, UsageError
from onnxconv.execute import run, seeded_inputs
from onnxconv.geometry import Axis
from onnxconv.load import load
from onnxconv.ops import (
    ConvInteger,
    DequantizedConv,
    DequantizedGemm,
    DequantizeLinear,
    DynamicQuantizeLinear,
    MatMulInteger,
    QLinearConv,
    QLinearMatMul,
    QuantizeLinear,
)
from onnxconv.receptive import receptive_fields

onnxruntime.set_default_logger_severity(4)
NEWEST = onnx.defs.onnx_opset_version()
MODELS = {
    "operators": operators(),
    "tensor": operators(1, per_channel=False),
    "dynamic": dynamic(),
    "products": products(),
}


def by_onnxruntime(content: bytes, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    return list(onnxruntime.InferenceSession(content).run(None, inputs))


def test_the_models_have_every_operator(tmp_path: Path) -> None:
    """All but those whose weights are dequantised, which are in quantize/test_quantize.py."""
    kinds = {type(node.op) for model in MODELS.values() for node in load(saved(model, tmp_path))[0].nodes}
    assert kinds >= {*ON_INTEGERS} - {DequantizedConv, DequantizedGemm}


@pytest.mark.parametrize("opset", [13, 17, 19, 21, 23])
@pytest.mark.parametrize("name", MODELS)
def test_models_come_back(name: str, opset: int, tmp_path: Path) -> None:
    """Emitted in any opset they are valid, compute the same, and load as the same graph."""
    graph, weights = load(saved(MODELS[name], tmp_path))
    content = to_bytes(graph, weights, EmitOptions(opset, ir_version=10))
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    inputs = seeded_inputs(graph, 2)
    expected = by_onnxruntime(MODELS[name].SerializeToString(), inputs)
    for theirs, ours in zip(expected, run(graph, weights, inputs).values(), strict=True):
        np.testing.assert_array_equal(theirs, ours, strict=True)
    if opset <= 21:  # what onnxruntime 1.32 knows of these operators
        for theirs, again in zip(expected, by_onnxruntime(content, inputs), strict=True):
            np.testing.assert_array_equal(theirs, again, strict=True)
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "model.onnx").write_bytes(content)
    loaded, arrays = load(tmp_path / "again" / "model.onnx")
    if name != "dynamic":  # each of its three outputs has a node of its own
        assert loaded.digest() == graph.digest()
        assert to_bytes(loaded, arrays, EmitOptions(opset, ir_version=10)) == content


@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_stay_integers(per_channel: bool, tmp_path: Path) -> None:
    """A model of quantise–dequantise pairs loads as convolutions on integers, is emitted so, and computes the same."""
    model = pairs(per_channel=per_channel)
    graph, weights = load(saved(model, tmp_path))
    kinds = [node.op.kind for node in graph.nodes]
    assert kinds.count("DequantizedConv") == 2
    assert {param.dtype for node in graph.nodes if node.op.kind == "DequantizedConv" for _, param in node.params} == {
        "int8",
        "float32",
    }
    assert costs(graph).totals.params == 6 * 27 + 6 * 9
    inputs = seeded_inputs(graph, 1)
    (expected,) = by_onnxruntime(model.SerializeToString(), inputs)
    (again,) = by_onnxruntime(to_bytes(graph, weights), inputs)
    (ours,) = run(graph, weights, inputs).values()
    np.testing.assert_array_equal(ours, expected, strict=True)
    np.testing.assert_array_equal(again, expected, strict=True)


@pytest.mark.parametrize("spoil", ["zero point", "axis", "float bias"])
def test_dequantised_weights_are_else_the_floats_that_they_become(spoil: str, tmp_path: Path) -> None:
    model = pairs()
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    (conv,) = [node for node in model.graph.node if node.op_type == "Conv" and node.output[0] == "c1"]
    if spoil == "zero point":
        held["w1z"].CopyFrom(numpy_helper.from_array(np.full(6, 3, np.int8), "w1z"))
    elif spoil == "axis":
        held["w1s"].CopyFrom(numpy_helper.from_array(np.array([0.01, 0.002, 0.004], np.float32), "w1s"))
        held["w1z"].CopyFrom(numpy_helper.from_array(np.zeros(3, np.int8), "w1z"))
        (node,) = [node for node in model.graph.node if node.output[0] == "w1"]
        node.attribute[0].i = 1
    else:
        model.graph.initializer.append(numpy_helper.from_array(np.linspace(-1, 1, 6, dtype=np.float32), "bias"))
        conv.input.append("bias")
    graph, weights = load(saved(model, tmp_path))
    inputs = seeded_inputs(graph, 1)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, inputs)
    (ours,) = run(graph, weights, inputs).values()
    np.testing.assert_array_equal(ours, expected, strict=True)
    assert [node.op.kind for node in graph.nodes if node.name in ("c1", "c2")] == ["Conv", "DequantizedConv"]


def test_costs_and_receptive_fields_are_those_of_the_convolutions(tmp_path: Path) -> None:
    """Two convolutions, of 3·6 and 6 kernels of 3×3, and a pool between them; scales and zero points are not learned."""
    graph, _ = load(saved(operators(), tmp_path))
    totals = costs(graph).totals
    assert totals.params == 6 * 3 * 9 + 6 + 6 * 9
    assert totals.macs == 6 * 27 * 9 * 4 + 6 * 9 * 8 * 3
    assert [reach.size() for reach in receptive_fields(graph)["y"]["x"]] == [3 + 1 + 2, 3 + 2 * 1 + 2 * 2]


W = (6, 3, 3, 3)
WINDOW = (Axis(3, 1, 1, (1, 1)),) * 2
X = (2, 3, 8, 8)
ONES: tuple[tuple[int, ...], ...] = ((), (), W, (6,), (6,), (), (), (6,))


@pytest.mark.parametrize(
    ("op", "shapes", "words"),
    [
        (QuantizeLinear(), (X, (4,)), "a scale of shape [4] for [2, 3, 8, 8]"),
        (QuantizeLinear(4), (X, (3,)), "a scale along axis 4"),
        (QuantizeLinear(), (X, (3,), ()), "a zero point of shape [] beside a scale of shape [3]"),
        (QuantizeLinear(1, 2), (X, (2, 3, 8, 8)), "a scale of shape [2, 3, 8, 8]"),
        (DequantizeLinear(), (X, (8,)), "a scale of shape [8]"),
        (ConvInteger(WINDOW), (X, (6, 2, 3, 3)), "its weight has shape [6, 2, 3, 3]"),
        (ConvInteger(WINDOW), (X, W, (3,)), "its zero point has shape [3]"),
        (QLinearConv(WINDOW), (X, (3,), *ONES[1:]), "its scale has shape [3]"),
        (QLinearConv(WINDOW), (X, *ONES[:3], (5,), *ONES[4:]), "its weight's scale has shape [5]"),
        (QLinearConv(WINDOW), (X, *ONES[:7], (1,)), "its bias has shape [1]"),
        (MatMulInteger(), ((2, 3), (4, 5)), "it multiplies [2, 3] by [4, 5]"),
        (MatMulInteger(), ((3,), (3, 5)), "it multiplies [3] by [3, 5]"),
        (QLinearMatMul(), ((2, 4, 3), (), (), (3, 3, 5), (), (), (), ()), "differ before the matrices"),
    ],
)
def test_shapes_that_do_not_fit(op: QuantizeLinear, shapes: tuple[tuple[int, ...], ...], words: str) -> None:
    with pytest.raises(Refusal) as caught:
        op.out_shape(*shapes)
    assert words in caught.value.what


@pytest.mark.parametrize(
    ("op", "dtypes"),
    [
        (QuantizeLinear(dtype="int8"), ("float32", "float32", "uint8")),
        (QuantizeLinear(dtype="int32"), ("float32", "float32")),
        (QuantizeLinear(), ("uint8", "float32")),
        (QuantizeLinear(), ("float16", "float16")),
        (DequantizeLinear(), ("uint8", "float32", "int8")),
        (DequantizeLinear(), ("float32", "float32")),
        (DynamicQuantizeLinear(), ("float16",)),
        (ConvInteger(WINDOW), ("int16", "int8")),
        (ConvInteger(WINDOW), ("uint8", "int8", "int8")),
        (QLinearConv(WINDOW), ("uint8", "float32", "uint8", "int8", "float32", "int8", "float32", "int8")),
    ],
)
def test_types_that_do_not_fit(op: QuantizeLinear, dtypes: tuple[str, ...]) -> None:
    with pytest.raises(Refusal) as caught:
        op.out_dtype(*dtypes)
    assert caught.value.code == "dtype"


def test_sums_wrap_around_as_an_int32_does() -> None:
    """70,000 products 255·255 are 4,551,750,000 = 256,782,704 modulo 2^32."""
    a, b = np.full((1, 70_000), 255.0), np.full((70_000, 1), 255.0)
    assert MatMulInteger().define(a, b).item() == 70_000 * 255**2 - 2**32 == 256_782_704
    assert MatMulInteger().define(a.astype(np.int32), b.astype(np.int32)).item() == 256_782_704


def test_blocks_and_opsets(tmp_path: Path) -> None:
    held = {"s": np.array([[0.5, 0.25], [1.0, 2.0]], np.float32), "z": np.array([[1, 2], [3, 4]], np.uint8)}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], axis=1, block_size=3)
    model = quantised([node], {"x": ("float32", (2, 5))}, held, {"y": "uint8"}, 21)
    graph, weights = load(saved(model, tmp_path))
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    (y,) = run(graph, weights, {"x": x}).values()
    assert y.tolist() == [[1, 3, 5, 14, 18], [8, 9, 10, 8, 8]]
    np.testing.assert_array_equal(by_onnxruntime(model.SerializeToString(), {"x": x})[0], y, strict=True)
    with pytest.raises(UsageError, match="QuantizeLinear of opset 17 has no blocks"):
        to_bytes(graph, weights, EmitOptions(17))


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    held = {"s": np.float32(0.5)}
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"], output_dtype=onnx.TensorProto.INT4)
    model = quantised([node], {"x": ("float32", (2, 5))}, held, {"y": "uint8"}, 21)
    with pytest.raises(ModelError, match="it quantises to int4"):
        load(saved(model, tmp_path))
