"""Chains of normalisations: correct runtimes pass within a useful bound, and planted faults show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from verify.in_process import InProcess
from verify.pushed import EVALUATIONS, never_leaves
from verify.sketch import Sketch
from verify.tampered import Edit, Tampered, channel, flip, sign, slightly

from onnxconv.geometry import Axis
from onnxconv.graph import Graph
from onnxconv.ops import Add, Conv, Gelu, GlobalAveragePool, GroupNorm, InstanceNorm, LayerNorm, Relu
from onnxconv.verify import Verdict
from onnxconv.verify.case import Case
from onnxconv.verify.routing import plan, routing
from onnxconv.weights import seeded


def convnext(units: int = 3, width: int = 16) -> Graph:
    """Units of a convolution per channel, a layer norm over channels, and two on each pixel, as in ConvNeXt."""
    s = Sketch(("N", 3, 24, 24))
    s.conv(width, 4, 4, 0)
    s.add(LayerNorm((1,), 1e-6))
    for _ in range(units):
        start = s.last
        s.add(Conv((Axis(7, 1, 1, (3, 3)),) * 2, width, width))
        s.add(LayerNorm((1,), 1e-6))
        s.conv(4 * width, 1)
        s.add(Gelu())
        s.add(Add(), s.conv(width, 1), start)
    s.add(GlobalAveragePool())
    s.add(LayerNorm((1,), 1e-6))
    s.conv(10, 1)
    return s.graph()


def chain(norm: Callable[[], Any], count: int) -> Graph:
    s = Sketch(("N", 3, 12, 12))
    for _ in range(count):
        s.conv(8)
        s.add(norm())
        s.add(Relu())
    s.conv(5, 1)
    return s.graph()


def residual(count: int = 4) -> Graph:
    """Blocks with group norms, as in BiT and diffusion models."""
    s = Sketch(("N", 3, 12, 12))
    s.conv(16)
    for _ in range(count):
        start = s.last
        s.add(GroupNorm(4))
        s.add(Relu())
        s.conv(16)
        s.add(GroupNorm(4))
        s.add(Relu())
        s.add(Add(), s.conv(16), start)
    s.add(GroupNorm(4))
    return s.graph()


NETS = {
    "layer norms": convnext(),
    "group norms": chain(lambda: GroupNorm(2), 8),
    "instance norms": chain(InstanceNorm, 4),
    "residual": residual(),
}


def case(graph: Graph, bench: Any) -> Case:
    return Case(graph, seeded(0), bench)


@pytest.mark.parametrize("name", NETS)
def test_a_chain_of_norms_passes_within_a_bound_that_means_something(name: str) -> None:
    graph = NETS[name]
    (finding,) = routing(case(graph, InProcess()))
    assert finding.verdict is Verdict.PASS, finding.reason
    (y,) = plan(graph, seeded(0), 0).outputs.values()
    assert y.error is not None
    assert y.error.max() < 0.02 * np.ptp(y.value)


@pytest.mark.slow
@pytest.mark.parametrize(("edit", "share"), [(channel, 0.85), (flip, 1.0), (sign, 1.0), (slightly, 0.4)])
@pytest.mark.parametrize("name", NETS)
def test_faults_before_norms_show_at_the_output(name: str, edit: Edit, share: float) -> None:
    """In each layer one observed filter in which the fault makes a difference; a thousandth is lost in some faint branches."""
    graph = NETS[name]
    made = plan(graph, seeded(0), 0)
    verdicts = []
    for layer, (filters, _) in made.seen.items():
        weight = made.arrays[f"{layer}.weight"]
        changed = [m for m in np.flatnonzero(filters) if (edited(edit, weight, int(m)) != weight).any()]
        if changed:
            (finding,) = routing(case(graph, Tampered(f"{layer}.weight", edit, int(changed[0]))))
            verdicts.append(finding.verdict)
    print(name, edit.__name__, verdicts.count(Verdict.FAIL), len(verdicts))
    assert verdicts.count(Verdict.FAIL) >= share * len(verdicts) > 0


def edited(edit: Edit, weight: np.ndarray, filter: int) -> np.ndarray:
    other = weight.copy()
    edit(other, filter)
    return other


@pytest.mark.parametrize("evaluation", EVALUATIONS)
@pytest.mark.parametrize("name", NETS)
def test_no_evaluation_leaves_the_bound_at_any_layer(name: str, evaluation: str) -> None:
    assert never_leaves(NETS[name], seeded(0), evaluation) > 0.001
