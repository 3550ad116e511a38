"""Columns of text, laid out for people: aligned, as wide as allowed, without wrapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Column", "Style", "fitting", "lines", "plain", "shortened"]

Style: TypeAlias = Callable[[str, str], str]
"""(text, role) → the text as a terminal shows that role: ``title``, ``heading``, ``rule``, ``faint``, ``good``, ``bad`` or ``doubt``."""

GAP = "  "
MARGIN = "  "
NARROWEST = 20
"""An elastic column is never cut below this many characters."""


def plain(text: str, _: str) -> str:
    """No colours."""
    return text


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and its cells. `rank` 0 always stays; the higher it is, the sooner the column gives way to the width."""

    heading: str
    cells: tuple[str, ...]
    numeric: bool = False
    rank: int = 0
    elastic: bool = False
    """It may be cut in the middle before any column is dropped."""

    @property
    def width(self) -> int:
        return max(map(len, (self.heading, *self.cells)))


def fitting(columns: Sequence[Column], width: int) -> tuple[Column, ...]:
    """The columns that fit into `width` characters: elastic ones are cut first, then those of the highest rank dropped."""
    kept = list(columns)
    while _least(kept) > width and (highest := max(column.rank for column in kept)):
        kept = [column for column in kept if column.rank < highest]
    spare = width - _least(kept)
    return tuple(_cut(column, NARROWEST + max(0, spare)) if column.elastic else column for column in kept)


def lines(columns: Sequence[Column], style: Style = plain) -> list[str]:
    """A heading, a rule, and one line a row; trailing blanks are left out."""
    widths = [column.width for column in columns]
    headings = [_set(c.heading, w, c.numeric) for c, w in zip(columns, widths, strict=True)]
    rule = "─" * len(GAP.join(headings))
    rows = zip(
        *([_set(cell, w, c.numeric) for cell in c.cells] for c, w in zip(columns, widths, strict=True)), strict=True
    )
    return [
        style(f"{MARGIN}{GAP.join(headings)}".rstrip(), "heading"),
        style(f"{MARGIN}{rule}", "rule"),
        *(f"{MARGIN}{GAP.join(row)}".rstrip() for row in rows),
    ]


def shortened(text: str, width: int) -> str:
    """The text, or a little of its beginning and more of its end, which tells more, when it is longer than `width`."""
    if len(text) <= width:
        return text
    head = (width - 1) // 4
    return f"{text[:head]}…{text[head + 1 - width :]}"


def _least(columns: Sequence[Column]) -> int:
    widths = (min(column.width, NARROWEST) if column.elastic else column.width for column in columns)
    return len(MARGIN) + sum(widths) + len(GAP) * (len(columns) - 1)


def _cut(column: Column, width: int) -> Column:
    return Column(
        column.heading, tuple(shortened(cell, width) for cell in column.cells), column.numeric, column.rank, True
    )


def _set(cell: str, width: int, numeric: bool) -> str:
    return cell.rjust(width) if numeric else cell.ljust(width)
