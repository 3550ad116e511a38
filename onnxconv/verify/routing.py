"""Probe `routing`: the whole model as the runtime optimises it, bit for bit from input to output, at any depth.

See `route` for the weights. What the sums cannot hold exactly (means over counts that are no power of two, sigmoids,
too many additions in a row) is met by a bound carried from there to the output, which stays tight since nothing grows.
Such means are exact in further trials, in whole multiples of those counts: see `multiples`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import numpy as np

from onnxconv.graph import Graph
from onnxconv.verify.case import Case, judged
from onnxconv.verify.compare import Comparison, merge, outputs_differ, within
from onnxconv.verify.coverage import Seen, add, shares
from onnxconv.verify.plan import Plan, aimed, plan, plan_in_multiples, separate
from onnxconv.verify.signal import Signal
from onnxconv.verify.verdict import Finding, Verdict
from onnxconv.verify.words import Array
from onnxconv.weights import given

__all__ = ["plan", "routing"]

LEAST = 0.5
"""Share of the filters below which a pass says nothing: a fault in one drawn at random would rather not have been seen."""
MOST_TRIALS = 64
"""Trials for the sake of a coverage that was asked for."""
UNASKED = 8
"""Trials for the sake of the least share."""


@dataclass
class _Tally:
    """What trials have shown so far. `trials`: of each the first layer that rounds, and the largest error allowed."""

    totals: dict[str, Comparison] = field(default_factory=dict)
    flat: dict[str, bool] = field(default_factory=dict)
    seen: Seen = field(default_factory=dict)
    trials: list[tuple[str, float]] = field(default_factory=list)

    def count(self, made: Plan, got: Mapping[str, Array]) -> None:
        """Add a trial's outputs to the account."""
        self.seen = add(self.seen, made.seen)
        self.trials.append((made.inexact, max(map(_blur, made.outputs.values()))))
        for name, y in made.outputs.items():
            self.totals[name] = merge(self.totals.get(name), within(got[name], y.value, _limit(y)))
            self.flat[name] = self.flat.get(name, True) and name in made.dead


def routing(case: Case) -> Iterator[Finding]:
    """One finding for each output, over all trials."""
    tally = _Tally()
    graph = separate(case.graph)
    for seed, made in _plans(case, graph, tally):
        case.bench.load(graph, given(made.arrays))
        got = case.bench.run(made.inputs)
        types = case.graph.types()
        expected = {name: (types[name].dtype, y.value.shape) for name, y in made.outputs.items()}
        if wrong := outputs_differ(got, expected):
            yield Finding(case.output, Verdict.FAIL, wrong, note=f"seed {seed}")
            return
        tally.count(made, got)
    for name, total in tally.totals.items():
        yield _finding(case.graph, name, total, tally.flat[name], shares(tally.seen), _note(tally.trials))


def _plans(case: Case, graph: Graph, tally: _Tally) -> Iterator[tuple[int, Plan]]:
    """A plan for each trial that was asked for and, as long as too few filters were observed, further ones; then those in
    whole multiples.
    """
    parts = 2 if aimed(graph, case.seed) else 1
    for trial in count():
        seed, tell = case.seed + trial, partial(_tell, case, trial, 0, parts)
        gather = trial >= case.trials
        make = partial(plan, graph, case.weights, seed, tell, gather=gather)
        yield seed, case.kept.get(("plan", seed, gather), make)
        most = MOST_TRIALS if case.coverage else UNASKED
        if trial + 1 >= case.trials and (_covered(case, tally.seen) or trial + 1 >= most):
            break
    for trial in range(case.trials):
        seed, tell = case.seed + trial, partial(_tell, case, trial, 1, parts)
        in_multiples = partial(plan_in_multiples, graph, case.weights, seed, tell)
        if made := case.kept.get(("multiples", seed), in_multiples):
            yield seed, made


def _note(trials: Sequence[tuple[str, float]]) -> str:
    """How exact the trials were; where they differ, how many were as exact as the most exact, an exact one or the last."""
    best = min((inexact for inexact, _ in reversed(trials)), key=bool)
    others = [(inexact, blur) for inexact, blur in trials if inexact != best]
    blur = max(blur for _, blur in trials)
    within_it = f", from there within a carried bound: {blur:.2g} of the range of values" if blur else ""
    exactly = f"exact up to {best!r}" if best else "equal bit for bit"
    if not others:
        return exactly + within_it + (f"; {len(trials)} trials" if len(trials) > 1 else "")
    rest = f"in the other{'s' if len(others) > 1 else ''} exact up to {others[0][0]!r}{within_it}"
    return f"{exactly} in {len(trials) - len(others)} of {len(trials)} trials, {rest}"


def _tell(case: Case, trial: int, part: int, parts: int, done: float, text: str) -> None:
    case.advance((part + min((trial + done) / case.trials, 1.0)) / parts, text)


def _covered(case: Case, seen: Seen) -> bool:
    """The asked share of the filters was observed, and the least."""
    return shares(seen).get("filters", 1.0) >= max(case.coverage, LEAST)


def _blur(y: Signal) -> float:
    """The largest error allowed, relative to the range of values: smaller differences are not seen. 0 where none is known."""
    known = np.isfinite(_limit(y))
    extent = float(np.ptp(y.value[known])) if known.any() else 0.0
    return float(y.slack()[known].max()) / extent if extent else 0.0


def _limit(y: Signal) -> Array:
    """The error allowed, infinite where it is as large as the largest value: zeros would pass."""
    error = y.slack()
    return np.where((error > 0) & (error >= np.abs(y.value).max()), np.inf, error)


def _unseen(share: float) -> str:
    return (
        f"{share:.1%} of the filters were observed, less than {LEAST:.0%}: a fault in one of all, drawn at random, "
        "would more likely not have been seen"
    )


def _finding(graph: Graph, name: str, total: Comparison, flat: bool, coverage: dict[str, float], note: str) -> Finding:
    node = next((node for node in graph.nodes if node.output == name), None)
    wrong = (
        f"output {name!r} of the whole model: {total.mismatches} of {total.elements} elements are wrong; the worst, "
        f"at {list(total.worst)}, is {total.got!r} instead of {total.expected!r}"
    )
    if node is None:  # an input that is handed on
        verdict = Verdict.FAIL if total.mismatches else Verdict.PASS
        reason = wrong if total.mismatches else ""
        return Finding(name, verdict, reason, total.mismatches, total.elements, total.max_error, total.bound_used)
    finding = judged(name, total, node, coverage=coverage, note=note)
    if finding.verdict is Verdict.FAIL:  # any layer may be to blame, unless there is but one
        alone = finding.first_divergence if len(graph.nodes) == 1 else None
        return replace(finding, reason=wrong, first_divergence=alone)
    if finding.verdict is Verdict.UNTRUSTED:
        return replace(finding, reason="the bound carried here from the first rounding is as large as the values")
    if finding.verdict is Verdict.PASS and flat:
        return replace(finding, verdict=Verdict.UNTRUSTED, reason="no value reached this output: it is constant")
    if finding.verdict is Verdict.PASS and coverage.get("filters", 1.0) < LEAST:
        return replace(finding, verdict=Verdict.UNTRUSTED, reason=_unseen(coverage["filters"]))
    return finding
