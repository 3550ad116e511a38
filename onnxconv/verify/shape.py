"""Probe `shape`: the model as the user has it loads, runs, and returns what it declares."""

from __future__ import annotations

from collections.abc import Iterator

from onnxconv.execute import seeded_inputs
from onnxconv.verify.case import Case
from onnxconv.verify.compare import outputs_differ
from onnxconv.verify.sizes import concrete
from onnxconv.verify.verdict import Finding, Verdict

__all__ = ["shape"]

BATCH = 2
"""Images where the batch is symbolic: a runtime that fixes it at 1 is found out."""


def shape(case: Case) -> Iterator[Finding]:
    """Names, data types and shapes of all outputs, one finding for each."""
    shapes = concrete(case.graph, BATCH)
    types = case.graph.types()
    case.bench.load(case.graph, case.weights)
    case.advance(0.5, "shape: running")
    got = case.bench.run(seeded_inputs(case.graph, case.seed, {name: shapes[name] for name, _ in case.graph.inputs}))
    expected = {name: (types[name].dtype, shapes[name]) for name in case.graph.outputs}
    unknown = {name: array for name, array in got.items() if name not in expected}
    for name, declared in expected.items():
        mine = {name: got[name]} if name in got else {}
        wrong = outputs_differ(mine | unknown, {name: declared})
        elements = got[name].size if name in got else 0
        yield Finding(name, Verdict.FAIL if wrong else Verdict.PASS, wrong, elements if wrong else 0, elements)
