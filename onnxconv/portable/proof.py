"""Evidence that a written model computes what the original does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxconv.graph import Graph
from onnxconv.portable.layers import layers
from onnxconv.portable.original import Original
from onnxconv.runtimes import RuntimeAbsent, RuntimeFailed
from onnxconv.verify import Finding, Verdict, overall
from onnxconv.verify.case import Case
from onnxconv.verify.routing import routing
from onnxconv.verify.shape import shape
from onnxconv.verify.sizes import hollow
from onnxconv.weights import Weights

__all__ = ["EVALUATORS", "Evidence", "judge_reading", "proved"]

EVALUATORS: tuple[tuple[str, dict[str, str]], ...] = (
    ("onnxruntime:cpu", {"optimization": "off"}),
    ("onnx-reference", {}),
)
"""Runtimes that are asked what the original computes, with their options, the first that can run it."""

TIMEOUT = 600.0
"""Seconds for one load or one run of the original."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one probe found out. `by`: the runtime that ran the original, with its version; empty for our own executor."""

    probe: str
    by: str
    finding: Finding

    def document(self) -> dict[str, Any]:
        f = self.finding
        return {
            "probe": self.probe,
            "by": self.by,
            "verdict": f.verdict.value,
            **({"reason": f.reason} if f.reason else {}),
            "elements": f.elements,
            "bound_used": f.bound_used,
            **({"coverage": dict(f.coverage)} if f.coverage else {}),
            **({"note": f.note} if f.note else {}),
        }


def judge_reading(graph: Graph, weights: Weights, file: Path, tell: Callable[[str], None]) -> tuple[Evidence, ...]:
    """Evidence that the graph is what the model at `file` says, from the first runtime that agrees with it throughout.

    Where none does: what all of them say.
    """
    found: list[Evidence] = []
    for name, options in EVALUATORS:
        mine = tuple(_asked(graph, weights, file, name, options, tell))
        if proved(mine):
            return (*(e for e in found if e.finding.verdict is Verdict.FAIL), *mine)
        found += mine
    return tuple(found)


def proved(evidence: tuple[Evidence, ...]) -> bool:
    """One runtime agrees about the outputs' types and about every layer, and nothing that it ran disagrees."""
    by = {one.by for one in evidence}
    return any(_agrees([one for one in evidence if one.by == runtime]) for runtime in by)


def _agrees(evidence: list[Evidence]) -> bool:
    verdicts = {
        probe: overall(e.finding.verdict for e in evidence if e.probe == probe) for probe in ("shape", "layers")
    }
    return all(v is Verdict.PASS for v in verdicts.values()) and not any(
        e.finding.verdict is Verdict.FAIL for e in evidence
    )


def _asked(
    graph: Graph, weights: Weights, file: Path, name: str, options: dict[str, str], tell: Callable[[str], None]
) -> Iterator[Evidence]:
    output = ", ".join(graph.outputs)
    try:
        bench = Original(file, weights, name, TIMEOUT, options)
    except (RuntimeFailed, RuntimeAbsent) as error:
        yield Evidence("layers", name, Finding(output, Verdict.NOT_RUN, error.reason))
        return
    with bench:
        by = f"{name} {bench.version}"
        case = Case(graph, weights, bench)
        for probe in ("shape", "layers", "routing"):
            tell(f"{name}: {probe}")
            for finding in _findings(case, probe):
                yield Evidence(probe, by, finding)


def _findings(case: Case, probe: str) -> Iterator[Finding]:
    """What a probe finds; a runtime that cannot run a model has not disagreed about it."""
    if empty := hollow(case.graph):
        yield Finding(case.output, Verdict.UNTRUSTED, empty)
        return
    try:
        if probe == "layers":
            yield from layers(case)
        elif probe == "shape":
            yield from shape(case)
        else:
            yield from (replace(f, note=_covered(f)) for f in routing(case))
    except (RuntimeFailed, RuntimeAbsent) as error:
        yield Finding(case.output, Verdict.NOT_RUN, error.reason)


def _covered(finding: Finding) -> str:
    shares = ", ".join(f"{share:.0%} of {what}" for what, share in finding.coverage.items())
    return f"{finding.note}; covered {shares}" if shares else finding.note
