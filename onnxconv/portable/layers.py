"""Probe `layers`: each layer as we read it against the original's own tensors, within what its arithmetic may err.

A layer is computed from the tensors that the runtime says the original has there. Where a layer was made of a part of a
node, or of a node inside a function, its input is not to be had: it is computed, and its possible error carried along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from onnxconv.dtypes import FLOATS, rounded
from onnxconv.execute import apply, magnitude
from onnxconv.graph import Graph, Node, Param
from onnxconv.portable.original import Original
from onnxconv.runtimes import RuntimeAbsent
from onnxconv.verify import Finding, Verdict
from onnxconv.verify.arithmetic import DIRECT, Layer, allowed
from onnxconv.verify.carried import error_after
from onnxconv.verify.case import Case, judged
from onnxconv.verify.compare import Comparison, all_same, merge, outputs_differ, within
from onnxconv.verify.draw import KINDS, Stream, real
from onnxconv.verify.judge import settled
from onnxconv.verify.rounding import bound
from onnxconv.verify.signal import Signal
from onnxconv.verify.sizes import concrete
from onnxconv.verify.words import Array
from onnxconv.weights import Weights, given, seeded

__all__ = ["Arrays", "Computed", "computed", "layers"]

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


class Arrays(Protocol):
    """Whatever gives the array of a parameter."""

    def __getitem__(self, param: Param, /) -> Array: ...


@dataclass(frozen=True)
class Computed:
    """A tensor, and how far another correct evaluation of it may be off; None: not at all."""

    value: Array
    error: Array | None = None


def layers(case: Case) -> Iterator[Finding]:
    """One finding for the whole model: the first layer that disagrees, or none does.

    For as long as layers remain that could not have disagreed, another kind of data is tried, and in the end, where they have
    a place in the file, drawn weights instead of its own.
    """
    seen = _Seen(case.graph)
    case.bench.load(case.graph, case.weights, every_tensor=True)
    for kind in KINDS:
        yield from seen.compare(case, kind)
        if seen.done:
            break
    else:
        drawn = replace(case, weights=_drawn(case))
        try:
            drawn.bench.load(drawn.graph, drawn.weights, every_tensor=True)
        except RuntimeAbsent:
            pass
        else:
            yield from seen.compare(drawn, KINDS[0], "with drawn weights, ")
    if not seen.failed:
        yield seen.summary(case)


def _drawn(case: Case) -> Weights:
    """Weights as a seed gives them, for all layers but constants, which shape the graph."""
    constants = {param.name for node in case.graph.nodes if node.op.kind == "Constant" for _, param in node.params}
    drawn = seeded(case.seed)
    return given(
        {
            p.name: (case.weights if p.name in constants or p.dtype not in FLOATS else drawn)[p]
            for p in case.graph.params()
        }
    )


class _Seen:
    """What has been compared so far: all in all, and which layers could not have disagreed yet."""

    def __init__(self, graph: Graph) -> None:
        self.total: Comparison | None = None
        self.judged: set[str] = set()
        self.blind = [node.name for node in graph.nodes if node.op.kind != "Constant"]
        self.data: list[str] = []
        self.failed = False

    @property
    def done(self) -> bool:
        return self.failed or not self.blind

    def compare(self, case: Case, kind: str, weights: str = "") -> Iterator[Finding]:
        """Run the model that is loaded on one kind of data; a finding where it disagrees."""
        assert isinstance(case.bench, Original), "the judged is the original"
        shapes, types, shown = concrete(case.graph, 1), case.graph.types(), case.bench.shown
        self.blind = [node.name for node in case.graph.nodes if node.name in self.blind and node.output in shown]
        self.data.append(f"{weights}{kind}")
        inputs = {
            name: real(kind, shapes[name], type.dtype, Stream("layers", case.seed, kind, name))
            for name, type in case.graph.inputs
        }
        got = case.bench.run(inputs)
        expected = {name: (types[name].dtype, shapes[name]) for name in {*shown, *case.graph.outputs}}
        if wrong := outputs_differ(got, expected):
            self.failed = True
            yield Finding(case.output, Verdict.FAIL, wrong, note=f"{self.data[-1]} data")
            return
        for node, found in compared(case, got | inputs, shown):
            self.total = merge(self.total, found)
            self.judged.add(node.name)
            if found.mismatches:
                self.failed = True
                whole = replace(found, elements=self.total.elements)
                yield judged(case.output, whole, node, note=f"{self.data[-1]} data")
                return
            if node.name in self.blind and _telling(found, got[node.output]):
                self.blind.remove(node.name)

    def summary(self, case: Case) -> Finding:
        """What to say where nothing disagreed."""
        if self.total is None:
            return Finding(case.output, Verdict.UNTRUSTED, "no layer's output is to be had from the original")
        more = f" and {len(self.blind) - 1} more" if len(self.blind) > 1 else ""
        reason = f"one value throughout, or nothing finite to compare, in {self.blind[0]!r}{more}" if self.blind else ""
        hidden = sum(node.op.kind != "Constant" for node in case.graph.nodes) - len(self.judged)
        note = f"{len(self.judged)} layers on {', '.join(self.data)} data"
        note += f"; {hidden} that are parts of a node are judged with the layers after them" if hidden else ""
        verdict = Verdict.UNTRUSTED if self.blind else Verdict.PASS
        total = self.total
        elements = total.elements - total.unjudged
        return Finding(case.output, verdict, reason, 0, elements, total.max_error, total.bound_used, note=note)


def compared(case: Case, tensors: Mapping[str, Array], shown: frozenset[str]) -> Iterator[tuple[Node, Comparison]]:
    """Every layer whose output the runtime puts out, against its definition on the runtime's own tensors."""
    known = {name: Computed(array) for name, array in tensors.items()}
    for node in case.graph.nodes:
        made = computed(node, [known[name] for name in node.inputs], case.weights, case.arithmetic)
        if node.op.kind == "Constant" or node.output not in shown:
            known[node.output] = made
            continue
        limit = 0.0 if made.error is None else made.error
        yield node, within(tensors[node.output], made.value, limit)


