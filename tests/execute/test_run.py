"""The executor: graphs run in slices as they do whole, with checked and reproducible inputs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from execute.single import node, weights_of

import onnxconv.execute.parts
from onnxconv.errors import UsageError
from onnxconv.execute import apply, beside, magnitude, run, seeded_inputs
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph, TensorType
from onnxconv.ops import (
    Add,
    AveragePool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAveragePool,
    LeakyRelu,
    MaxPool,
    Operator,
    PRelu,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
)

X = TensorType("float32", ("N", 2, 8, 8))
CONV = node("a", Conv((Axis(3, pad=(1, 1)),) * 2, 2), ("x",), X.shape)
RELU = node("b", Relu(), ("a",), X.shape)
ADD = node("c", Add(), ("b", "x"), X.shape, X.shape)
GRAPH = Graph("small", (("x", X),), (CONV, RELU, ADD), ("c",))
WEIGHTS = {param: weights_of(CONV)[role] for role, param in CONV.params}

SLICED: tuple[tuple[Operator, tuple[tuple[int, ...], ...]], ...] = (
    (Conv((Axis(3, 2, 2, (3, 1)), Axis(2, 1, 1, (0, 1))), 6), ((2, 4, 17, 6),)),
    (Conv((Axis(3, pad=(1, 1)),), 12, 6), ((1, 6, 31),)),
    (Conv((Axis(3, 5, pad=(6, 9)),), 3, 3), ((1, 3, 11),)),
    (Conv((Axis(2),) * 3, 4, 2), ((3, 4, 5, 4, 3),)),
    (ConvTranspose((TransposedAxis(3, 2, 1, (1, 0), 1), TransposedAxis(2)), 6, 2), ((2, 4, 9, 6),)),
    (ConvTranspose((TransposedAxis(2, 5, 1, (0, 1), 3),), 5), ((1, 3, 7),)),
    (ConvTranspose((TransposedAxis(4, 3, 2, (2, 3)),), 5, bias=False), ((1, 3, 9),)),
    (Dense(11), ((3, 40),)),
    (AveragePool((Axis(3, 2, 1, (1, 1)), Axis(2)), False), ((1, 3, 15, 6),)),
    (AveragePool((Axis(3, 2, 1, (1, 1)), Axis(2)), True), ((1, 3, 15, 6),)),
    (GlobalAveragePool(), ((2, 5, 7, 6),)),
    (LeakyRelu(0.1), ((2, 3, 9),)),
    (PRelu(), ((1, 5, 9, 2),)),
    (PRelu(True), ((1, 5, 9, 2),)),
    (Sigmoid(), ((1, 3, 9, 2),)),
    (Silu(), ((5, 6),)),
    (Softmax(0), ((4, 3, 5),)),
    (Softmax(1), ((4, 3, 5),)),
    (Softmax(2), ((2, 3, 5, 4),)),
    (BatchNorm(), ((2, 7, 6, 5),)),
    (Add(), ((2, 3, 4), (2, 3, 4))),
    (Add(), ((1, 3, 1, 5), (1, 3, 8, 1), (1, 1, 8, 5))),
    (MaxPool((Axis(3, 2, 1, (1, 1)),)), ((2, 3, 9),)),
    (Concat(0), ((2, 3), (1, 3))),
    (Clip(-0.1, None), ((2, 3),)),
)


@pytest.mark.parametrize(("op", "shapes"), SLICED, ids=lambda v: "" if isinstance(v, tuple) else type(v).__name__)
@pytest.mark.parametrize("limit", [0, 300, 3000])
def test_slices_make_the_whole(
    op: Operator, shapes: tuple[tuple[int, ...], ...], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    xs = [rng.standard_normal(shape) for shape in shapes]
    there = node("y", op, tuple(f"x{i}" for i in range(len(xs))), *shapes, dtype="float64")
    w = weights_of(there)
    monkeypatch.setattr(onnxconv.execute.parts, "WORKING_BYTES", limit)
    np.testing.assert_allclose(apply(there, xs, w), op.define(*xs, **w), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(magnitude(there, xs, w), op.magnitude(*xs, **w), rtol=1e-13)


def test_every_part_stays_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch, a group, a filter or a row is cut off until the rest fits."""
    seen: list[int] = []
    define = Conv.define

    def watched(self: Conv, *xs: np.ndarray, **w: np.ndarray) -> np.ndarray:
        y = define(self, *xs, **w)
        seen.append(onnxconv.execute.parts.Part(self, xs, w, y).working_bytes(8))
        return y

    monkeypatch.setattr(onnxconv.execute.parts, "WORKING_BYTES", 20_000)
    monkeypatch.setattr(Conv, "define", watched)
    for op, shape in (
        (Conv((Axis(3, pad=(1, 1)),) * 2, 8), (2, 3, 30, 10)),
        (Conv((Axis(1),) * 2, 64), (1, 64, 3, 3)),
        (Conv((Axis(9, pad=(4, 4)),), 32, 8), (1, 32, 12)),
    ):
        there = node("y", op, ("x",), shape)
        apply(there, [np.ones(shape)], weights_of(there))
    assert len(seen) > 20
    assert max(seen) <= 20_000


