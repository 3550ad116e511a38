"""Impulses read the user's own weights back, bit for bit: one unit in the last place shows, and so does every tap."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from verify.in_process import InProcess
from verify.sketch import Sketch, window

from onnxconv.execute import apply
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph
from onnxconv.ops import Conv, ConvTranspose, Dense, Flatten, MaxPool, Relu
from onnxconv.verify import Verdict, verify
from onnxconv.verify.case import Case
from onnxconv.verify.draw import Stream
from onnxconv.verify.impulse import impulse, impulses
from onnxconv.weights import Weights, given, seeded


class Altered(InProcess):
    """A correct runtime that is handed other weights than the ones it is asked about."""

    def __init__(self, name: str, change: object) -> None:
        super().__init__(checked=False)
        self.name, self.change = name, change

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        arrays = {param.name: weights[param].copy() for param in graph.params()}
        if self.name in arrays:
            arrays[self.name] = self.change(arrays[self.name])  # type: ignore[operator]
        super().load(graph, given(arrays), every_tensor=every_tensor)


def net() -> Graph:
    s = Sketch(("N", 4, 13, 11))
    s.add(Conv(window((3, 2, 1, 0, 2), (3, 1, 2, 3, 1)), 8, 2), name="stem")
    s.add(Relu(), name="relu")
    s.add(ConvTranspose((TransposedAxis(3, 2, 1, (1, 0), 1), TransposedAxis(2, 1, 2, (0, 1), 0)), 6, 2), name="up")
    s.add(MaxPool((Axis(4, 4), Axis(4, 4))), name="pool")
    s.add(Flatten(), name="flat")
    s.add(Dense(5), name="dense")
    return s.graph()


def found(bench: InProcess, graph: Graph | None = None, trials: int = 1):
    (finding,) = impulse(Case(graph or net(), seeded(3), bench, trials=trials))  # type: ignore[arg-type]
    return finding


def test_a_correct_runtime_passes_and_every_weight_is_read() -> None:
    finding = found(InProcess())
    assert finding.verdict is Verdict.PASS, finding.reason
    assert finding.coverage == {"weights": 1.0}
    assert finding.elements > 1000


def one_ulp(at: int):
    def change(array: np.ndarray) -> np.ndarray:
        flat = array.reshape(-1).copy()
        flat[at % flat.size] = np.nextafter(flat[at % flat.size], np.float32(np.inf))
        return flat.reshape(array.shape)

    return change


@pytest.mark.parametrize("layer", ["stem", "up", "dense"])
def test_one_unit_in_the_last_place_of_one_weight_shows(layer: str) -> None:
    """Beside a bias the last bits of a small weight may be rounded away: most are seen, and the layer is named."""
    missed = 0
    for at in range(0, 60, 3):
        finding = found(Altered(f"{layer}.weight", one_ulp(at)))
        missed += finding.verdict is not Verdict.FAIL
        assert finding.first_divergence is None or finding.first_divergence.layer == layer
    assert missed <= 4


CHANGES = {
    "flipped": lambda w: w[..., ::-1],
    "tf32": lambda w: (w.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32),
    "half": lambda w: w.astype(np.float16).astype(np.float32),
    "swapped": lambda w: w[:, ::-1],
    "a tap dropped": lambda w: np.concatenate([w.reshape(-1)[:-1], [np.float32(0)]]).reshape(w.shape),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_weights_show(change: str) -> None:
    finding = found(Altered("stem.weight", lambda w: np.ascontiguousarray(CHANGES[change](w))))
    assert finding.verdict is Verdict.FAIL
    assert finding.first_divergence is not None
    assert finding.first_divergence.layer == "stem"


def test_weights_that_are_all_zero_prove_nothing() -> None:
    graph = net()
    zero = {p.name: np.zeros(p.shape, np.float32) for p in graph.params()}
    (finding,) = impulse(Case(graph, given(zero), InProcess()))  # type: ignore[arg-type]
    assert finding.verdict is Verdict.UNTRUSTED


def test_a_network_without_products_is_not_asked() -> None:
    s = Sketch(("N", 2, 8))
    s.add(Relu(), name="relu")
    probes = {check.probe for check in verify(s.graph(), seeded()).checks}
    assert "impulse" not in probes


AXES = st.builds(
    Axis, st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.tuples(st.integers(0, 3), st.integers(0, 3))
)


@drawn(st.lists(AXES, min_size=1, max_size=2), st.integers(1, 3), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_no_output_sees_two_impulses_and_what_counts_as_read_is_read(
    axes: list[Axis], channels: int, seed: int
) -> None:
    """Ones instead of weights count the impulses an output sees; a filter for each weight alone tells which are read."""
    shape = (1, channels, *(axis.extent + 3 for axis in axes))
    taps = (channels, *(axis.size for axis in axes))
    s = Sketch(shape)
    s.add(Conv(tuple(axes), math.prod(taps), bias=False), name="conv")
    (node,) = s.graph().nodes
    made = impulses(node, shape, 0, Stream("test", seed))
    ones = replace(node, op=Conv(tuple(axes), 1, bias=False))
    assert apply(ones, (np.abs(made.x),), {"weight": np.ones((1, *taps), np.float32)}).max() <= 1
    alone = np.eye(math.prod(taps), dtype=np.float32).reshape(-1, *taps)
    met = apply(node, (np.abs(made.x),), {"weight": alone})
    np.testing.assert_array_equal(met.any(axis=(0, *range(2, met.ndim))), made.seen.reshape(-1))
