"""A report as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from onnxconv.report.cells import columns, tensors, totals, unread
from onnxconv.report.document import Document
from onnxconv.report.section import sections
from onnxconv.report.table import MARGIN, Column, Style, fitting, lines, plain

__all__ = ["paragraph", "text"]

WIDTH = 100


def text(report: Document, width: int = WIDTH, style: Style = plain) -> str:
    """Title, inputs and outputs, one line a layer, totals, signals and positions, advice; as wide as asked, ends with a newline."""
    blocks = [
        _title(report, style),
        *_table(columns(report), width, style),
        _totals(report, style),
        *(
            block
            for section in sections(report)
            for block in _table(section.columns, width, style, style(section.title, "title"))
        ),
        *([_unread(report, width, style)] if report["unread"] else []),
        *([_advice(report, width, style)] if report["advice"] else []),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _table(wanted: Sequence[Column], width: int, style: Style, *title: str) -> list[list[str]]:
    """The columns that fit, and below them the names of those that do not."""
    kept = fitting(wanted, width)
    gone = list(dict.fromkeys(c.heading for c in wanted if c.heading not in {k.heading for k in kept}))
    missing = paragraph(f"not shown at {width} columns: {', '.join(gone)}", width)
    return [[*title, *lines(kept, style)], *([[style(line, "faint") for line in missing]] if gone else [])]


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


def _unread(report: Document, width: int, style: Style) -> list[str]:
    found = [style("not understood", "title")]
    for line in unread(report):
        found += paragraph(line, width, MARGIN, MARGIN * 2)
    return found


def _advice(report: Document, width: int, style: Style) -> list[str]:
    found = [style("advice", "title")]
    for entry in report["advice"]:
        found += paragraph(f"{entry['layer']}: {entry['message']} [{entry['code']}]", width, MARGIN, MARGIN * 2)
    return found
