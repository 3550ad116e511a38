"""Once every filter of a network was observed, `routing` sees whatever is planted in any layer of it, optimised or not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from faulty import MUTANTS
from faulty.machine import Fault, Machine, Step, correct
from faulty.mutant import Mutant
from faulty.pinned import only_in
from faulty.specs import weights
from faulty.trial import equivalent
from verify.sketch import Sketch

from onnxconv.geometry import Axis
from onnxconv.graph import Graph
from onnxconv.ops import Add, Concat, MaxPool, Relu
from onnxconv.verify import Verdict
from onnxconv.verify.case import Case
from onnxconv.verify.routing import routing

PLANTED = (
    "windows a pixel late, last axis",
    "two output channels exchanged",
    "two input channels exchanged",
    "kernel flipped",
    "one weight off by 0.001",
    "ReLU6 for ReLU",
    "no ReLU",
    "concatenated in reverse order",
    "fused ReLU: none",
    "fused sum: activation first",
    "fused batch norm: last channel left out",
    "fused batch norm: shift not scaled",
)


def net(narrow: bool = False) -> Graph:
    """A residual block with batch norms between convolutions, two branches, and a pool; `narrow`: two filters at the end."""
    s = Sketch(("N", 3, 12, 11))
    start = s.conv_bn_relu(6, 3)
    s.conv_bn_relu(6, 3)
    s.add(Add(), s.conv_bn_relu(6, 3, relu=None), start)
    joined = s.add(Relu())
    left = s.conv(6)
    s.add(MaxPool((Axis(3, 1, 1, (1, 1)),) * 2), joined)
    s.add(Concat(1), s.conv(6, 1), left)
    s.conv(12)
    s.add(Relu())
    if narrow:
        s.conv(2, 1)
    return s.graph()


def seen(graph: Graph, fault: Fault) -> bool:
    """The optimised network differs, once all of its filters were observed."""
    (finding,) = routing(Case(graph, weights(graph, 0), Machine(fault), coverage=1.0))  # type: ignore[arg-type]
    assert finding.coverage["filters"] == 1.0
    return finding.verdict is Verdict.FAIL


def test_the_network_is_covered_and_right() -> None:
    assert not seen(net(), correct)


def planted(graph: Graph) -> Iterator[Mutant]:
    """Each fault in each layer in which it changes anything."""
    arrays = weights(graph, 0)
    kinds = [mutant for mutant in MUTANTS if mutant.name in PLANTED]
    assert len(kinds) == len(PLANTED)
    for node in graph.nodes:
        for kind in kinds:
            mutant = Mutant(f"{kind.name} in {node.name}", kind.family, only_in(node.name, kind.fault))
            if not equivalent(graph, arrays, mutant):
                yield mutant


@pytest.mark.slow
@pytest.mark.parametrize("narrow", [False, True])
def test_what_is_planted_in_any_layer_shows(narrow: bool) -> None:
    graph = net(narrow)
    tried = list(planted(graph))
    assert len(tried) > 40
    assert not [mutant.name for mutant in tried if not seen(graph, mutant.fault)]


def off(layer: str, filter: int) -> Fault:
    """The largest weight of a filter, the only one of a routed kernel, is off by a thousandth."""

    def fault(step: Step) -> np.ndarray:
        w = step.xs[1].copy()
        w[filter].reshape(-1)[np.abs(w[filter]).argmax()] *= np.float32(1.001)
        return correct(step.given(step.xs[0], w))

    return only_in(layer, fault)


@pytest.mark.slow
@pytest.mark.parametrize("narrow", [False, True])
def test_one_weight_of_any_filter_shows(narrow: bool) -> None:
    graph = net(narrow)
    filters = [(n.name, m) for n in graph.nodes if n.op.kind == "Conv" for m in range(int(n.type.shape[1]))]
    assert len(filters) == 42 + 2 * narrow
    assert not [(layer, m) for layer, m in filters if not seen(graph, off(layer, m))]
