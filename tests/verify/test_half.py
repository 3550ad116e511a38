"""float16 and bfloat16: correct runtimes pass, coarser ones are found out, and what a runtime lacks is no failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from verify.in_process import InProcess
from verify.random_graphs import net
from verify.sketch import Sketch

import onnxconv
from onnxconv.dtypes import DTYPES, rounded
from onnxconv.emit import EmitOptions, fitting, to_bytes
from onnxconv.execute import run
from onnxconv.graph import Graph
from onnxconv.network.change import retyped
from onnxconv.ops import Clip, Flatten, LeakyRelu, Relu, Sigmoid
from onnxconv.runtimes import RuntimeFailed
from onnxconv.verify import Verdict, verify
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.exact import exact
from onnxconv.verify.refusal import gravity
from onnxconv.verify.routing import routing
from onnxconv.weights import Weights, seeded

HALVES = ("float16", "bfloat16")
PROBES = (exact, bound, routing)


class Reference(InProcess):
    """onnx's reference evaluator."""

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        model = onnx.load_from_string(to_bytes(graph, weights, fitting(graph, EmitOptions(every_tensor=every_tensor))))
        onnx.checker.check_model(model, full_check=True)
        self.evaluator = ReferenceEvaluator(model)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.evaluator.output_names, self.evaluator.run(None, dict(inputs)), strict=True))


class Ours(InProcess):
    """Our executor on graphs as they are; `bits`: of its inputs only so many are looked at."""

    def __init__(self, bits: int | None = None) -> None:
        super().__init__()
        self.bits = bits

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        self.graph, self.weights, self.every = graph, weights, every_tensor

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.bits is not None:
            inputs = {name: self._coarse(x) for name, x in inputs.items()}
        return run(self.graph, self.weights, inputs, every_tensor=self.every)

    def _coarse(self, x: np.ndarray) -> np.ndarray:
        fraction, exponent = np.frexp(x.astype(np.float64))
        return rounded(np.ldexp(np.rint(np.ldexp(fraction, self.bits)), exponent - self.bits), x.dtype.name)


def plain(dtype: str) -> Graph:
    """Operators that onnx's reference evaluator has right."""
    s = Sketch(("N", 3, 11, 9), dtype)
    s.conv_bn_relu(8)
    s.conv(6, 1)
    s.add(LeakyRelu(0.1))
    s.add(Clip(-1.0, 0.7))
    s.conv(4, 3, 2)
    s.add(Sigmoid())
    return s.graph()


def verdicts(graph: Graph, bench: Any) -> list[Verdict]:
    return [max(f.verdict for f in probe(Case(graph, seeded(3), bench))) for probe in PROBES]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("bench", [Reference, Ours])
def test_correct_runtimes_pass(bench: type[InProcess], dtype: str) -> None:
    assert verdicts(plain(dtype), bench()) == [Verdict.PASS] * 3


@pytest.mark.parametrize("seed", range(25))
def test_onnxruntime_is_not_blamed_for_float16_that_it_keeps_in_float32(seed: int) -> None:
    for probe in PROBES:
        for finding in probe(Case(retyped(net(seed), "float16"), seeded(seed), InProcess(), seed)):  # type: ignore[arg-type]
            assert finding.verdict in (Verdict.PASS, Verdict.UNTRUSTED), finding.reason


@pytest.mark.parametrize("seed", range(25))
def test_random_nets_in_bfloat16(seed: int) -> None:
    for probe in PROBES:
        for finding in probe(Case(retyped(net(seed), "bfloat16"), seeded(seed), Ours(), seed)):  # type: ignore[arg-type]
            assert finding.verdict in (Verdict.PASS, Verdict.UNTRUSTED), finding.reason


@pytest.mark.parametrize("dtype", HALVES)
def test_one_bit_less_fails(dtype: str) -> None:
    assert verdicts(plain(dtype), Ours(DTYPES[dtype].significand - 1))[0] is Verdict.FAIL


def test_what_onnxruntime_lacks_is_not_run() -> None:
    found = verify(plain("bfloat16"), seeded())
    assert found.verdict is Verdict.NOT_RUN
    assert {check.verdict for check in found.checks} == {Verdict.NOT_RUN}
    assert "Could not find an implementation for Conv" in found.checks[0].reason


def test_bfloat16_arrays_go_to_onnxruntime_and_come_back() -> None:
    """NumPy has no such type of its own; what moves values has it."""
    s = Sketch((1, 3, 4, 4), "bfloat16")
    s.add(Flatten())
    found = verify(s.graph(), seeded(), probes=["shape", "exact"])
    assert found.verdict is Verdict.PASS
    assert {check.probe for check in found.checks} == {"shape", "exact"}


def test_the_reference_evaluator_runs_a_bfloat16_network() -> None:
    spec = {
        "dtype": "bfloat16",
        "inputs": {"x": "[1, 3, 8, 8]"},
        "layers": [{"conv": {"filters": 4, "kernel": 3}}, "relu"],
    }
    network = onnxconv.read(spec)
    (ours,), (theirs,) = (tuple(network.run(runtime=name).values()) for name in ("numpy", "onnx-reference"))
    assert ours.dtype == theirs.dtype == rounded(np.zeros(1), "bfloat16").dtype
    np.testing.assert_allclose(theirs.astype(float), ours.astype(float), rtol=2.0**-7, atol=2.0**-7)


def test_bfloat16_is_float64_rounded_once() -> None:
    graph = plain("bfloat16")
    alone = onnxconv.Network(graph, seeded())
    inputs = alone.inputs({})
    tensors = {**inputs, **alone.run(inputs, every_tensor=True)}
    for node in graph.nodes:
        xs = [tensors[name].astype(np.float64) for name in node.inputs]
        w = {role: seeded()[param].astype(np.float64) for role, param in node.params}
        np.testing.assert_array_equal(tensors[node.output], rounded(node.op.define(*xs, **w), "bfloat16"), strict=True)


def test_relu_hands_bfloat16_on() -> None:
    s = Sketch((1, 2, 3), "bfloat16")
    s.add(Relu())
    x = rounded(np.array([[[-1.5, 0.1, 3], [1e-40, -0.0, np.inf]]]), "bfloat16")
    (y,) = run(s.graph(), seeded(), {"x": x}).values()
    np.testing.assert_array_equal(y, np.maximum(x, 0).astype(x.dtype), strict=True)


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("raised NotImplemented: Could not find an implementation for Conv(22)", Verdict.NOT_RUN),
        (
            "raised Fail: ONNX Runtime only *guarantees* support for models stamped with official opsets",
            Verdict.NOT_RUN,
        ),
        ("raised Fail: Load model failed", Verdict.FAIL),
    ],
)
def test_what_a_runtime_says_it_lacks(reason: str, verdict: Verdict) -> None:
    """onnxruntime 1.20 has opsets up to 21; a later one is no disagreement."""
    assert gravity(RuntimeFailed(reason)) is verdict
