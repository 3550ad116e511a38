"""Curved activations: onnxruntime passes every probe, and one whose curve is slightly another is found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from verify.in_process import InProcess
from verify.sketch import Sketch

from onnxconv.graph import Graph
from onnxconv.ops import Elu, Gelu, HardSigmoid, HardSwish, Mish, Operator, Relu, Silu, Softplus, Tanh
from onnxconv.verify import Verdict
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.exact import exact
from onnxconv.verify.routing import routing
from onnxconv.weights import Weights, seeded

CURVES: tuple[tuple[Operator, Operator], ...] = (
    (Tanh(), HardSigmoid()),
    (Elu(), Elu(0.9999)),
    (HardSigmoid(), HardSigmoid(1 / 6)),
    (HardSwish(), Silu()),
    (Softplus(), Relu()),
    (Gelu(), Gelu("tanh")),
    (Gelu("tanh"), Gelu()),
    (Mish(), Silu()),
)


class Swapped(InProcess):
    """A runtime that takes one operator for another."""

    def __init__(self, one: Operator, other: Operator) -> None:
        super().__init__()
        self.one, self.other = one, other

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        nodes = tuple(replace(n, op=self.other) if n.op == self.one else n for n in graph.nodes)
        super().load(replace(graph, nodes=nodes), weights, every_tensor=every_tensor)


def net(op: Operator) -> Graph:
    s = Sketch(("N", 3, 9, 8))
    s.conv(6)
    s.add(op)
    s.conv(5)
    s.add(op)
    return s.graph()


def verdicts(op: Operator, bench: InProcess) -> dict[str, Verdict]:
    case: Any = Case(net(op), seeded(3), bench)  # type: ignore[arg-type]
    return {probe.__name__: max(f.verdict for f in probe(case)) for probe in (exact, bound, routing)}


@pytest.mark.parametrize("op", [op for op, _ in CURVES], ids=str)
def test_onnxruntime_passes(op: Operator) -> None:
    assert verdicts(op, InProcess()) == dict.fromkeys(("exact", "bound", "routing"), Verdict.PASS)


@pytest.mark.parametrize(("op", "other"), CURVES, ids=str)
def test_another_curve_fails(op: Operator, other: Operator) -> None:
    assert verdicts(op, Swapped(op, other)) == dict.fromkeys(("exact", "bound", "routing"), Verdict.FAIL)
