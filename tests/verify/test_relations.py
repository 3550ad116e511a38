"""Relations hold of a correct runtime, and each of the ways to get a convolution wrong breaks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from verify.in_process import InProcess
from verify.sketch import Sketch, window

from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph, Node
from onnxconv.ops import Conv, ConvTranspose, Relu
from onnxconv.verify import Finding, Verdict, verify
from onnxconv.verify.case import Case
from onnxconv.verify.relations import RELATIONS, relations, written_out
from onnxconv.weights import Weights, given, seeded

Change = Callable[[Node, dict[str, np.ndarray]], tuple[Node, dict[str, np.ndarray]]]

torch = pytest.importorskip("torch")


def net() -> Graph:
    """Everything unequal, so that no fault is equivalent to none."""
    s = Sketch(("N", 4, 17, 14))
    s.add(Conv(window((3, 2, 1, 0, 2), (3, 1, 2, 3, 1)), 6, 2), name="conv")
    s.add(Relu(), name="relu")
    s.add(ConvTranspose((TransposedAxis(3, 2, 1, (1, 0), 1), TransposedAxis(2, 1, 2, (0, 1), 0)), 4, 2), name="up")
    return s.graph()


class Faulty(InProcess):
    """onnxruntime on another layer than the one it is asked about, or with another output."""

    def __init__(self, change: Change | None = None, after: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
        super().__init__(checked=False)
        self.change, self.after = change, after

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        (node,) = graph.nodes
        w = {role: weights[param] for role, param in node.params}
        if self.change is not None:
            node, w = self.change(node, w)
        super().load(replace(graph, nodes=(node,)), given({param.name: w[role] for role, param in node.params}))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        got = super().run(inputs)
        return {name: self.after(y) if self.after else y for name, y in got.items()}


def found(bench: InProcess) -> Finding:
    (finding,) = relations(Case(net(), seeded(), bench))  # type: ignore[arg-type]
    return finding


def test_a_correct_runtime_keeps_all() -> None:
    finding = found(InProcess())
    assert finding.verdict is Verdict.PASS, finding.reason
    assert all(name in finding.note for name in RELATIONS)


def axes(change: Callable[[Any], Any], kinds: tuple[str, ...] = ("Conv", "ConvTranspose")) -> Change:
    def changed(node: Node, w: dict[str, np.ndarray]) -> tuple[Node, dict[str, np.ndarray]]:
        if node.op.kind not in kinds:
            return node, w
        op = replace(node.op, window=tuple(map(change, node.op.window)))  # type: ignore[attr-defined, type-var]
        return replace(node, op=op), w

    return changed


def weights(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda node, w: (node, {**w, "weight": np.ascontiguousarray(change(w["weight"]))})


FAULTS: dict[str, tuple[Change | None, Callable[[np.ndarray], np.ndarray] | None]] = {
    "begin and end swapped": (axes(lambda a: replace(a, pad=a.pad[::-1])), None),
    "kernel flipped": (weights(lambda w: w[..., ::-1]), None),
    "kernel transposed": (weights(lambda w: np.swapaxes(w, 2, 3) if w.shape[2] == w.shape[3] else w), None),
    "filters in another order": (weights(lambda w: w[::-1]), None),
    "last channel dropped": (weights(lambda w: np.concatenate([w[:, :-1], 0 * w[:, -1:]], axis=1)), None),
    "bias left out": (lambda node, w: (node, {**w, "bias": 0 * w["bias"]}), None),
    "second image is the first": (None, lambda y: np.repeat(y[:1], len(y), axis=0)),
    "last row zero": (None, lambda y: np.concatenate([y[:, :, :-1], 0 * y[:, :, -1:]], axis=2)),
    "one value off": (None, lambda y: y + np.eye(1, y.size, y.size // 2, dtype=y.dtype).reshape(y.shape)),
    "clipped": (None, lambda y: np.maximum(y, 0)),
    "squared": (None, lambda y: y * y),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_breaks_a_relation(fault: str) -> None:
    finding = found(Faulty(*FAULTS[fault]))
    assert finding.verdict is Verdict.FAIL
    assert "relation: " in finding.reason or "differ in shape" in finding.reason


@pytest.mark.parametrize(
    ("relation", "after"),
    [
        ("taps", lambda y: y + 1),
        ("batch", lambda y: y - (len(y) - 1)),
        ("sum", lambda y: y * y),
    ],
)
def test_relations_break_on_their_own(relation: str, after: Callable[[np.ndarray], np.ndarray]) -> None:
    """Each is able to fail, not only the first that is tried."""
    from onnxconv.verify import relations as room

    (node, *_) = net().nodes
    bench = Faulty(None, after)
    case = Case(net(), seeded(), bench)  # type: ignore[arg-type]
    run = room._runner(case)
    instance = room._operands(case, node, (2, 4, 17, 14))
    layer = room.Layer(node, instance.xs[0], instance.weights, run)
    y = run(node, layer.x, layer.w)
    assert any((left != right).any() for left, right in RELATIONS[relation](layer, y))


def test_kernels_with_many_zeros_are_written_out_for_few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """DeepLab's widest kernel has 73 x 73 places with its zeros, times 2048 channels and 256 filters."""
    from onnxconv.verify import relations as room

    monkeypatch.setattr(room, "PATCHES", 9 * 9 * 9 * 9 * 2)
    s = Sketch(("N", 8, 9, 9))
    s.add(Conv(window((3, 1, 4, 4, 4), (3, 1, 4, 4, 4)), 6), name="conv")
    (node,) = s.graph().nodes

    def pairs(bench: InProcess) -> list[tuple[np.ndarray, np.ndarray]]:
        case = Case(s.graph(), seeded(), bench)  # type: ignore[arg-type]
        run = room._runner(case)
        instance = room._operands(case, node, (2, 8, 9, 9))
        layer = room.Layer(node, instance.xs[0], instance.weights, run)
        return list(RELATIONS["dilation"](layer, run(node, layer.x, layer.w)))

    ((left, right),) = pairs(InProcess(checked=False))
    assert left.shape == right.shape == (2, 2, 9, 9)
    assert (left == right).all()
    assert left.any()
    dense = axes(lambda a: replace(a, dilation=1, pad=(1, 1)) if a.dilation > 1 else a)
    ((left, right),) = pairs(Faulty(dense))
    assert (left != right).any()


