"""Sums of products of bytes by the plan: bit for bit what the definition says, wherever their terms are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from execute.test_fast import planned
from hypothesis import given, settings
from hypothesis import strategies as st

import onnxconv
from onnxconv.execute import run
from onnxconv.execute.fast import integer, make_plan
from onnxconv.execute.fast.defined import DefinedKernel
from onnxconv.geometry import Axis
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.ops import (
    Constant,
    ConvInteger,
    DequantizeLinear,
    MatMulInteger,
    Operator,
    QLinearConv,
    QLinearMatMul,
    QuantizeLinear,
)
from onnxconv.verify.arithmetic import DIRECT
from onnxconv.verify.judge import compared

Held = dict[Param, np.ndarray]


def graph_of(op: Operator, x: np.ndarray, *operands: np.ndarray) -> tuple[Graph, Held]:
    """One layer on x and constants."""
    nodes, held = [], {}
    for place, array in enumerate(operands):
        name = f"c{place}"
        param = Param(name, array.dtype.name, array.shape, Initial(name, array.shape))
        type = TensorType(array.dtype.name, array.shape)
        nodes.append(Node(name, Constant(array.shape), (), name, type, (("value", param),)))
        held[param] = array
    arrays = (x, *operands)
    y = TensorType(op.out_dtype(*(a.dtype.name for a in arrays)), op.out_shape(*(a.shape for a in arrays)))
    nodes.append(Node("y", op, ("x", *(n.output for n in nodes)), "y", y))
    return Graph("one", (("x", TensorType(x.dtype.name, x.shape)),), tuple(nodes), ("y",)), held


def same(graph: Graph, held: Held, x: np.ndarray) -> np.ndarray:
    """What the definition and the plan both give, by one thread and by two; the plan has a kernel for it."""
    expected = run(graph, held, {"x": x})["y"]
    (step,) = make_plan(graph, held, {"x": x.shape}).steps
    assert type(step.kernel).__name__.startswith("Integer")
    for threads in (1, 2):
        found = planned(graph, held, {"x": x}, threads)["y"]
        assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())
    return expected


def scale(rng: np.random.Generator, shape: tuple[int, ...] = ()) -> np.ndarray:
    return rng.uniform(0.001, 0.05, shape).astype(np.float32)


def bytes_of(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype)


BYTES = st.sampled_from(["int8", "uint8"])


@st.composite
def windows(draw: st.DrawFn) -> tuple[tuple[Axis, ...], tuple[int, ...]]:
    axes, sizes = [], []
    for _ in range(draw(st.integers(1, 3))):
        k, s, d = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        axes.append(Axis(k, s, d, (draw(st.integers(0, 2)), draw(st.integers(0, 2)))))
        sizes.append(draw(st.integers(d * (k - 1) + 1, 8)))
    return tuple(axes), tuple(sizes)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(windows(), BYTES, BYTES, st.booleans(), st.booleans(), st.sampled_from([65025, 200000, 1 << 24]), st.data())
def test_convolutions(
    window: tuple, x_type: str, w_type: str, rescaled: bool, each: bool, exact: int, data: st.DataObject
) -> None:
    axes, sizes = window
    rng, groups = np.random.default_rng(data.draw(st.integers(0, 99))), data.draw(st.sampled_from([1, 1, 2, 3]))
    channels, filters = groups * data.draw(st.integers(1, 5)), groups * data.draw(st.integers(1, 3))
    x = bytes_of(rng, x_type, data.draw(st.integers(1, 2)), channels, *sizes)
    w = bytes_of(rng, w_type, filters, channels // groups, *(a.size for a in axes))
    n = (filters,) if each else ()
    zeros = bytes_of(rng, x_type), bytes_of(rng, w_type, *n)
    if rescaled:
        bias = (rng.integers(-9999, 9999, filters).astype(np.int32),) if data.draw(st.booleans()) else ()
        op: Operator = QLinearConv(axes, groups, "uint8")
        rest = scale(rng, (1,)), bytes_of(rng, "uint8")
        operands = (scale(rng), zeros[0], w, scale(rng, n), zeros[1], *rest, *bias)
    else:
        op, operands = ConvInteger(axes, groups), (w, *zeros[: data.draw(st.integers(0, 2))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integer, "EXACT", exact)
        same(*graph_of(op, x, *operands), x)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(BYTES, BYTES, st.booleans(), st.integers(1, 40), st.integers(1, 5), st.integers(0, 99))
def test_products(a_type: str, b_type: str, rescaled: bool, deep: int, wide: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = bytes_of(rng, a_type, 2, 3, deep), bytes_of(rng, b_type, deep, wide)
    zeros = bytes_of(rng, a_type), bytes_of(rng, b_type, *([wide] if seed % 2 else []))
    if rescaled:
        op: Operator = QLinearMatMul(dtype="int8")
        operands: Any = (scale(rng), zeros[0], b, scale(rng, zeros[1].shape), zeros[1], scale(rng), np.int8(-5))
    else:
        op, operands = MatMulInteger(), (b, *zeros[: seed % 3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integer, "EXACT", 65025 * (1 + seed % 7))
        same(*graph_of(op, a, *map(np.asarray, operands)), a)


def test_the_largest_sums_are_cut_where_float32_would_round() -> None:
    """2,000 products of 255 · 255 are an odd number beyond 2^24: one product after another in float32 loses its last bits."""
    x, w = np.full((1, 2000, 3), 255, np.uint8), np.full((1, 2000, 1), 255, np.uint8)
    w[0, 0] = 254
    graph, held = graph_of(ConvInteger((Axis(1),)), x, w)
    assert len(integer.stretches(w[:, :, 0].astype(np.float32), 255)) == 8
    assert same(graph, held, x)[0, 0].tolist() == [1999 * 255 * 255 + 254 * 255] * 3
    assert int(np.float32(1999 * 255 * 255 + 254 * 255)) != 1999 * 255 * 255 + 254 * 255


def test_sums_wrap_around_as_int32() -> None:
    x, w = np.full((1, 40000, 1), 255, np.uint8), np.full((2, 40000, 1), 255, np.uint8)
    graph, held = graph_of(ConvInteger((Axis(1),)), x, w)
    assert same(graph, held, x)[0, 0, 0] == 40000 * 255 * 255 - 2**32
    one, bias = np.float32(1e-7), np.array([2**31 - 1, -(2**31)], np.int32)
    operands = (one, np.uint8(0), w[:, :9], np.float32(1), np.uint8(0), one, np.uint8(0), bias)
    graph, held = graph_of(QLinearConv((Axis(1),)), x[:, :9], *map(np.asarray, operands))
    assert same(graph, held, x[:, :9])[0, :, 0].tolist() == [0, 0]


def test_halves_go_to_the_even_integer() -> None:
    """1, 3, 5, … halves, and what saturates."""
    x = np.arange(256, dtype=np.uint8).reshape(1, 1, 256)
    one = np.array(1, np.float32)
    operands = (one, np.uint8(0), np.ones((1, 1, 1), np.int8), one, np.int8(0), np.float32(2), np.int8(3))
    graph, held = graph_of(QLinearConv((Axis(1),), dtype="int8"), x, *map(np.asarray, operands))
    assert same(graph, held, x)[0, 0, [1, 3, 5, 7, 255]].tolist() == [3, 5, 5, 7, 127]


def test_weights_that_are_not_known_are_left_to_the_definition() -> None:
    x = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    kernel = Node("w", ConvInteger((Axis(1),)), ("x", "x"), "w", TensorType("int32", (1, 1, 1)))
    assert integer.integer_kernel(kernel, {"x": x.shape, "w": (1, 1, 1)}, {"x": "uint8"}, {}) is None


LAYERS: list[Any] = [
    {"conv": {"filters": 8, "kernel": 3, "pad": 1}},
    "relu",
    {"max_pool": {"kernel": 2}},
    {"conv": {"filters": 8, "kernel": 3, "stride": 2, "group": 4}},
    {"add": [[{"conv": {"filters": 8, "kernel": 1, "bias": False}}, "silu"], []]},
    "global_average_pool",
    "flatten",
    {"dense": 5},
]


@pytest.mark.parametrize("quantize", ["uint8", {"activations": "int8", "weights": "tensor"}], ids=str)
def test_pairs_around_layers_are_done_with_the_layer_before_them(quantize: Any) -> None:
    x = {"x": np.random.default_rng(1).standard_normal((2, 3, 10, 9)).astype(np.float32)}
    spec = {"inputs": {"x": "float32[N, 3, 10, 9]"}, "layers": LAYERS, "quantize": quantize}
    network = onnxconv.read(spec, calibrate=x)
    graph, weights = network.graph, network.weights
    found = planned(graph, weights, x, every_tensor=True)
    for node in graph.nodes:
        xs = [found.get(name, x.get(name)) for name in node.inputs]
        judged = compared(node, xs, {role: weights[p] for role, p in node.params}, found[node.output], DIRECT)
        assert judged.mismatches == 0, node
    plan = make_plan(graph, weights, {"x": x["x"].shape})
    (last,) = graph.outputs
    np.testing.assert_array_equal(planned(graph, weights, x)[last], found[last])
    first = next(step for step in plan.steps if any(".quantized" in name for name in step.nodes[1:]))
    assert first.nodes[-1].endswith(".dequantized")
    assert not any(isinstance(step.kernel, DefinedKernel) for step in plan.steps)


def test_quantising_alone_is_exact_at_the_ends() -> None:
    x = np.array([[[np.nan, np.inf, -np.inf, 0.5, 1.5, -0.5, 1e30, -1e30, 3.25]]] * 2, np.float32).reshape(1, 2, 9)
    operands = np.array([1, 0.25], np.float32), np.array([3, 200], np.uint8)
    graph, held = graph_of(QuantizeLinear(), x, *operands)
    expected = run(graph, held, {"x": x})["y"]
    np.testing.assert_array_equal(planned(graph, held, {"x": x})["y"], expected)
    assert expected[0, 0].tolist() == [0, 255, 0, 3, 5, 3, 255, 0, 6]
    back, held = graph_of(DequantizeLinear(), expected, *operands)
    expected_back = run(back, held, {"x": expected})["y"]
    np.testing.assert_array_equal(planned(back, held, {"x": expected})["y"], expected_back)
    assert expected_back[0, 1, 1] == 13.75
