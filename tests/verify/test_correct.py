"""No correct runtime is blamed, and random legal convolutions agree bit for bit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from verify.in_process import InProcess
from verify.random_graphs import conv, net
from verify.sketch import Sketch, small, window

from onnxconv.execute import run
from onnxconv.geometry import Axis
from onnxconv.graph import Graph
from onnxconv.ops import Add, Clip, Conv, Relu
from onnxconv.verify import Verdict, verify
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.draw import Stream
from onnxconv.verify.exact import exact
from onnxconv.verify.routing import routing
from onnxconv.verify.sizes import concrete
from onnxconv.weights import seeded

FAST_CONVS, ALL_CONVS = 60, 5_000
FAST_NETS, ALL_NETS = 15, 600


def agree(graph: Graph, seed: int, bench: InProcess, *probes: Any) -> int:
    """No probe blames onnxruntime; how many could not have."""
    case: Any = Case(graph, seeded(seed), bench, seed)  # type: ignore[arg-type]
    untrusted = 0
    for probe in probes:
        for finding in probe(case):
            assert finding.verdict in (Verdict.PASS, Verdict.UNTRUSTED), (seed, probe.__name__, finding.reason, graph)
            untrusted += finding.verdict is Verdict.UNTRUSTED
    return untrusted


def agree_on_integers(graph: Graph, seed: int, bench: InProcess) -> None:
    """The executor itself equals onnxruntime bit for bit on small integers, with the weights as they are stored."""
    weights = seeded(seed)
    shape = concrete(graph, 2)["x"]
    x = Stream(seed, "x").filled(shape, 50, "float32")
    bench.load(graph, weights)
    expected, got = run(graph, weights, {"x": x}), bench.run({"x": x})
    assert list(expected) == list(got)
    for name in expected:
        assert expected[name].dtype == got[name].dtype
        np.testing.assert_array_equal(expected[name], got[name], strict=True)


def convs(seeds: range) -> None:
    bench, untrusted = InProcess(), 0
    for seed in seeds:
        graph = conv(seed)
        agree_on_integers(graph, seed, bench)
        untrusted += agree(graph, seed, bench, exact, bound)
    assert untrusted <= 2 * len(seeds) / 10, (
        "nearly every one could have been blamed; those that see only padding could not"
    )
    assert bench.models >= 3 * len(seeds)


def nets(seeds: range, **options: bool) -> None:
    bench = InProcess(**options)
    for seed in seeds:
        agree(net(seed), seed, bench, exact, bound, routing)


def test_random_convolutions() -> None:
    convs(range(FAST_CONVS))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_five_thousand_random_convolutions(part: int) -> None:
    convs(range(FAST_CONVS + part * ALL_CONVS // 10, FAST_CONVS + (part + 1) * ALL_CONVS // 10))


def test_random_nets() -> None:
    nets(range(FAST_NETS))


@pytest.mark.slow
@pytest.mark.parametrize("optimised", [True, False])
def test_many_random_nets(optimised: bool) -> None:
    nets(range(1000, 1000 + ALL_NETS), optimised=optimised, checked=False)


def test_numpy_on_the_small_net() -> None:
    found = verify(small(), seeded(2), runtimes=["numpy"])
    assert found.verdict is Verdict.PASS, [c.reason for c in found.checks]


def test_the_reference_evaluator_where_it_is_right() -> None:
    """onnx 1.23: its grouped ConvTranspose raises, its MaxPool is wrong with asymmetric pads; this net has neither."""
    s = Sketch(("N", 3, 12, 10))
    start = s.add(Conv(window((3, 2, 1, 0, 2), (3, 1, 2, 3, 1)), 8), name="stem")
    s.add(Relu())
    s.add(Conv((Axis(3, 1, 1, (1, 1)),) * 2, 8, 4))
    s.add(Add(), s.last, start)
    s.add(Clip(0.0, 6.0))
    found = verify(s.graph(), seeded(2), runtimes=["onnx-reference"])
    assert found.verdict is Verdict.PASS, [c.reason for c in found.checks]


@pytest.mark.slow
@pytest.mark.parametrize("level", ["off", "basic", "extended", "all"])
def test_onnxruntime_at_every_level_of_optimisation(level: str) -> None:
    for seed in range(60):
        found = verify(net(seed), seeded(seed), seed=seed, options={"optimization": level})
        assert found.verdict in (Verdict.PASS, Verdict.UNTRUSTED), [c.reason for c in found.checks]


@pytest.mark.slow
def test_numpy_is_never_blamed() -> None:
    """It does not read the slices that stand for wrapped pads before opset 19; that is no blame, and no pass."""
    passed = 0
    for seed in range(60):
        found = verify(net(seed), seeded(seed), seed=seed, runtimes=["numpy"])
        assert found.verdict is not Verdict.FAIL, [c.reason for c in found.checks]
        passed += found.verdict is Verdict.PASS
    assert passed > 40


def test_elements_that_may_overflow_are_not_counted_as_compared() -> None:
    """2,880 outputs in five draws: those whose bound reaches beyond float16 are told apart from those that were judged."""
    import onnxconv

    conv = {"filters": 8, "kernel": 3, "init": {"weight": {"uniform": [-200, 200]}}}
    spec = {"inputs": {"x": "float16[1, 8, 8, 8]"}, "layers": [{"conv": conv}, "relu"]}
    (check,) = onnxconv.verify(spec, ["numpy"], probes=["bound"]).document()["checks"]
    skipped = re.search(r"; (\d+) more elements", check["note"])
    assert skipped
    assert int(skipped[1]) > 0
    assert check["elements"] + int(skipped[1]) == 2 * 8 * 6 * 6 * 5
