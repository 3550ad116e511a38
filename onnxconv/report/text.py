"""A report as text for a terminal."""

from __future__ import annotations

import textwrap

from onnxconv.report.cells import columns, tensors, totals
from onnxconv.report.document import Document
from onnxconv.report.table import MARGIN, Style, fitting, lines, plain

__all__ = ["paragraph", "text"]

WIDTH = 100


def text(report: Document, width: int = WIDTH, style: Style = plain) -> str:
    """Title, inputs and outputs, one line a layer, totals, advice; as wide as asked, ends with a newline."""
    wanted = columns(report)
    kept = fitting(wanted, width)
    gone = list(dict.fromkeys(c.heading for c in wanted if c.heading not in {k.heading for k in kept}))
    blocks = [
        _title(report, style),
        lines(kept, style),
        *([[style(f"{MARGIN}not shown at {width} columns: {', '.join(gone)}", "faint")]] if gone else []),
        _totals(report, style),
        *([_advice(report, width, style)] if report["advice"] else []),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def paragraph(said: str, width: int, first: str = MARGIN, rest: str = MARGIN) -> list[str]:
    """Lines of at most `width` characters."""
    return textwrap.wrap(
        said, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first]


def _title(report: Document, style: Style) -> list[str]:
    title, source = style(report["name"] or "(no name)", "title"), report["source"]
    return [
        f"{title}  {style(source, 'faint')}" if source else title,
        *(f"{MARGIN}{style(role.ljust(6), 'faint')}  {name}: {type_}" for role, name, type_ in tensors(report)),
    ]


def _totals(report: Document, style: Style) -> list[str]:
    rows = totals(report)
    longest = max(len(value) for _, value, _ in rows)
    return [
        f"{MARGIN}{style(what.ljust(16), 'faint')}  {value.rjust(longest)} {unit}".rstrip()
        for what, value, unit in rows
    ]


def _advice(report: Document, width: int, style: Style) -> list[str]:
    found = [style("advice", "title")]
    for entry in report["advice"]:
        found += paragraph(f"{entry['layer']}: {entry['message']} [{entry['code']}]", width, MARGIN, MARGIN * 2)
    return found