def computed(node: Node, xs: Sequence[Computed], weights: Arrays, arithmetic: str = "direct") -> Computed:
    """A layer's output, and how far from it a correct evaluation may be whose inputs are off by as much as these."""
    values = [x.value for x in xs]
    w = {role: weights[param] for role, param in node.params}
    n = node.op.roundings(*(x.shape for x in values))
    with np.errstate(all="ignore"):
        y = apply(node, values, w)
        if all(x.error is None for x in xs) and settled(node, values):
            if n == 0 and arithmetic == DIRECT:
                return Computed(rounded(y, node.type.dtype))
            return Computed(y, allowed(Layer(node, values, w, y), arithmetic))
        return Computed(y, _carried(node, xs, w, y, n))


def _carried(node: Node, xs: Sequence[Computed], w: Mapping[str, Array], y: Array, n: int) -> Array:
    errors = [np.zeros_like(x.value, np.float64) if x.error is None else x.error for x in xs]
    reach = [np.abs(x.value) + e for x, e in zip(xs, errors, strict=True)]
    if node.op.kind in PRODUCTS:
        none = {role: np.zeros_like(a) for role, a in w.items()}
        products = none | {role: np.abs(a) for role, a in w.items() if role == "weight"}
        through: Array = apply(node, errors, products)
        return through + bound(node.type.dtype, n, magnitude(node, reach, w))
    signals = [Signal(x.value, 0, np.abs(x.value), e) for x, e in zip(xs, errors, strict=True)]
    return error_after(node, signals, w, y, magnitude(node, reach, w))


def _telling(found: Comparison, y: Array) -> bool:
    """Something was compared, and a wrong result could have been told from it."""
    return found.unjudged < found.elements and not (y.size > 1 and all_same(y))