def test_a_graph_by_hand() -> None:
    x = np.random.default_rng(0).standard_normal((3, 2, 8, 8)).astype(np.float32)
    a = apply(CONV, [x], {role: WEIGHTS[param] for role, param in CONV.params}).astype(np.float32)
    found = run(GRAPH, WEIGHTS, {"x": x}, every_tensor=True)
    assert list(found) == ["a", "b", "c"]
    np.testing.assert_array_equal(found["a"], a)
    np.testing.assert_array_equal(found["b"], np.maximum(a, 0))
    np.testing.assert_array_equal(found["c"], (np.maximum(a, 0).astype(np.float64) + x).astype(np.float32))
    assert list(run(GRAPH, WEIGHTS, {"x": x})) == ["c"]
    np.testing.assert_array_equal(run(GRAPH, WEIGHTS, {"x": x})["c"], found["c"])


@pytest.mark.parametrize("arithmetic", ["float16", "float32", "float64"])
def test_the_asked_arithmetic_is_used(arithmetic: str) -> None:
    x = np.full((1, 2, 8, 8), 1 / 3, np.float32)
    w = {role: WEIGHTS[param] for role, param in CONV.params}
    y = apply(CONV, [x], w, arithmetic)
    assert y.dtype == arithmetic
    assert run(GRAPH, WEIGHTS, {"x": x}, arithmetic=arithmetic)["c"].dtype == np.float32
    if arithmetic != "float64":
        assert np.abs(y - apply(CONV, [x], w)).max() > 0


def test_each_tensor_is_rounded_to_its_own_type() -> None:
    x = TensorType("float16", (1, 4))
    half = Graph("half", (("x", x),), (node("y", Softmax(1), ("x",), x.shape, dtype="float16"),), ("y",))
    given = np.array([[0, 1, 2, 3]], np.float16)
    expected = np.exp(given.astype(np.float64)) / np.exp(given.astype(np.float64)).sum()
    found = run(half, {}, {"x": given})["y"]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, expected.astype(np.float16))


def test_an_output_may_be_an_input_or_read_by_others() -> None:
    graph = replace(GRAPH, outputs=("x", "b", "c"))
    x = np.ones((1, 2, 8, 8), np.float32)
    assert list(run(graph, WEIGHTS, {"x": x})) == ["x", "b", "c"]


def test_tensors_are_freed_after_their_last_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of 40 layers on 1 MiB never holds more than a few of them."""
    import tracemalloc

    x = TensorType("float32", (1, 1, 1 << 18))
    nodes, last = [], "x"
    for i in range(40):
        nodes.append(node(f"n{i}", LeakyRelu(0.5), (last,), x.shape))
        last = f"n{i}"
    graph = Graph("chain", (("x", x),), tuple(nodes), (last,))
    array = np.ones((1, 1, 1 << 18), np.float32)
    monkeypatch.setattr(onnxconv.execute.parts, "WORKING_BYTES", 1 << 20)
    tracemalloc.start()
    run(graph, {}, {"x": array})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 << 20


MEMORY = """
import resource
import numpy as np
from onnxconv.execute import WORKING_BYTES, run
from onnxconv.geometry import Axis
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.ops import Conv, Relu

