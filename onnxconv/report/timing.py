"""How long runtimes took, as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from onnxconv.report.document import Document
from onnxconv.report.table import MARGIN, Column, Style, fitting, lines, plain
from onnxconv.report.text import WIDTH, paragraph

__all__ = ["bench_text"]


def bench_text(results: Sequence[Document], width: int = WIDTH, style: Style = plain) -> str:
    """For every source a line for each runtime, and below why one has no times."""
    blocks = [
        "\n".join([style(source, "title"), *_table(tuple(entries), width, style)])
        for source, entries in groupby(results, key=lambda entry: entry["source"])
    ]
    return "\n\n".join(blocks) + "\n"


def _table(entries: Sequence[Document], width: int, style: Style) -> list[str]:
    columns = (
        Column("runtime", tuple(e["runtime"] for e in entries), elastic=True),
        Column("version", tuple(e["version"] for e in entries), rank=2, elastic=True),
        Column("threads", tuple(str(e["threads"]) for e in entries), numeric=True, rank=1),
        *(
            Column(heading, tuple(_figure(e[f"{heading.split()[0]}_ms"], 3) for e in entries), numeric=True)
            for heading in ("median ms", "min", "max")
        ),
        Column("÷ first", tuple(_figure(e["ratio"], 2) for e in entries), numeric=True),
        Column("peak MB", tuple(_figure(e["peak_mb"], 0) for e in entries), numeric=True, rank=1),
    )
    found = lines(fitting(columns, width), style)
    for entry in entries:
        if entry["reason"]:
            found += paragraph(f"{entry['runtime']}: {entry['reason']}", width, MARGIN, MARGIN * 2)
    return found


def _figure(value: float | None, digits: int) -> str:
    """A number with so many decimals; nothing where there is none."""
    return "" if value is None else f"{value:,.{digits}f}"
