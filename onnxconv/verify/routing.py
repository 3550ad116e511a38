"""Probe `routing`: the whole model as the runtime optimises it, bit for bit from input to output, at any depth.

See `route` for the weights. What the sums cannot hold exactly (means over counts that are no power of two, sigmoids,
too many additions in a row) is met by a bound carried from there to the output, which stays tight since nothing grows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np

from onnxconv.graph import Graph
from onnxconv.verify.case import Case, judged
from onnxconv.verify.compare import Comparison, merge, outputs_differ, within
from onnxconv.verify.coverage import Seen, add, shares
from onnxconv.verify.plan import plan, separate
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


def routing(case: Case) -> Iterator[Finding]:
    """One finding for each output, over all trials."""
    totals: dict[str, Comparison] = {}
    flat: dict[str, bool] = {}
    seen: Seen = {}
    inexact, blur = "", 0.0
    graph = separate(case.graph)
    for trial in count():
        tell = partial(_tell, case, min(trial, case.trials - 1))
        made = plan(graph, case.weights, case.seed + trial, tell, gather=trial >= case.trials)
        case.bench.load(graph, given(made.arrays))
        got = case.bench.run(made.inputs)
        types = case.graph.types()
        expected = {name: (types[name].dtype, y.value.shape) for name, y in made.outputs.items()}
        if wrong := outputs_differ(got, expected):
            yield Finding(case.output, Verdict.FAIL, wrong, note=f"seed {case.seed + trial}")
            return
        seen = add(seen, made.seen)
        inexact = inexact or made.inexact
        for name, y in made.outputs.items():
            blur = max(blur, _blur(y))
            totals[name] = merge(totals.get(name), within(got[name], y.value, _limit(y)))
            flat[name] = flat.get(name, True) and name in made.dead
        if trial + 1 >= case.trials and (
            _covered(case, seen) or trial + 1 >= (MOST_TRIALS if case.coverage else UNASKED)
        ):
            break
    within_it = f", from there within a carried bound: {blur:.2g} of the range of values"
    note = f"exact up to {inexact!r}" + within_it * (blur > 0) if inexact else "equal bit for bit"
    note += f"; {trial + 1} trials" if trial else ""
    for name, total in totals.items():
        yield _finding(case.graph, name, total, flat[name], shares(seen), note)


def _tell(case: Case, trial: int, done: float, text: str) -> None:
    case.advance((trial + done) / case.trials, text)


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
