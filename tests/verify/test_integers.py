"""Quantised networks: the executor equals onnxruntime, correct runtimes pass, and each way to be slightly wrong is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from oracles.hand_models import saved
from oracles.quantised_models import dynamic, operators, pairs, products
from verify.in_process import InProcess

from onnxconv.execute import run, seeded_inputs
from onnxconv.graph import Graph
from onnxconv.load import load
from onnxconv.ops import Operator, QLinearConv, QuantizeLinear
from onnxconv.ops.quantize import saturated
from onnxconv.verify import Verdict
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.exact import exact
from onnxconv.verify.routing import routing
from onnxconv.weights import Weights

onnxruntime.set_default_logger_severity(4)

MODELS = {
    **{f"operators {seed}": operators(seed, signed=bool(seed % 2), per_channel=seed < 4) for seed in range(6)},
    "pairs": pairs(),
    "pairs per tensor": pairs(1, per_channel=False),
    "dynamic": dynamic(),
    "products": products(),
}
PROBES = (exact, bound, routing)


def verdicts(model: onnx.ModelProto, folder: Path, bench: Any) -> dict[str, Verdict]:
    graph, weights = load(saved(model, folder))
    return {probe.__name__: max(f.verdict for f in probe(Case(graph, weights, bench, 5))) for probe in PROBES}


@pytest.mark.parametrize("level", ["ORT_ENABLE_ALL", "ORT_DISABLE_ALL"])
@pytest.mark.parametrize("name", MODELS)
def test_the_executor_equals_onnxruntime(name: str, level: str, tmp_path: Path) -> None:
    graph, weights = load(saved(MODELS[name], tmp_path))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(MODELS[name].SerializeToString(), options)
    for seed in range(3):
        x = seeded_inputs(graph, seed)
        ours, theirs = run(graph, weights, x), session.run(None, x)
        for mine, other in zip(ours.values(), theirs, strict=True):
            assert len(np.unique(mine)) > 4
            np.testing.assert_array_equal(mine, other, strict=True)


@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_passes(name: str, tmp_path: Path) -> None:
    assert verdicts(MODELS[name], tmp_path, InProcess()) == dict.fromkeys(("exact", "bound", "routing"), Verdict.PASS)


class Ours(InProcess):
    """Our executor, one of its operators replaced."""

    def __init__(self, kind: str = "", wrong: Any = None) -> None:
        super().__init__()
        self.kind, self.wrong = kind, wrong

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        nodes = tuple(replace(n, op=self.wrong(n.op)) if n.op.kind == self.kind else n for n in graph.nodes)
        self.graph, self.weights, self.every = replace(graph, nodes=nodes), weights, every_tensor

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors = run(self.graph, self.weights, inputs, every_tensor=self.every)
        constants = {node.output for node in self.graph.nodes if node.op.kind == "Constant"}
        return {name: array for name, array in tensors.items() if name not in constants}


class ZeroPointFirst(QuantizeLinear):
    """round(x ÷ scale + zero_point): another integer wherever the quotient is a half and the zero point odd."""

    def _whole(self, quotient: np.ndarray, xs: Any) -> np.ndarray:
        return saturated(np.rint(quotient + xs[2]), self.dtype)


class HalvesAway(QuantizeLinear):
    """Halves away from zero, as C's round does."""

    def _whole(self, quotient: np.ndarray, xs: Any) -> np.ndarray:
        return saturated(np.sign(quotient) * np.floor(np.abs(quotient) + 0.5) + xs[2], self.dtype)


class Wrapping(QuantizeLinear):
    """Takes the last eight bits instead of saturating."""

    def _whole(self, quotient: np.ndarray, xs: Any) -> np.ndarray:
        return np.mod(np.rint(quotient) + xs[2], 256)


class HalfSums(QLinearConv):
    """Pairs of products saturate at 16 bits, as x86's vpmaddubsw does."""

    def _accumulated(self, x: Any, w: Any, x_zero: Any, w_zero: Any) -> np.ndarray:
        return np.clip(super()._accumulated(x, w, x_zero, w_zero), -(2**15), 2**15 - 1)


class PaddedWithZeros(QLinearConv):
    """What lies beyond the edge is the integer 0, not the zero point."""

    def _accumulated(self, x: Any, w: Any, x_zero: Any, w_zero: Any) -> np.ndarray:
        inside = super()._accumulated(x, w, x_zero, w_zero)
        covered = super()._accumulated(np.ones_like(x), w, 0, w_zero)
        whole = np.sum(w, axis=tuple(range(1, w.ndim))).reshape(-1, *[1] * (w.ndim - 2))
        return inside - (whole - covered) * np.reshape(x_zero, ())


class OneScale(QLinearConv):
    """The first filter's scale serves all."""

    def _real(self, xs: Any) -> np.ndarray:
        return super()._real((*xs[:4], np.full_like(xs[4], xs[4].flat[0]), *xs[5:]))


class Unbiased(QLinearConv):
    def _real(self, xs: Any) -> np.ndarray:
        return super()._real(xs[:8])


def remade(kind: type[Operator]) -> Any:
    return lambda op: kind(*(getattr(op, field.name) for field in fields(op)))


@pytest.mark.parametrize("name", ["operators 0", "dynamic", "products"])
def test_our_executor_passes(name: str, tmp_path: Path) -> None:
    assert set(verdicts(MODELS[name], tmp_path, Ours()).values()) == {Verdict.PASS}


@pytest.mark.parametrize(
    "wrong",
    [ZeroPointFirst, HalvesAway, Wrapping, HalfSums, PaddedWithZeros, OneScale, Unbiased],
    ids=lambda w: w.__name__,
)
def test_what_is_slightly_wrong_fails(wrong: type[Operator], tmp_path: Path) -> None:
    found = verdicts(MODELS["operators 0"], tmp_path, Ours(wrong.kind, remade(wrong)))
    assert found["exact"] is Verdict.FAIL
    assert wrong is HalvesAway or Verdict.FAIL in (found["bound"], found["routing"]), "only halves are rare elsewhere"


def test_neighbours_are_legal_at_a_half_and_nowhere_else(tmp_path: Path) -> None:
    """x ÷ scale = 2.5 up to a rounding: 2 and 3 may both be given; of 2.4 only 2."""
    from onnxconv.verify.legal import legal

    graph, _ = load(saved(MODELS["operators 0"], tmp_path))
    (node,) = [node for node in graph.nodes if node.op.kind == "QuantizeLinear"]
    scale = np.array(0.1, np.float32)
    x = np.array([[[[0.25, 0.24, -0.25, 100.0]]]], np.float32)
    low, high = legal(node, [x, scale, np.array(7, np.uint8)], {})
    assert low.flat[:].tolist() == [9, 9, 4, 255]
    assert high.flat[:].tolist() == [10, 9, 5, 255]
