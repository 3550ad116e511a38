"""What can run here, and how well onnxconv is installed, as text."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.report.document import Document
from onnxconv.report.table import MARGIN, Column, Style, lines, plain
from onnxconv.report.text import WIDTH, paragraph

__all__ = ["doctor_text", "runtimes_text", "targets_text"]


def runtimes_text(entries: Sequence[Document], width: int = WIDTH, style: Style = plain) -> str:
    """A line for each runtime that can run, and for each that cannot why not and what to do about it."""
    columns = (
        Column("runtime", tuple(entry["name"] for entry in entries)),
        Column("version", tuple(entry["version"] or "" for entry in entries)),
        Column("state", tuple("ready" if entry["available"] else "absent" for entry in entries)),
    )
    heading, rule, *rows = lines(columns, style)
    found = [heading, rule]
    for entry, row in zip(entries, rows, strict=True):
        found.append(style(row, "good" if entry["available"] else "faint"))
        if not entry["available"]:
            found += paragraph(entry["reason"], width, MARGIN * 3, MARGIN * 3)
            found += paragraph(f"fix: {entry['fix']}", width, MARGIN * 3, MARGIN * 3) if entry["fix"] else []
    return "\n".join(found) + "\n"


BUNDLES = {
    "ready": "bundles can be written and checked here",
    "elsewhere": "they can be written here, and checked where the runtime is; or install what is missing",
    "not here": "they can be written only with what is missing, which converts the model",
}
"""What can be done for a target on this machine."""


def targets_text(
    entries: Sequence[Document], rewrites: Sequence[Document], width: int = WIDTH, style: Style = plain
) -> str:
    """A line for each target, and for those whose bundles cannot be checked here what to install; then the rewrites."""
    columns = (
        Column("target", tuple(entry["name"] for entry in entries)),
        Column("bundles", tuple(map(_state, entries))),
        Column("runtime", tuple(entry["title"] for entry in entries)),
    )
    heading, rule, *rows = lines(columns, style)
    found = [heading, rule]
    for entry, row in zip(entries, rows, strict=True):
        found.append(style(row, "good" if entry["checkable"] else "faint"))
        lacking = [entry["broken"]] if entry["broken"] else [f"{what} is missing" for what in entry["missing"]]
        for what, fix in zip(lacking, entry["fix"], strict=True):
            found += paragraph(f"{what}; fix: {fix}" if fix else what, width, MARGIN * 3, MARGIN * 3)
    ways = (
        Column("rewrite", tuple(entry["name"] for entry in rewrites)),
        Column("what it does", tuple(entry["says"] for entry in rewrites)),
    )
    legend = [
        line for state, says in BUNDLES.items() for line in paragraph(says, width, f"{MARGIN}{state:11}", " " * 13)
    ]
    return "\n".join((*found, "", *legend, "", *lines(ways, style))) + "\n"


def _state(target: Document) -> str:
    if target["checkable"]:
        return "ready"
    return "elsewhere" if target["writable"] else "not here"


ROLES = {"ok": "good", "note": "faint", "problem": "bad"}


def doctor_text(findings: Sequence[Document], width: int = WIDTH, style: Style = plain) -> str:
    """A line for each finding, and under what is not well what to do about it."""
    longest = max(len(finding["subject"]) for finding in findings)
    found: list[str] = []
    for finding in findings:
        first = f"{MARGIN}{finding['state'].ljust(7)}  {finding['subject'].ljust(longest)}  "
        head, *rest = paragraph(finding["found"], width, first, " " * len(first))
        found += [style(head, ROLES[finding["state"]]), *rest]
        found += (
            paragraph(f"fix: {finding['fix']}", width, " " * len(first), " " * len(first)) if finding["fix"] else []
        )
    return "\n".join(found) + "\n"
