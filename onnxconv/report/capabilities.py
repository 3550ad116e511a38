"""What runtimes were seen to make of special values, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxconv.report.cells import number
from onnxconv.report.document import Document
from onnxconv.report.table import Column, Style, fitting, lines
from onnxconv.report.text import paragraph

__all__ = ["capabilities"]

VALUES = ("NaN", "+Inf", "-Inf", "-0", "subnormal", "underflow")
"""The columns, in order."""
WORDS = {True: "kept", False: "changed"}
SHOWN = 3
"""Layers that are named in a line."""


def capabilities(check: Document, width: int, style: Style) -> Iterator[str]:
    """A table of what each operator keeps, and below it a line for each value that it does not; nothing where all is kept."""
    told: Sequence[Document] = [one for one in check.get("capabilities", ()) if "layer" in one]
    if all(one["holds"] for one in told):
        return
    yield f"{style(check['probe'], 'title')}  {check['runtime']} {check['version']}".rstrip()
    operators = tuple(dict.fromkeys(one["op"] for one in told))
    columns = [Column("operator", operators)]
    columns += [Column(of, tuple(_cell(told, op, of) for op in operators)) for of in VALUES]
    yield from lines(fitting(columns, width), style)
    for line in _deviations(told):
        yield from paragraph(line, width)


def _cell(told: Sequence[Document], op: str, of: str) -> str:
    """What the layers of an operator do, `changed` where one of them does not keep it; a dash where none was asked."""
    found = {one["holds"] for one in told if (one["op"], one["of"]) == (op, of)}
    return WORDS[all(found)] if found else "–"


def _deviations(told: Sequence[Document]) -> Iterator[str]:
    """What came out otherwise, once for each different answer, with the layers that gave it."""
    alike: dict[tuple[str, str, str], list[Document]] = {}
    for one in told:
        if not one["holds"]:
            alike.setdefault((one["op"], one["of"], one["says"]), []).append(one)
    for (op, of, says), found in alike.items():
        deviating, elements = (sum(one[key] for one in found) for key in ("deviating", "elements"))
        layers = [one["layer"] for one in found]
        more = [f"{len(layers) - SHOWN} more"] if len(layers) > SHOWN else []
        yield f"{op}, {of}: {says}, {number(deviating)} of {number(elements)} ({', '.join(layers[:SHOWN] + more)})"
