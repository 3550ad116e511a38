"""The derived tolerance of a whole network: float32 in any order of sums stays within it, whatever is folded and fused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnxruntime
import pytest
from embed.float32 import Array, F, evaluated, in_order
from embed.nets import NETS

import onnxconv
from onnxconv.embed import tolerance
from onnxconv.embed.tolerance import LIMIT, carried, tolerances
from onnxconv.embed.worst import derived
from onnxconv.emit import to_bytes
from onnxconv.execute import run, seeded_inputs
from onnxconv.graph import Graph
from onnxconv.verify.sizes import pinned
from onnxconv.weights import Weights, given


def sized(net: str | dict[str, Any], seed: int) -> tuple[Graph, Weights, dict[str, Array], dict[str, Array]]:
    network = onnxconv.read(NETS[net] if isinstance(net, str) else net, seed=seed)
    graph = pinned(network.graph, 2)
    inputs = seeded_inputs(graph, seed)
    return graph, network.weights, inputs, run(graph, network.weights, inputs)


@pytest.mark.parametrize("net", NETS)
def test_float32_in_any_order_stays_within_the_bound_and_near_it(net: str) -> None:
    graph, weights, inputs, expected = sized(net, 3)
    (limit,) = derived(graph, weights, inputs, expected).values()
    (exact,) = expected.values()
    draw, worst = np.random.default_rng(0), 0.0
    for order, fused, fold in itertools.product(("shuffled", "rising"), (False, True), (False, True)):
        (got,) = evaluated(graph, weights, inputs, in_order(order, draw, fused), fold).values()
        off = float(np.abs(got.astype(float) - exact).max())
        assert 0 < off <= limit
        worst = max(worst, off)
    assert worst > limit / 200, "the bound says something"


GATED: list[Any] = [
    {"conv": {"filters": 6, "kernel": 1}, "name": "a"},
    {"mul": ["previous", [{"conv": {"filters": 6, "kernel": 3, "pad": "same"}}, "sigmoid"]]},
]
CLASSIFIED: list[Any] = [{"conv": {"filters": 5, "kernel": 3}}, "tanh", "flatten", {"dense": 4}, "softmax"]
OVERLAPPING: list[Any] = [
    {"pad": [[1, 0], [0, 2]]},
    {"conv_transpose": {"filters": 4, "kernel": 3, "stride": 2, "pad": 1}},
    {"average_pool": {"kernel": 3, "stride": 2, "pad": 1}},
    "batch_norm",
]
SHALLOW: dict[str, list[Any]] = {
    "normalised": [{"conv": {"filters": 6, "kernel": 3}}, {"group_norm": 2}, "gelu"],
    "silu": [{"conv": {"filters": 6, "kernel": 3}}, "batch_norm", "silu", "global_average_pool"],
    "curves": [{"conv": {"filters": 6, "kernel": 3}}, "hard_swish", {"conv": {"filters": 2, "kernel": 1}}, "softplus"],
    "gated": GATED,
    "classified": CLASSIFIED,
    "overlapping": OVERLAPPING,
}


@pytest.mark.parametrize("name", SHALLOW)
def test_another_runtime_stays_within_the_bound(name: str) -> None:
    graph, weights, inputs, expected = sized({"inputs": {"x": "float32[2, 4, 9, 8]"}, "layers": SHALLOW[name]}, 5)
    (limit,) = derived(graph, weights, inputs, expected).values()
    session = onnxruntime.InferenceSession(to_bytes(graph, weights), providers=["CPUExecutionProvider"])
    (y,), (got,) = expected.values(), session.run(None, inputs)
    assert np.abs(got.astype(float) - y).max() <= limit < 0.01 * np.ptp(y)


COUNT = 64
STEP = 2.0**-24 * (1 + 2.0**-10)
"""Added to 1 in float32 it is rounded up to 2^-23, by nearly 2^-24: as far as an addition may be off."""


def added_up(spec: dict[str, Any], kernels: dict[str, Array], inputs: dict[str, Array]) -> tuple[float, float]:
    """What float32 gives that adds channel after channel, to `z` if there is one, and how far it may be off."""
    network = onnxconv.read(spec)
    arrays = {p.name: np.full(p.shape, F(p.name.endswith(("var", "norm.weight")))) for p in network.graph.params()}
    arrays |= {name: a.astype(F).reshape(arrays[name].shape) for name, a in kernels.items()}
    graph, weights = network.graph, given(arrays)
    given_ = {name: inputs[name].astype(F).reshape([int(n) for n in type.shape]) for name, type in graph.inputs}
    acc = values = given_["x"].reshape(-1)
    for kernel in kernels.values():
        acc = given_["z"].reshape(-1) if "z" in given_ else np.zeros(len(kernel), F)
        for c, x in enumerate(values):
            acc = acc + x * kernel[:, c].astype(F)
        values = acc
    expected = run(graph, weights, given_)
    (limit,) = derived(graph, weights, given_, expected).values()
    return float(acc[0]), limit


def test_the_bound_is_as_small_as_the_worst_order_allows_layer_after_layer() -> None:
    x = np.array([1.0] + [STEP] * (COUNT - 1))
    for depth in (1, 2, 3):
        layers = [{"conv": {"filters": COUNT, "kernel": 1}, "name": f"c{n}"} for n in range(depth)]
        kernel = np.eye(COUNT)
        kernel[0] = 1  # the first filter adds up all, the others hand on one channel each
        kernels = {f"c{n}.weight": kernel for n in range(depth)}
        got, limit = added_up({"inputs": {"x": f"float32[1, {COUNT}, 1]"}, "layers": layers}, kernels, {"x": x})
        exact = 1 + depth * (COUNT - 1) * float(F(STEP))
        assert 0.9 * limit < got - exact <= limit


def test_an_addition_may_be_the_beginning_of_the_sum_before_it() -> None:
    layers: list[Any] = [{"conv": {"filters": 1, "kernel": 1}, "name": "c", "from": "x"}, {"add": ["c", "z"]}]
    spec = {"inputs": {"x": f"float32[1, {COUNT}, 1]", "z": "float32[1, 1, 1]"}, "layers": layers}
    inputs = {"x": np.full(COUNT, STEP), "z": np.ones(1)}
    got, limit = added_up(spec, {"c.weight": np.ones((1, COUNT))}, inputs)
    assert 0.9 * limit < got - (1 + COUNT * float(F(STEP))) <= limit


BEHIND: dict[str, list[Any]] = {
    "factor": [{"mul": ["previous", "factor"]}],
    "pad": [{"pad": [[2, 1]]}],
    "sum": [{"add": ["previous", "factor"]}],
    "join": [{"concat": ["previous", "factor"]}],
    "norm": ["batch_norm"],
    "mean": [{"average_pool": 1}],
}


@pytest.mark.parametrize("name", BEHIND)
def test_an_error_goes_through_what_is_behind_an_activation(name: str) -> None:
    layers: list[Any] = [{"conv": {"filters": 1, "kernel": 1}, "name": "c", "from": "x"}, "relu", *BEHIND[name]]
    spec = {"inputs": {"x": f"float32[1, {COUNT}, 1]", "factor": "float32[1, 1, 1]"}, "layers": layers}
    inputs = {"x": np.array([1.0] + [STEP] * (COUNT - 1)), "factor": np.ones(1)}
    got, limit = added_up(spec, {"c.weight": np.ones((1, COUNT))}, inputs)
    assert 0.5 * limit < got - (1 + (COUNT - 1) * float(F(STEP))) <= limit


def test_what_is_expected_of_another_network_is_as_far_as_that() -> None:
    graph, weights, inputs, expected = sized("causal", 3)
    (limit,), (other,) = (
        derived(graph, weights, inputs, {n: y + F(shift) for n, y in expected.items()}).values() for shift in (0, 8)
    )
    assert 8 < other < 8 + 2 * limit


def test_a_network_that_only_moves_values_leaves_no_room() -> None:
    graph, weights, inputs, expected = sized(
        {"inputs": {"x": "float32[2, 3, 8, 8]"}, "layers": ["relu", {"max_pool": 2}]}, 0
    )
    assert set(derived(graph, weights, inputs, expected).values()) == {0.0}
    (found,) = tolerances(graph, weights, inputs, expected, "direct").values()
    assert (found.value, found.basis) == (0.0, "derived")


def test_what_is_derived_is_taken_up_to_a_share_of_the_range() -> None:
    for net in NETS:
        graph, weights, inputs, expected = sized(net, 2)
        (y,) = expected.values()
        (found,) = tolerances(graph, weights, inputs, expected, "direct").values()
        assert found.basis == "derived"
        assert found.value == found.derived <= LIMIT * np.ptp(y)
        assert found.measured
    deep = {"inputs": {"x": "float32[2, 8, 9, 9]"}, "layers": [{"conv": {"filters": 8, "kernel": 3}}, "relu"] * 4}
    graph, weights, inputs, expected = sized(deep, 2)
    (y,) = expected.values()
    (found,) = tolerances(graph, weights, inputs, expected, "direct").values()
    assert found.basis == "measured"
    assert found.value == found.measured < LIMIT * np.ptp(y) < (found.derived or 0)
    (other,) = tolerances(graph, weights, inputs, expected, "winograd-2").values()
    assert (other.basis, other.derived) == ("measured", None)


def test_the_last_bits_of_a_sum_are_not_in_a_tolerance() -> None:
    """They depend on the processor, and bundles are the same bytes everywhere."""
    (one, other) = (carried(value, "") for value in (3.0371e-4, 3.0371e-4 * (1 + 2.0**-50)))
    assert one == other
    assert (one.value, one.derived) == (3.04e-4, 3.04e-4)
    assert carried(0.0, "").value == 0


def test_nothing_is_derived_of_large_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, weights, inputs, expected = sized("lopsided", 2)
    monkeypatch.setattr(tolerance, "LARGE", 2 * 6 * 5 * 13 * 13)
    (found,) = tolerances(graph, weights, inputs, expected, "direct").values()
    assert (found.basis, found.derived) == ("measured", None)


def cut(x: Array) -> Array:
    """Rounded to the 11 bits of float16 and TF32."""
    fraction, exponent = np.frexp(x.astype(float))
    return np.ldexp(np.rint(np.ldexp(fraction, 11)), exponent - 11).astype(F)


@pytest.mark.parametrize("net", NETS)
def test_operands_of_11_bits_are_seen(net: str) -> None:
    """The share of the range up to which a bound is taken is less than what they do."""
    graph, weights, inputs, expected = sized(net, 1)
    arrays = {p.name: cut(weights[p]) if p.name.endswith("weight") else weights[p] for p in graph.params()}
    (got,) = run(graph, given(arrays), {name: cut(x) for name, x in inputs.items()}).values()
    (y,) = expected.values()
    (found,) = tolerances(graph, weights, inputs, expected, "direct").values()
    assert np.abs(got - y).max() > LIMIT * np.ptp(y) >= found.value
