"""Attention as torch exports it passes within a useful bound, and planted faults show at the output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from verify.in_process import InProcess
from verify.pushed import EVALUATIONS, never_leaves

import onnxconv
from onnxconv.graph import Graph, Node
from onnxconv.ops import Identity, LayerNorm, Slice, Softmax
from onnxconv.verify import Finding, Verdict
from onnxconv.verify.case import Case
from onnxconv.verify.plan import plan, separate
from onnxconv.verify.routing import routing
from onnxconv.weights import Weights, given

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch")
nn = torch.nn


class Block(nn.Module):
    """Attention of several heads and two dense layers, each behind a layer norm and beside what it reads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.second, self.wide, self.narrow = nn.LayerNorm(width), nn.Linear(width, 40), nn.Linear(40, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, c = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        shares = (q @ k.transpose(-1, -2) / math.sqrt(c // self.heads)).softmax(-1)
        x = x + self.out((shares @ v).transpose(1, 2).reshape(n, t, c))
        return x + self.narrow(nn.functional.gelu(self.wide(self.second(x))))


class Mobile(nn.Module):
    """Convolutions, attention between the pixels of four phases, and convolutions again, as in MobileViT."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.SiLU(), nn.Conv2d(width, width, 1))
        self.blocks = nn.Sequential(Block(width, 2), Block(width, 2), nn.LayerNorm(width))
        self.last = nn.Sequential(nn.Conv2d(2 * width, width, 3, 1, 1), nn.SiLU())
        self.classes = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        n, c, h, w = y.shape
        z = y.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 2, 4, 1).reshape(-1, h * w // 4, c)
        z = self.blocks(z).reshape(n, 2, 2, h // 2, w // 2, c).permute(0, 5, 3, 1, 4, 2).reshape(n, c, h, w)
        return self.classes(self.last(torch.cat([y, z], 1)).mean((2, 3)))


def exported(folder: Path, opset: int) -> onnxconv.Network:
    torch.manual_seed(0)
    path = folder / "mobile.onnx"
    torch.onnx.export(Mobile().eval(), (torch.zeros(2, 3, 16, 16),), path, dynamo=False, opset_version=opset)
    return onnxconv.read(path)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> onnxconv.Network:
    return exported(tmp_path_factory.mktemp("attention"), 17)


def found(network: onnxconv.Network, bench: InProcess) -> Finding:
    (finding,) = routing(Case(network.graph, network.weights, bench))  # type: ignore[arg-type]
    return finding


def test_attention_passes_within_a_bound_that_means_something(network: onnxconv.Network) -> None:
    finding = found(network, InProcess())
    assert finding.verdict is Verdict.PASS, finding.reason
    (y,) = plan(separate(network.graph), network.weights, 0).outputs.values()
    assert y.error is not None
    assert y.error.max() < 0.01 * np.ptp(y.value)


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_no_evaluation_leaves_the_bound_at_any_layer(network: onnxconv.Network, evaluation: str) -> None:
    assert never_leaves(separate(network.graph), network.weights, evaluation) > 0.001


def test_norms_that_are_written_out_are_norms(tmp_path: Path) -> None:
    """Before opset 17: means, a difference, its square, a root and a quotient."""
    network = exported(tmp_path, 13)
    assert not any(node.op.kind == "LayerNormalization" for node in network.graph.nodes)
    (y,) = plan(separate(network.graph), network.weights, 0).outputs.values()
    assert y.error is not None
    assert y.error.max() < 0.01 * np.ptp(y.value)
    assert never_leaves(separate(network.graph), network.weights, "pushed") > 0.001
    assert found(network, InProcess()).verdict is Verdict.PASS


class Faulty(InProcess):
    """A runtime that takes a layer for another, or has one number wrong."""

    def __init__(
        self, change: Callable[[Node], Node] = lambda node: node, param: str = "", factor: float = 1.0
    ) -> None:
        super().__init__(checked=False)
        self.change, self.param, self.factor = change, param, factor

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        arrays = {p.name: weights[p].copy() for p in graph.params()}
        if self.param:
            first = tuple(np.argwhere(arrays[self.param])[0])
            arrays[self.param][first] *= np.float32(self.factor)
        nodes = tuple(self.change(node) for node in graph.nodes)
        super().load(replace(graph, nodes=nodes), given(arrays), every_tensor=every_tensor)


def other_axis(node: Node) -> Node:
    """Shares that add up to 1 over the queries."""
    return replace(node, op=Softmax(2)) if node.op == Softmax(3) else node


def hotter(node: Node) -> Node:
    """Products that are not divided by √d."""
    scales = node.op.kind in ("Mul", "Div") and len(node.type.shape) == 4 and node.type.shape[-1] == node.type.shape[-2]
    return replace(node, op=Identity(), inputs=node.inputs[:1]) if scales else node


def keys_for_queries(node: Node) -> Node:
    if isinstance(node.op, Slice) and node.op.ranges[0].start == 0:
        return replace(node, op=Slice((replace(node.op.ranges[0], start=1, stop=2),)))
    return node


def other_epsilon(node: Node) -> Node:
    return replace(node, op=replace(node.op, epsilon=1.01e-5)) if isinstance(node.op, LayerNorm) else node


@pytest.mark.parametrize("change", [other_axis, hotter, keys_for_queries, other_epsilon])
def test_attention_that_is_computed_otherwise_fails(network: onnxconv.Network, change: Callable[[Node], Node]) -> None:
    assert found(network, Faulty(change)).verdict is Verdict.FAIL


def test_most_wrong_signs_in_a_matrix_show(network: onnxconv.Network) -> None:
    """Of the eight matrices two widen, of whose columns the next one reads a few."""
    matrices = [
        p.name for n in network.graph.nodes if n.op.kind == "Constant" for _, p in n.params if len(p.shape) == 2
    ]
    assert len(matrices) == 8
    verdicts = [found(network, Faulty(param=name, factor=-1.0)).verdict for name in matrices]
    assert verdicts.count(Verdict.FAIL) >= 6
