"""The planned executor against the definition: within the derived bound, bit for bit where sums are exact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from unittest.mock import patch

import numpy as np
import pytest
from execute.single import node, weights_of
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxconv.dtypes import rounded
from onnxconv.errors import UsageError
from onnxconv.execute import run
from onnxconv.execute.fast import Program, make_plan
from onnxconv.execute.fast.crew import Alone
from onnxconv.geometry import Axis, Sampling, TransposedAxis
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import (
    Add,
    AveragePool,
    BatchNorm,
    ChannelShuffle,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Flatten,
    Gelu,
    HardSwish,
    Identity,
    MaxPool,
    Mul,
    Neg,
    Operator,
    Relu,
    Rescale,
    Resize,
    Sigmoid,
    Silu,
    Tanh,
)
from onnxconv.verify.arithmetic import DIRECT
from onnxconv.verify.judge import compared

DTYPES = ("float32", "float64", "float16")


def planned(graph: Graph, w: Mapping, inputs: dict[str, np.ndarray], threads: int = 1, **options: bool) -> dict:
    """The outputs; and those of a later run, by a crew whose memory stays the same, for which all that can be was kept."""
    plan = make_plan(graph, w, {name: array.shape for name, array in inputs.items()}, **options)
    found = Program(plan, threads).run(inputs)
    with patch.object(Alone, "apart", True):
        program = Program(plan, threads)
        program.run({name: np.zeros_like(array) for name, array in inputs.items()})
        later = program.run(inputs)
    assert {name: array.tobytes() for name, array in later.items()} == {
        n: array.tobytes() for n, array in found.items()
    }
    return found


def alone(op: Operator, shape: tuple[int, ...], dtype: str = "float32") -> tuple[Graph, Node]:
    there = node("y", op, ("x",), shape, dtype=dtype)
    return Graph("one", (("x", TensorType(dtype, shape)),), (there,), ("y",)), there


@st.composite
def convs(draw: st.DrawFn) -> tuple[Operator, tuple[int, ...]]:
    """A convolution or a transposed one of any rank, with an input that it fits."""
    rank, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
    channels, filters = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    axes, sizes = [], []
    for _ in range(rank):
        k, s, d = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        pad = (draw(st.integers(0, 3)), draw(st.integers(0, 3)))
        axes.append((k, s, d, pad))
        sizes.append(draw(st.integers(d * (k - 1) + 1, 9)))
    shape = (draw(st.integers(1, 2)), channels, *sizes)
    if draw(st.booleans()):
        return Conv(tuple(Axis(*a) for a in axes), filters, groups, draw(st.booleans())), shape
    window = tuple(
        TransposedAxis(k, s, d, (min(p[0], d * (k - 1)), 0), min(p[1], max(s, d) - 1)) for k, s, d, p in axes
    )
    return ConvTranspose(window, filters, groups, draw(st.booleans())), shape


@st.composite
def pools(draw: st.DrawFn) -> tuple[Operator, tuple[int, ...]]:
    axes, sizes = [], []
    for _ in range(draw(st.integers(1, 3))):
        k, s, d = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        extent = d * (k - 1) + 1
        axes.append(Axis(k, s, d, (draw(st.integers(0, extent - 1)), draw(st.integers(0, extent - 1)))))
        sizes.append(draw(st.integers(max(2, extent), 9)))
    window = tuple(axes)
    op = draw(st.sampled_from([MaxPool(window), AveragePool(window), AveragePool(window, True)]))
    return op, (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *sizes)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.one_of(convs(), pools()), st.sampled_from(DTYPES), st.integers(0, 99))
def test_windows_stay_within_the_bound(layer: tuple, dtype: str, seed: int) -> None:
    op, shape = layer
    graph, there = alone(op, shape, dtype)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(dtype)
    w = {p: rng.standard_normal(p.shape).astype(dtype) for p in graph.params()}
    y = planned(graph, w, {"x": x})["y"]
    found = compared(there, [x], {role: w[p] for role, p in there.params}, y, DIRECT)
    assert (found.elements, found.mismatches) == (y.size, 0), found


@settings(max_examples=80, deadline=None, derandomize=True)
@given(convs(), st.sampled_from(DTYPES[:2]), st.integers(0, 99))
def test_integers_are_exact(layer: tuple, dtype: str, seed: int) -> None:
    op, shape = layer
    graph, _ = alone(op, shape, dtype)
    rng = np.random.default_rng(seed)
    x = rng.integers(-200, 201, shape).astype(dtype)
    w = {p: rng.integers(-99, 100, p.shape).astype(dtype) for p in graph.params()}
    expected = run(graph, w, {"x": x})["y"]
    for threads in (1, 2):
        assert planned(graph, w, {"x": x}, threads)["y"].tobytes() == (expected + 0.0).tobytes()


@pytest.mark.parametrize(
    ("k", "s", "d", "pad"), [(2, 2, 1, (1, 1)), (2, 2, 1, (1, 0)), (3, 3, 1, (1, 1)), (3, 2, 1, (2, 2))]
)
@pytest.mark.parametrize("groups", [1, 2])
def test_phases_of_one_tap_read_part_of_the_input(k: int, s: int, d: int, pad: tuple[int, int], groups: int) -> None:
    """Its rows lie apart, and are columns nevertheless."""
    op = ConvTranspose((TransposedAxis(k, s, d, pad),) * 2, 8, groups)
    graph, _ = alone(op, (2, 4, 11, 9))
    w, inputs = whole_numbers(graph)
    np.testing.assert_array_equal(planned(graph, w, inputs)["y"], run(graph, w, inputs)["y"])


def chain(*layers: tuple[str, Operator, tuple[str, ...]], shape: tuple[int, ...], outputs: tuple[str, ...]) -> Graph:
    shapes, nodes = {"x": shape}, []
    for name, op, inputs in layers:
        nodes.append(node(name, op, inputs, *(shapes[i] for i in inputs)))
        shapes[name] = nodes[-1].type.shape
    return Graph("chain", (("x", TensorType("float32", shape)),), tuple(nodes), outputs)


SAME = (Axis(3, pad=(1, 1)),) * 2
BLOCK = chain(
    ("c1", Conv(SAME, 4, bias=False), ("x",)),
    ("n1", BatchNorm(0.0), ("c1",)),
    ("r1", Clip(0.0, 600.0), ("n1",)),
    ("c2", Conv(SAME, 4), ("r1",)),
    ("n2", BatchNorm(0.0), ("c2",)),
    (
        "sum",
        Add(),
        ("n2", "x"),
    ),
    ("r2", Relu(), ("sum",)),
    ("n3", BatchNorm(0.0), ("r2",)),
    ("same", Identity(), ("n3",)),
    ("flat", Flatten(), ("same",)),
    shape=(2, 4, 9, 7),
    outputs=("flat", "r1"),
)


def whole_numbers(graph: Graph, seed: int = 0) -> tuple[dict, dict[str, np.ndarray]]:
    """Small integers, and variances of 1 or 4, so that nothing is rounded."""
    rng = np.random.default_rng(seed)
    w = {p: rng.integers(-3, 4, p.shape).astype(p.dtype) for p in graph.params()}
    w |= {p: rng.choice([1.0, 4.0], p.shape).astype(p.dtype) for p in w if p.name.endswith("running_var")}
    return w, {name: rng.integers(-9, 10, t.shape).astype(t.dtype) for name, t in graph.inputs}


@pytest.mark.parametrize("every_tensor", [False, True])
def test_layers_computed_together_are_exact(every_tensor: bool) -> None:
    w, inputs = whole_numbers(BLOCK)
    expected = run(BLOCK, w, inputs, every_tensor=every_tensor)
    found = planned(BLOCK, w, inputs, every_tensor=every_tensor)
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert np.abs(expected["flat"]).max() > 100


def test_what_follows_a_convolution_is_done_with_it() -> None:
    plan = make_plan(BLOCK, whole_numbers(BLOCK)[0], {"x": (2, 4, 9, 7)})
    assert [step.nodes for step in plan.steps] == [("c1", "n1", "r1"), ("c2", "n2", "sum", "r2", "n3")]


@pytest.mark.parametrize("batch", [1, 2])
def test_concatenations_are_made_in_place(batch: int) -> None:
    graph = chain(
        ("a", Conv(SAME, 3), ("x",)),
        ("b", Conv(SAME, 2), ("a",)),
        ("ab", Concat(1), ("a", "b")),
        ("c", Silu(), ("ab",)),
        ("abc", Concat(1), ("ab", "c")),
        ("twice", Concat(1), ("x", "abc", "x", "x")),
        ("y", Mul(), ("twice", "twice")),
        shape=(batch, 2, 6, 5),
        outputs=("y", "abc", "b"),
    )
    rng = np.random.default_rng(0)
    w = {p: rng.standard_normal(p.shape).astype(p.dtype) for p in graph.params()}
    inputs = {"x": rng.standard_normal((batch, 2, 6, 5)).astype("float32")}
    expected, found = run(graph, w, inputs), planned(graph, w, inputs)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5, err_msg=name)
    steps = [name for step in make_plan(graph, w, {"x": inputs["x"].shape}).steps for name in step.nodes]
    assert ("ab" in steps) == (batch > 1)


def test_a_program_runs_many_times_and_hands_out_its_own_arrays() -> None:
    w, inputs = whole_numbers(BLOCK)
    program = Program(make_plan(BLOCK, w, {"x": (2, 4, 9, 7)}), 2)
    first = program.run(inputs)
    kept = {name: array.copy() for name, array in first.items()}
    program.run({"x": inputs["x"] + 1})
    for name, array in program.run(inputs).items():
        assert array.tobytes() == kept[name].tobytes() == first[name].tobytes()
        assert not np.shares_memory(array, first[name])


@pytest.mark.parametrize(
    ("groups", "shape"),
    [(2, (1, 116, 28, 28)), (3, (2, 6, 5)), (4, (1, 4, 3, 2, 2)), (1, (1, 3, 4)), (8, (2, 512, 40))],
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_shuffles_move_every_channel(groups: int, shape: tuple[int, ...], dtype: str) -> None:
    """Alone, and with what follows them done on the way."""
    x = (np.arange(math.prod(shape)) % 127).reshape(shape).astype(dtype)
    order = [i * (shape[1] // groups) + j for j in range(shape[1] // groups) for i in range(groups)]
    graph, _ = alone(ChannelShuffle(groups), shape, dtype)
    for threads in (1, 2):
        np.testing.assert_array_equal(planned(graph, {}, {"x": x}, threads)["y"], x[:, order])
    followed = chain(("s", ChannelShuffle(groups), ("x",)), ("r", Neg(), ("s",)), shape=shape, outputs=("r",))
    x = x.astype("float32")
    np.testing.assert_array_equal(planned(followed, {}, {"x": x})["r"], -x[:, order])
    assert len(make_plan(followed, {}, {"x": shape}).steps) == 1


RESIZES = (
    (Resize((Rescale(2, (2, 1)), Rescale(3, (3, 1))), Sampling("linear")), (2, 3, 5, 7)),
    (Resize((Rescale(2, None, 61),), Sampling("linear"), "align_corners"), (1, 2, 23)),
    (Resize((Rescale(2, (2, 1)), Rescale(3, None, 100)), Sampling("cubic"), "asymmetric"), (1, 2, 9, 40)),
    (Resize((Rescale(2, (1, 2)), Rescale(4, (1, 3))), Sampling("linear", antialias=True)), (1, 2, 11, 3, 12)),
    (Resize((Rescale(2, (2, 1)), Rescale(3, (2, 1)))), (1, 2, 5, 7)),
)


@pytest.mark.parametrize(("op", "shape"), RESIZES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_resizes_stay_within_the_bound(op: Operator, shape: tuple[int, ...], dtype: str) -> None:
    graph, there = alone(op, shape, dtype)
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    found = compared(there, [x], {}, planned(graph, {}, {"x": x})["y"], DIRECT)
    assert found.elements > 0
    assert found.mismatches == 0, found
    x[0, 1, 2] = np.inf
    with np.errstate(invalid="ignore"):
        expected = run(graph, {}, {"x": x})["y"]
    np.testing.assert_array_equal(np.isfinite(planned(graph, {}, {"x": x})["y"]), np.isfinite(expected))


def test_taps_that_read_nothing_but_padding_are_left_out() -> None:
    wide = Conv((Axis(3, 1, 36, (36, 36)), Axis(5, 1, 4, (8, 8))), 4)
    graph, _ = alone(wide, (1, 3, 9, 7))
    w, inputs = whole_numbers(graph)
    plan = make_plan(graph, w, {"x": (1, 3, 9, 7)})
    assert [axis.size for axis in plan.steps[0].kernel.blocks[0].columns.window] == [1, 3]
    np.testing.assert_array_equal(planned(graph, w, inputs)["y"], run(graph, w, inputs)["y"])


CURVES = (Gelu(), Gelu(approximate="tanh"), Silu(), Sigmoid(), HardSwish(), Tanh())


@pytest.mark.parametrize("op", CURVES, ids=lambda op: op.kind)
def test_curves_keep_their_bounds(op: Operator) -> None:
    graph, there = alone(op, (1, 2, 40000))
    x = np.concatenate([np.linspace(-12, 12, 79000), np.logspace(-40, 1, 500), -np.logspace(-40, 1, 500)])
    x = x.astype(np.float32).reshape(1, 2, 40000)
    x[0, 0, :4] = -200, -89, 89, 200
    found = compared(there, [x], {}, planned(graph, {}, {"x": x})["y"], DIRECT)
    assert (found.elements, found.mismatches) == (80000, 0), found


def test_gelu_at_the_ends() -> None:
    ends = np.array([[[np.nan, np.inf, -np.inf]]], np.float32)
    np.testing.assert_array_equal(
        planned(alone(Gelu(), (1, 1, 3))[0], {}, {"x": ends})["y"], [[[np.nan, np.inf, np.nan]]]
    )


def test_what_is_not_finite_goes_where_it_is_seen() -> None:
    graph, _ = alone(Conv((Axis(3, pad=(1, 1)),), 1, bias=False), (1, 1, 9))
    x = np.ones((1, 1, 9), np.float32)
    x[0, 0, 4] = np.inf
    y = planned(graph, {p: np.ones(p.shape, np.float32) for p in graph.params()}, {"x": x})["y"][0, 0]
    assert np.isinf(y).tolist() == [False] * 3 + [True] * 3 + [False] * 3
    relu, _ = alone(Relu(), (1, 2, 3))
    x = np.array([[[np.nan, -np.inf, np.inf], [-1, 0, 2]]], np.float32)
    np.testing.assert_array_equal(planned(relu, {}, {"x": x})["y"], [[[np.nan, 0, np.inf], [0, 0, 2]]])


def test_wrong_inputs_are_refused() -> None:
    graph, there = alone(Conv((Axis(9),), 1), (1, 1, "L"))
    w = {p: weights_of(there)[role] for role, p in there.params}
    with pytest.raises(UsageError, match="does not fit into 5 pixels"):
        make_plan(graph, w, {"x": (1, 1, 5)})
    program = Program(make_plan(graph, w, {"x": (1, 1, 9)}))
    with pytest.raises(UsageError, match="float64"):
        program.run({"x": np.ones((1, 1, 9))})
    with pytest.raises(UsageError, match="planned for"):
        program.run({"x": np.ones((1, 1, 10), np.float32)})


def test_half_precision_is_rounded_once_a_chain() -> None:
    graph, _ = alone(Sigmoid(), (1, 4, 50), "float16")
    x = np.linspace(-9, 9, 200).reshape(1, 4, 50).astype("float16")
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    found = planned(graph, {}, {"x": x})["y"]
    assert found.dtype == np.float16
    assert (found == rounded(exact, "float16")).mean() > 0.99
