"""What is said about a model that was made from another one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from onnxconv.errors import Diagnostic, NotAvailable, OnnxconvError, Where
from onnxconv.portable.changes import Change
from onnxconv.portable.proof import Evidence
from onnxconv.verify import Verdict

__all__ = ["Account", "Disproved", "unproved"]

WIDTH = 100

QUESTIONS = {
    "shape": "names, types and shapes of the outputs",
    "layers": "every layer on the original's own tensors, with its own weights, each within its derived bound",
    "routing": "the whole original with weights that route values through it",
    "written": "the file as written, read back",
    "run": "the file as written, of which not every node is read: every layer on its own tensors",
}
"""What each probe asks."""


class Disproved(OnnxconvError):
    """A model that would not compute what the original computes; it was not written."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Account:
    """How a written model came from another: the evidence that it computes the same, and what is different about it.

    `remarks`: what was asked for beyond the form, such as other weights, and so is no part of the proof.
    """

    source: str
    path: str
    evidence: tuple[Evidence, ...]
    changes: tuple[Change, ...]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "".join(textwrap.fill(line, WIDTH, subsequent_indent=" " * 12) + "\n" for line in self.lines())

    def lines(self) -> Iterator[str]:
        yield f"{self.path}: {self.source} in portable form"
        if not any(one.by for one in self.evidence):
            yield "  unproved  the original was not run"
        for one in self.evidence:
            yield f"  {_WORDS[one.finding.verdict]:9} {_said(one)}"
        yield from (f"  note      {remark}" for remark in self.remarks)
        yield from (f"  changed   {change}" for change in self.changes)

    def document(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "path": self.path,
            "evidence": [one.document() for one in self.evidence],
            "changes": [{"what": c.what, "before": c.before, "after": c.after} for c in self.changes],
            "remarks": list(self.remarks),
        }


_WORDS = {
    Verdict.PASS: "proved",
    Verdict.FAIL: "disagrees",
    Verdict.NOT_RUN: "not run",
    Verdict.UNTRUSTED: "untrusted",
}


def _said(one: Evidence) -> str:
    found = one.finding
    by = f" ({one.by})" if one.by else ""
    what = f"{QUESTIONS[one.probe]}{by}"
    if found.reason:
        return f"{what}: {found.reason}"
    used = f"; worst error {found.bound_used:.3g} of its bound" if found.bound_used else ""
    return f"{what}: {found.note or f'output {found.output!r}'}{used}"


def unproved(source: str, evidence: tuple[Evidence, ...]) -> OnnxconvError:
    """The error to raise about evidence that is no proof: something disagrees, or nothing could tell."""
    where = Where(source)
    wrong = [one for one in evidence if one.finding.verdict is Verdict.FAIL]
    if wrong:
        why = "a model is written only if it computes what the original computes"
        return Disproved(
            Diagnostic(where, "disproved", f"{one.by or 'onnxconv'} disagrees: {one.finding.reason}", why)
            for one in wrong
        )
    why = "a model is written only with proof that it computes what the original computes"
    fix = "add --unproved to write it all the same"
    return NotAvailable(
        Diagnostic(where, "unproved", f"{_said(one)}", why, fix)
        for one in evidence
        if one.finding.verdict is not Verdict.PASS and one.probe != "routing"
    )
