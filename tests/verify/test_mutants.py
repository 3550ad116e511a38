"""Every seeded fault of a runtime is caught, by a probe that is meant to catch it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from mutants.faults import FAULTS
from verify.sketch import Sketch, window

from onnxconv.geometry import Axis
from onnxconv.graph import Graph
from onnxconv.ops import Add, AveragePool, BatchNorm, Clip, Conv, MaxPool, Relu
from onnxconv.verify import Verdict, Verification, verify
from onnxconv.weights import seeded

RUNTIME = f"python:{Path(__file__).parents[1] / 'mutants' / 'faults.py'}"


def net() -> Graph:
    """Few layers in which no fault is equivalent to none: asymmetric pads, unequal strides and dilations, groups."""
    s = Sketch(("N", 4, 15, 13))
    s.add(Conv(window((3, 2, 1, 0, 2), (3, 1, 2, 3, 1)), 8, 2), name="stem")
    s.add(BatchNorm(), name="norm")
    start = s.add(Clip(0.0, 6.0), name="relu6")
    s.conv(8)
    s.add(Add(), s.last, start, name="sum")
    s.add(Relu(), name="relu")
    s.add(MaxPool(window((3, 1, 1, 1, 1), (3, 2, 1, 1, 1))), name="max")
    s.add(AveragePool(window((2, 1, 1, 1, 0), (2, 1, 1, 1, 0))), name="mean")
    return s.graph()


def wide() -> Graph:
    """One layer with more than 10^6 outputs."""
    s = Sketch(("N", 2, 512, 512))
    s.add(Conv((Axis(3, 1, 1, (1, 1)),) * 2, 4))
    return s.graph()


@cache
def on_net(fault: str) -> Verification:
    """All probes on the small net; those faults that need a larger graph, or end the worker, have fewer."""
    graph = wide() if fault == "one in a million" else net()
    return judge(fault, graph, probes=PROBES.get(fault), timeout=TIMEOUTS.get(fault, 30.0))


def judge(fault: str, graph: Graph, **options: object) -> Verification:
    found = verify(graph, seeded(3), runtimes=[RUNTIME], options={"fault": fault}, source="s.yaml", **options)  # type: ignore[arg-type]
    assert found.checks
    return found


def test_the_runtime_without_a_fault_passes() -> None:
    found = judge("none", net())
    assert found.verdict is Verdict.PASS, [c.reason for c in found.checks]


PROBES = {"one in a million": ["exact"], "hang": ["shape"], "one fused filter": ["routing"]}
TIMEOUTS = {"hang": 1.5}


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 20


MARKS = {
    "crash": [pytest.mark.worker, pytest.mark.slow],
    "hang": [pytest.mark.worker],
    "one in a million": [pytest.mark.slow],
}


@pytest.mark.parametrize("fault", [pytest.param(f, marks=MARKS.get(f, [])) for f in FAULTS])
def test_every_fault_is_caught(fault: str) -> None:
    found = on_net(fault)
    assert found.verdict is Verdict.FAIL
    for check in found.checks:
        assert check.verdict is not Verdict.FAIL or check.reason
        assert check.reproduce.startswith("onnxconv verify s.yaml --runtime ")


def verdicts(found: Verification) -> dict[str, Verdict]:
    return {check.probe: check.verdict for check in found.checks}


@pytest.mark.parametrize(
    ("fault", "probes"),
    [
        ("swapped pads", {"exact", "bound", "routing"}),
        ("ignored dilation", {"exact", "bound", "routing"}),
        ("interleaved groups", {"exact", "bound", "routing"}),
        ("tf32 inputs", {"exact", "bound"}),
        ("fp16 weights", {"exact", "bound"}),
        ("one weight 1e-4", {"exact", "bound"}),
        ("fp16 accumulation", {"exact", "bound"}),
        ("ignored epsilon", {"exact", "bound"}),
        ("second image wrong", {"exact", "routing"}),
        ("dropped addend", {"exact", "bound", "routing"}),
    ],
)
def test_each_by_the_probes_that_can_see_it(fault: str, probes: set[str]) -> None:
    failed = {probe for probe, verdict in verdicts(on_net(fault)).items() if verdict is Verdict.FAIL}
    assert probes <= failed


@pytest.mark.slow
@pytest.mark.worker
def test_a_crash_and_a_hang_are_said() -> None:
    assert "SIGSEGV" in on_net("crash").checks[0].reason
    assert "timed out" in on_net("hang").checks[0].reason
    assert "not today" in on_net("complaint").checks[0].reason


@pytest.mark.parametrize(
    ("fault", "layer"),
    [
        ("dropped addend", "sum"),
        ("relu for relu6", "relu6"),
        ("average over padding", "mean"),
        ("ignored mean", "norm"),
    ],
)
def test_the_first_divergence_is_the_faulty_layer(fault: str, layer: str) -> None:
    for check in on_net(fault).checks:
        if check.probe not in ("exact", "bound"):
            continue
        assert check.finding.first_divergence is not None, check.probe
        assert check.finding.first_divergence.layer == layer
        assert check.finding.bound_used > 1
        assert check.finding.mismatches > 0