def test_networks_without_convolutions_are_not_asked() -> None:
    s = Sketch(("N", 2, 8))
    s.add(Relu(), name="relu")
    assert "relations" not in {check.probe for check in verify(s.graph(), seeded()).checks}


SIZES = st.integers(1, 3)
PADS = st.tuples(st.integers(0, 2), st.integers(0, 2))


@drawn(st.lists(st.tuples(SIZES, SIZES, SIZES, PADS), min_size=1, max_size=3), SIZES, st.booleans(), st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_what_is_written_out_is_what_torch_computes(axes: list[Any], groups: int, up: bool, seed: int) -> None:
    rng, rank = np.random.default_rng(seed), len(axes)
    pads = [(b, b) if up else (b, e) for *_, (b, e) in axes]
    kind, op = (TransposedAxis, ConvTranspose) if up else (Axis, Conv)
    taken = tuple(kind(k, s, d, pad) for (k, s, d, _), pad in zip(axes, pads, strict=True))
    shape = (2, 2 * groups, *(axis.extent + 4 for axis in taken))
    s = Sketch(shape)
    s.add(op(taken, 3 * groups, groups), name="conv")  # type: ignore[arg-type]
    (node,) = s.graph().nodes
    x = rng.integers(-9, 10, shape).astype(np.float64)
    w = {role: rng.integers(-9, 10, param.shape).astype(np.float64) for role, param in node.params}
    tensors = [torch.from_numpy(a) for a in (x, w["weight"], w["bias"])]
    stride, dilation = [k[1] for k in axes], [k[2] for k in axes]
    if up:
        function = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)[rank - 1]
        y = function(*tensors, stride, [p[0] for p in pads], 0, groups, dilation)
    else:
        function = (torch.conv1d, torch.conv2d, torch.conv3d)[rank - 1]
        widths = [n for pad in reversed(pads) for n in pad]
        tensors[0] = torch.nn.functional.pad(tensors[0], widths)
        y = function(*tensors, stride, 0, dilation, groups)
    assert np.array_equal(written_out(node, x, w), y.numpy())


def test_what_does_not_depend_on_the_input_proves_nothing() -> None:
    """Two taps, two pixels apart, around a lone pixel, see padding alone: each output is its filter's bias."""
    s = Sketch(("N", 4, 1, 1))
    s.add(Conv(window((2, 1, 2, 1, 1), (2, 1, 2, 1, 1)), 6), name="blind")
    finding = next(relations(Case(s.graph(), seeded(), InProcess())))  # type: ignore[arg-type]
    assert finding.verdict is Verdict.UNTRUSTED
    assert finding.reason == "what is compared does not depend on the input: taps of 'blind' and 4 more"