shape = (1, 3, {side}, {side})
op = Conv((Axis(3, pad=(1, 1)),) * 2, 64)
params = tuple((r, Param(r, "float32", s, Initial(r, s))) for r, s in op.weight_shapes(shape).items())
y = TensorType("float32", op.out_shape(shape))
graph = Graph("big", (("x", TensorType("float32", shape)),), (Node("y", op, ("x",), "y", y, params),), ("y",))
weights = {{param: np.ones(param.shape, np.float32) for _, param in params}}
x = np.ones(shape, np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out = run(graph, weights, {{"x": x}})["y"]
used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
assert float(out[0, 0, 5, 5]) == 28 and float(out[0, 63, -1, -1]) == 13
print(used - out.nbytes - WORKING_BYTES)
"""


@pytest.mark.parametrize("side", [768, pytest.param(2048, marks=pytest.mark.slow)])
def test_a_big_convolution_takes_its_output_and_the_working_bytes(side: int) -> None:
    """64 channels of 3×3 on side² pixels: the output alone is 151 MB (1 GiB for 2048); as float64 arrays it would be 4 times that."""
    program = MEMORY.format(side=side)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 24 << 20  # the interpreter's and the matrix library's own buffers


@pytest.mark.parametrize(
    ("inputs", "codes"),
    [
        ({}, ["missing-input"]),
        ({"z": np.ones((1, 2, 8, 8), np.float32)}, ["unknown-input", "missing-input"]),
        ({"x": np.ones((1, 2, 8, 8))}, ["input-dtype"]),
        ({"x": np.ones((1, 2, 8, 9), np.float32)}, ["input-shape"]),
        ({"x": np.ones((1, 3, 9, 8), np.float16)}, ["input-shape", "input-shape", "input-dtype"]),
        ({"x": np.ones((2, 8, 8), np.float32)}, ["input-shape"]),
        ({"x": np.ones((0, 2, 8, 8), np.float32)}, ["input-shape"]),
    ],
)
def test_wrong_inputs_are_all_said(inputs: dict[str, np.ndarray], codes: list[str]) -> None:
    with pytest.raises(UsageError) as found:
        run(GRAPH, WEIGHTS, inputs)
    assert [d.code for d in found.value.diagnostics] == codes
    assert all(d.what and d.fix for d in found.value.diagnostics)


def test_one_symbol_has_one_value() -> None:
    graph = Graph("two", (("x", X), ("z", X)), (node("y", Add(), ("x", "z"), X.shape, X.shape),), ("y",))
    ones = np.ones((2, 2, 8, 8), np.float32)
    with pytest.raises(UsageError, match="N is 2"):
        run(graph, {}, {"x": ones, "z": ones[:1]})
    assert {a.shape for a in seeded_inputs(graph, shapes={"z": (5, 2, 8, 8)}).values()} == {(5, 2, 8, 8)}


def test_an_input_too_small_for_a_window_is_the_users_mistake() -> None:
    x = TensorType("float32", (1, 1, "L"))
    graph = Graph("audio", (("x", x),), (node("y", Conv((Axis(9),), 1), ("x",), x.shape),), ("y",))
    weights = {param: weights_of(graph.nodes[0])[role] for role, param in graph.nodes[0].params}
    with pytest.raises(UsageError, match="does not fit into 5 pixels"):
        run(graph, weights, {"x": np.ones((1, 1, 5), np.float32)})
    assert run(graph, weights, {"x": np.ones((1, 1, 9), np.float32)})["y"].shape == (1, 1, 1)
    with pytest.raises(UsageError, match="--input-shape x=1,1,64") as found:
        seeded_inputs(graph)
    assert found.value.diagnostics[0].code == "symbolic-input"
    assert seeded_inputs(graph, shapes={"x": (1, 1, 20)})["x"].shape == (1, 1, 20)


def test_seeded_inputs_are_the_same_everywhere() -> None:
    array = seeded_inputs(GRAPH)["x"]
    assert (array.shape, array.dtype) == ((1, 2, 8, 8), np.float32)
    assert hashlib.sha256(array.tobytes()).hexdigest()[:16] == "904f68170de637bc"
    np.testing.assert_array_equal(array, seeded_inputs(GRAPH, 0)["x"])
    assert (array != seeded_inputs(GRAPH, 1)["x"]).any()
    assert abs(float(array.mean())) < 0.3
    assert 0.8 < float(array.std()) < 1.2


def test_flatten_then_dense() -> None:
    x = TensorType("float32", ("N", 2, 3))
    flat = node("flat", Flatten(), ("x",), x.shape)
    dense = node("y", Dense(2), ("flat",), flat.type.shape)
    w = {dense.params[0][1]: np.eye(2, 6, dtype=np.float32), dense.params[1][1]: np.array([1, 2], np.float32)}
    graph = Graph("dense", (("x", x),), (flat, dense), ("y",))
    np.testing.assert_array_equal(run(graph, w, {"x": np.arange(6, dtype=np.float32).reshape(1, 2, 3)})["y"], [[1, 3]])


@pytest.mark.parametrize("limit", [0, 3000, 1 << 24])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op", "shapes"), SLICED[:9], ids=lambda v: "" if isinstance(v, tuple) else type(v).__name__)
def test_pieces_with_their_magnitudes(
    op: Operator, shapes: tuple[tuple[int, ...], ...], dtype: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each element once, where it is said to be; magnitudes that are summed in float32 are not below the exact ones."""
    rng = np.random.default_rng(1)
    xs = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    there = node("y", op, ("x",), *shapes, dtype=dtype)
    w = weights_of(there)
    expected, size = apply(there, xs, w), magnitude(there, xs, w)
    monkeypatch.setattr(onnxconv.execute.parts, "WORKING_BYTES", limit)
    found, sizes, times = np.zeros_like(expected), np.zeros_like(expected), np.zeros(expected.shape)
    for start, (y, s) in beside(there, xs, w, expected.astype(dtype), lambda _, y, s: (y, s)):
        place = tuple(slice(a, a + n) for a, n in zip(start or (0,) * y.ndim, y.shape, strict=True))
        found[place], sizes[place] = y, s
        times[place] += 1
    assert (times == 1).all()
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
    assert (sizes >= size * (1 - 1e-14)).all()
    assert (sizes <= size * (1 + (1e-4 if dtype == "float32" else 1e-14))).all()
