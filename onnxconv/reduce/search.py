"""From a network to the smallest case on which a runtime disagrees, always the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.graph import Graph
from onnxconv.reduce.fewer import fewer
from onnxconv.reduce.problem import FAMILIES, Disagreement, Problem, alone, disagreement, problems
from onnxconv.reduce.smaller import chain, measure, simpler
from onnxconv.verify.case import Bench
from onnxconv.verify.exact import layers
from onnxconv.verify.sizes import hollow, pinned
from onnxconv.weights import Weights

__all__ = ["Reduced", "reduce"]


@dataclass(frozen=True)
class Reduced:
    """A smallest disagreement, the runtime's version, the family of its numbers, and how often the runtime was asked."""

    disagreement: Disagreement
    version: str
    family: str
    asked: int

    def __str__(self) -> str:
        problem = self.disagreement.problem
        numbers = sum(int((a != 0).sum()) for a in (*problem.inputs.values(), *problem.arrays.values()))
        layers = len(problem.graph.nodes)
        return (
            f"{self.disagreement.reason}\n{layers} layer{'s' * (layers > 1)}, numbers that are not zero: {numbers}, "
            f"found by {self.family} after asking {self.asked} times"
        )


@dataclass
class _Search:
    bench: Bench
    seed: int
    weights: Weights
    tell: Callable[[str], None]
    families: Sequence[str] = FAMILIES
    asked: int = 0
    family: str = field(default="")

    def ask(self, problem: Problem) -> Disagreement | None:
        self.asked += 1
        return disagreement(self.bench, problem)

    def wrong(self, graph: Graph) -> Disagreement | None:
        """The first problem of the family on which the runtime disagrees."""
        asked = map(self.ask, problems(graph, self.family, self.seed, self.weights))
        return next((found for found in asked if found is not None), None)

    def first(self, graph: Graph) -> Disagreement | None:
        """A layer alone on integers, else on its own weights, else the network as a whole; and the family chosen."""
        for family in self.families:
            self.family = family
            if self.family == "routing":
                self.tell("the whole network")
                found = self.wrong(pinned(graph, 2))
                return self.cut(pinned(graph, 2), found) if found else None
            for node in layers(graph) if self.family == "exact" else graph.nodes:
                if node.op.kind == "Constant":
                    continue
                self.tell(f"{node.name} alone, {self.family}")
                if found := self.wrong(alone(graph, node)):
                    return found
        return None

    def cut(self, graph: Graph, found: Disagreement) -> Disagreement:
        """As few consecutive layers as still disagree, by bisection from the end and then from the start."""
        stop = _least(1, len(graph.nodes), lambda n: self.wrong(chain(graph, 0, n)) is not None)
        start = _least(0, stop - 1, lambda n: self.wrong(chain(graph, stop - 1 - n, stop)) is not None)
        return self.wrong(chain(graph, stop - 1 - start, stop)) or found

    def shrink(self, found: Disagreement) -> Disagreement:
        """Take the first simpler graph that disagrees, until none does."""
        again = True
        while again:
            again = False
            for graph in simpler(found.problem.graph):
                self.tell(f"{len(graph.nodes)} layers, {measure(graph)[2]} numbers")
                if smaller := self.wrong(graph):
                    found, again = smaller, True
                    break
        return found


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number from `low` to `high` that holds, if those above one that holds do; else `high`."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high


def reduce(
    graph: Graph,
    weights: Weights,
    *,
    runtime: str,
    families: Sequence[str] = FAMILIES,
    seed: int = 0,
    timeout: float = 60.0,
    options: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Reduced | None:
    """The smallest case on which a runtime disagrees with the reference; None where it disagrees on nothing that is tried.

    `families`: which numbers are tried, in this order, which is that of `FAMILIES`.
    Raises `RuntimeAbsent` where the runtime cannot work here, and `UsageError` where there is nothing to compare.
    """
    if empty := hollow(graph):
        raise UsageError(Diagnostic(Where(), "no-elements", empty, "a disagreement is about some element"))
    with Bench(runtime, timeout, options or {}) as bench:
        search = _Search(bench, seed, weights, tell, families)
        found = search.first(graph)
        if found is None:
            return None
        if search.family != "bound":  # those belong to the layer as it is
            found = search.shrink(found)
        if found.problem.exact or search.family == "bound":
            found = fewer(found, search.ask)
        return Reduced(found, bench.version, search.family, search.asked)
