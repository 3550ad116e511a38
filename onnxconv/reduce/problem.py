"""Numbers on which a runtime may be asked whether it computes a graph: inputs, weights, and what must come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from onnxconv.execute import apply, run
from onnxconv.graph import Graph, Node, only
from onnxconv.runtimes import RuntimeAbsent, RuntimeFailed
from onnxconv.verify.arithmetic import Layer, allowed
from onnxconv.verify.case import Bench
from onnxconv.verify.compare import Comparison, outputs_differ, within
from onnxconv.verify.draw import KINDS, Stream, real
from onnxconv.verify.instance import instances
from onnxconv.verify.plan import plan, separate
from onnxconv.verify.refusal import gravity
from onnxconv.verify.sizes import pinned
from onnxconv.verify.verdict import Verdict
from onnxconv.verify.words import Array
from onnxconv.weights import Weights, given

__all__ = ["FAMILIES", "Disagreement", "Problem", "disagreement", "problems"]

FAMILIES = ("exact", "bound", "routing")
"""Where the numbers come from: integers for one layer, the network's own weights for one layer, a routed network."""


@dataclass(frozen=True)
class Problem:
    """A graph of known sizes, weights by parameter name, inputs, and outputs with the error that each may have.

    `exact`: equality is demanded, and stays so when numbers are replaced by 0.
    """

    graph: Graph
    arrays: Mapping[str, Array]
    inputs: Mapping[str, Array]
    expected: Mapping[str, Array]
    limit: Mapping[str, Array | float]
    exact: bool

    def changed(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> Problem:
        """The same graph on other numbers."""
        types = self.graph.types()
        if len(self.graph.nodes) > 1:
            made: Mapping[str, Array] = run(self.graph, given(arrays), inputs)
            return replace(self, arrays=arrays, inputs=inputs, expected={n: made[n] for n in self.expected})
        (node,) = self.graph.nodes
        xs, w = [inputs[name] for name in node.inputs], {role: arrays[p.name] for role, p in node.params}
        y = apply(node, xs, w)
        limit = 0.0 if self.exact else allowed(Layer(node, xs, w, y), "direct")
        assert types[node.output].shape == y.shape, "sizes are known"
        return replace(self, arrays=arrays, inputs=inputs, expected={node.output: y}, limit={node.output: limit})


@dataclass(frozen=True)
class Disagreement:
    """What a runtime made of a problem instead. `reason`: in words, where it gave nothing that could be compared."""

    problem: Problem
    got: Mapping[str, Array]
    found: Comparison | None
    reason: str


def problems(graph: Graph, family: str, seed: int, weights: Weights | None = None) -> Iterator[Problem]:
    """Problems of one family that this graph, of known sizes, can be asked."""
    if family == "routing":
        yield from _routed(separate(graph), given({}) if weights is None else weights, seed)
        return
    (node,) = graph.nodes
    shapes = tuple(tuple(int(n) for n in graph.types()[name].shape) for name in node.inputs)
    if family == "exact":
        for make in instances(node, node.type.dtype, (seed, "reduce")):
            made = make(shapes)
            yield _alone(graph, node, made.xs, made.weights, exact=made.exact)
        return
    assert weights is not None, "own weights are given"
    w = {role: weights[param] for role, param in node.params}
    for kind in KINDS:
        drawn = {
            name: real(kind, shape, graph.types()[name].dtype, Stream("reduce", seed, kind, name))
            for name, shape in zip(node.inputs, shapes, strict=True)
        }
        yield _alone(graph, node, tuple(drawn[name] for name in node.inputs), w, exact=False)


def _alone(graph: Graph, node: Node, xs: tuple[Array, ...], w: Mapping[str, Array], *, exact: bool) -> Problem:
    arrays, inputs = {param.name: w[role] for role, param in node.params}, dict(zip(node.inputs, xs, strict=True))
    return Problem(graph, arrays, inputs, {}, {}, exact).changed(arrays, inputs)


def _routed(graph: Graph, weights: Weights, seed: int) -> Iterator[Problem]:
    made = plan(graph, weights, seed)
    expected = {name: y.value for name, y in made.outputs.items()}
    limit = {name: y.slack() for name, y in made.outputs.items()}
    batch = next(iter(made.inputs.values())).shape[0]
    yield Problem(pinned(graph, batch), made.arrays, made.inputs, expected, limit, not made.inexact)


def disagreement(bench: Bench, problem: Problem) -> Disagreement | None:
    """What a runtime makes of a problem, if that is wrong; a runtime that cannot take it does not disagree."""
    types = problem.graph.types()
    try:
        bench.load(problem.graph, given(problem.arrays))
        got = bench.run(problem.inputs)
    except RuntimeAbsent:
        return None
    except RuntimeFailed as error:
        return Disagreement(problem, {}, None, error.reason) if gravity(error) is Verdict.FAIL else None
    wrong = outputs_differ(got, {name: (types[name].dtype, y.shape) for name, y in problem.expected.items()})
    if wrong:
        return Disagreement(problem, got, None, wrong)
    for name, y in problem.expected.items():
        found = within(got[name], y.astype(np.float64), problem.limit[name])
        if found.mismatches:
            said = f"{found.mismatches} of {found.elements} elements are wrong; the worst, at {list(found.worst)}, "
            return Disagreement(problem, got, found, f"{said}is {found.got!r} instead of {found.expected!r}")
    return None


def alone(graph: Graph, node: Node) -> Graph:
    """One layer with numbers for all sizes."""
    return pinned(only(graph, node))
