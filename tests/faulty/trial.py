"""One mutant on one network: does it change anything, who notices, and which probe."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from faulty.machine import Arrays, Machine
from faulty.mutant import Mutant
from faulty.recipes import RECIPES, agrees, data, expected
from onnxconv.graph import Graph
from onnxconv.runtimes import RuntimeFailed
from onnxconv.verify import PROBES, Finding, Verdict, gravity
from onnxconv.verify.case import Bench, Case
from onnxconv.weights import Weights

RUNS = 3
"""Runs of normal data in the search for a difference."""


def battery(graph: Graph, special: bool) -> Iterator[Arrays]:
    """Inputs among which a fault that can be seen at all is seen: of all sizes, signs and, for special values, kinds."""
    for seed in range(RUNS):
        yield data(graph, "normal", 100 + seed)
    for by in (2.0**-24, 2.0**-6, 2.0**10, 1e5):
        yield {name: x * np.float32(by) for name, x in data(graph, "normal", 200).items()}
    yield data(graph, "0 to 1", 300)
    yield {name: -x for name, x in data(graph, "0 to 1", 301).items()}
    yield {name: np.rint(x) for name, x in data(graph, "−9 to 9", 302).items()}
    if special:
        for value in (np.nan, np.inf, -np.inf, -0.0, 2.0**-140):
            for share in (0.05, 1.0):
                yield {name: _strewn(x, value, share) for name, x in data(graph, "normal", 400).items()}


def _strewn(x: np.ndarray, value: float, share: float) -> np.ndarray:
    return np.where(np.random.default_rng(7).uniform(size=x.shape) < share, np.float32(value), x)


def equivalent(graph: Graph, weights: Weights, mutant: Mutant) -> bool:
    """No output of the network differs from that of the same machine without the fault, on any input of the battery.

    The two compute alike, term by term: a difference is the fault's alone. Bits are compared for special values, numbers
    for the other faults.
    """
    right, wrong = Machine(), Machine(mutant.fault)
    for machine in (right, wrong):
        machine.load(graph, weights)
    for inputs in battery(graph, mutant.special):
        one, other = right.run(inputs), wrong.run(inputs)
        if any(_differ(one[name], other[name], mutant.special) for name in one):
            return False
    return True


def _differ(a: np.ndarray, b: np.ndarray, bits: bool) -> bool:
    if bits and a.dtype == np.float32:
        return bool(((a.view(np.uint32) != b.view(np.uint32)) & ~(np.isnan(a) & np.isnan(b))).any())
    return not np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def found(
    graph: Graph, weights: Weights, bench: Bench | Machine, seed: int = 0, but: tuple[str, ...] = ()
) -> Iterator[tuple[str, Finding]]:
    """What each probe that applies finds, with its name, as `verify` goes through them."""
    for name, probe in PROBES.items():
        if name not in but and probe.applies(graph, "direct"):
            try:
                for finding in probe.find(Case(graph, weights, bench, seed=seed)):  # type: ignore[arg-type]
                    yield name, finding
            except RuntimeFailed as error:
                yield name, Finding("", gravity(error), error.reason)


Told = frozenset[tuple[str, str, str, str]]
"""Where a runtime does what others do not: (probe, layer, what was looked at, what was seen)."""


def told(graph: Graph, weights: Weights) -> Told:
    """What the probes that tell and do not judge have to say of the machine without a fault."""
    return frozenset(one for name, finding in found(graph, weights, Machine()) for one in _told(name, finding))


def _told(probe: str, finding: Finding) -> Iterator[tuple[str, str, str, str]]:
    for one in finding.capabilities:
        if one.holds is False:
            yield probe, one.layer, one.of, one.says


def caught(graph: Graph, weights: Weights, machine: Machine, usual: Told, seed: int = 0) -> str:
    """The first probe that fails, or else tells what is not usual; or nothing."""
    unusual = ""
    for name, finding in found(graph, weights, machine, seed):
        if finding.verdict is Verdict.FAIL:
            return name
        if not unusual and any(one not in usual for one in _told(name, finding)):
            unusual = name
    return unusual


class Answers:
    """What the recipes expect of a network: their data, and the right outputs."""

    def __init__(self, graph: Graph, weights: Weights, seed: int = 0) -> None:
        self.inputs = {recipe.data: data(graph, recipe.data, seed) for recipe in RECIPES}
        self.wanted = {kind: expected(graph, weights, inputs) for kind, inputs in self.inputs.items()}

    def noticed(self, machine: Machine) -> list[bool]:
        """Of each recipe, whether it finds fault with the model that the machine has loaded."""
        got = {kind: machine.run(inputs) for kind, inputs in self.inputs.items()}
        return [not agrees(recipe, got[recipe.data], self.wanted[recipe.data]) for recipe in RECIPES]
