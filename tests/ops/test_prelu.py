"""PReLU against plain loops, torch, and verification with a fault."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from verify.in_process import InProcess
from verify.sketch import Sketch

from onnxconv.graph import Graph
from onnxconv.ops import PRelu
from onnxconv.verify import Verdict
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.exact import exact
from onnxconv.verify.routing import routing
from onnxconv.weights import Weights, given, seeded

PROBES = (exact, bound, routing)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 3, 2)])
def test_the_definition_equals_loops_and_torch(shared: bool, shape: tuple[int, ...]) -> None:
    rng, op = np.random.default_rng(0), PRelu(shared)
    x, slope = rng.standard_normal(shape), rng.standard_normal(op.weight_shapes(shape)["weight"])
    y = op.define(x, weight=slope)
    for at in np.ndindex(shape):
        assert y[at] == (x[at] if x[at] >= 0 else x[at] * slope.reshape(-1)[0 if shared else at[1]])
    torch = pytest.importorskip("torch")
    theirs = torch.nn.functional.prelu(torch.from_numpy(x), torch.from_numpy(slope.reshape(-1))).numpy()
    np.testing.assert_array_equal(y, theirs)


def net(shared: bool, dtype: str) -> Graph:
    s = Sketch(("N", 3, 9, 8), dtype)
    s.conv(6)
    s.add(PRelu(shared))
    s.conv(5)
    s.add(PRelu(shared))
    return s.graph()


def verdicts(graph: Graph, bench: InProcess) -> dict[str, Verdict]:
    case: Any = Case(graph, seeded(3), bench)  # type: ignore[arg-type]
    return {probe.__name__: max(f.verdict for f in probe(case)) for probe in PROBES}


@pytest.mark.parametrize("shared", [False, True])
def test_onnxruntime_passes(shared: bool) -> None:
    assert set(verdicts(net(shared, "float32"), InProcess()).values()) == {Verdict.PASS}


class Rotated(InProcess):
    """A runtime that takes the slope of the channel beside."""

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        slopes = {param.name for node in graph.nodes if node.op.kind == "PRelu" for _, param in node.params}
        arrays = {p.name: np.roll(weights[p], 1, axis=0) if p.name in slopes else weights[p] for p in graph.params()}
        super().load(graph, given(arrays), every_tensor=every_tensor)


def test_slopes_of_other_channels_fail() -> None:
    assert set(verdicts(net(False, "float32"), Rotated()).values()) == {Verdict.FAIL}
