"""A layer that is computed with those before it is not blamed for what the tensors shown may be off; nor is a fault let through."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np
import pytest
from verify.in_process import InProcess
from verify.sketch import Sketch

from onnxconv.execute import apply
from onnxconv.graph import Graph
from onnxconv.verify import Finding, Verdict
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.weights import Weights, seeded


class Folding(InProcess):
    """Multiplies a batch norm into the convolution before it, whose own output it computes apart. `off`: a fault."""

    def __init__(self, off: float = 0.0, alone: float = 0.0) -> None:
        super().__init__(checked=False)
        self.off, self.alone = off, alone

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        self.graph, self.weights = graph, weights
        super().load(graph, weights, every_tensor=every_tensor)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        y = super().run(inputs)
        by = {node.op.kind: node for node in self.graph.nodes}
        norm, conv = by.get("BatchNormalization"), by.get("Conv")
        if norm is None:
            return y
        if conv is None:
            return {name: a * np.float32(1 + self.alone) for name, a in y.items()}
        w, of = ({role: self.weights[p] for role, p in node.params} for node in (conv, norm))
        scale = of["weight"] / np.sqrt(of["running_var"] + np.float32(1e-5))
        folded = {"weight": w["weight"] * scale[:, None, None, None], "bias": of["bias"] - of["running_mean"] * scale}
        s = Sketch(("N", 32, 9, 9))
        s.conv(8)
        (node,) = s.nodes
        y[norm.output] = apply(node, [inputs["x"]], folded).astype(np.float32) * np.float32(1 + self.off)
        return y


def judge(bench: Folding) -> Finding:
    s = Sketch(("N", 32, 9, 9))
    s.conv_bn_relu(8, relu=None)
    (finding,) = bound(Case(s.graph(), seeded(3), bench))  # type: ignore[arg-type]
    return finding


def test_a_folded_batch_norm_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judge(Folding())
    assert found.verdict is Verdict.PASS, found.reason
    assert found.note.endswith("1 computed together with layers before them")
    assert 0 < found.bound_used <= 1
    monkeypatch.setattr(sys.modules["onnxconv.verify.bound"], "together", lambda *_: None)
    assert judge(Folding()).verdict is Verdict.FAIL, "by itself it would have been blamed"


@pytest.mark.parametrize("bench", [Folding(off=1e-4), Folding(alone=1e-4)])
def test_a_fault_of_it_is_still_seen(bench: Folding) -> None:
    found = judge(bench)
    assert found.verdict is Verdict.FAIL
    assert found.first_divergence is not None
    assert found.first_divergence.op == "BatchNormalization"
