"""The tables below the layers: what outputs know of a signal, and what single positions see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from onnxconv.report.cells import MIXED, WHOLE, number
from onnxconv.report.document import Document
from onnxconv.report.table import Column

__all__ = ["Section", "sections"]

MOST_RUNS = 4
"""Stretches of unseen pixels that are told one by one."""


FIXED = "fixed"
"""Every output sees the same samples, such as the last ones."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a title."""

    title: str
    columns: tuple[Column, ...]


def sections(report: Document) -> list[Section]:
    """One for the signals, where there are any, and one for each position that was asked for."""
    heard = _rows(_signal(report), SIGNAL)
    places = [(_title(entry), _rows(_place(entry, report), PLACE)) for entry in report["positions"]]
    return [Section(title, columns) for title, columns in (("signal", heard), *places) if columns]


SIGNAL = ("output", "input", "unit", "left", "right", "look-ahead", "latency", "hop", "rate")
PLACE = ("input", "axis", "field", "seen", "samples", "in padding", "holes")
WORDS = frozenset({"output", "input", "unit"})
"""Headings of columns that are no numbers."""
RANKS = {"latency": 1, "rate": 2, "hop": 3, "in padding": 1, "samples": 2, "holes": 3}
"""What gives way first where a line is too short."""


def _rows(rows: Iterable[Sequence[str]], headings: Sequence[str]) -> tuple[Column, ...]:
    """Columns of these rows; those that hold nothing are left out."""
    cells = zip(*rows, strict=True)
    found = (
        Column(heading, tuple(column), heading not in WORDS, RANKS.get(heading, 0))
        for heading, column in zip(headings, cells, strict=False)
    )
    return tuple(column for column in found if any(column.cells))


def _signal(report: Document) -> Iterator[tuple[str, ...]]:
    """A row of samples, and one of seconds, for each output and each signal that it sees."""
    outputs = {entry["name"] for entry in report["outputs"]}
    several = len(report["inputs"]) > 1
    for layer in report["layers"]:
        for name, known in layer["context"].items() if layer["output"] in outputs else ():
            where = (layer["output"], name if several else "")
            if known is None:
                yield (*where, "samples", _no_figure(layer["receptive_field"][name]), *[""] * 5)
                continue
            yield (*where, "samples", *(number(known[key]) for key in KEYS), "")
            if known["seconds"]:
                timed = known["seconds"]
                yield ("", "", "seconds", *(f"{timed[key]:.6g}" for key in KEYS), f"{timed['rate']:,.6g} Hz")


KEYS = ("left", "right", "look_ahead", "latency", "hop")


def _no_figure(field: Document) -> str:
    if not field["exact"]:
        return "unknown"
    if field["size"] is None:
        return WHOLE
    return FIXED if field["stride"] == [0] else MIXED


def _title(entry: Document) -> str:
    at = f" [{', '.join(map(str, entry['position']))}]" if entry["position"] else ""
    return f"at {entry['layer']}{at}"


def _place(entry: Document, report: Document) -> Iterator[tuple[str, ...]]:
    """A row for each input and axis; one for an input that is not seen, or has no axis."""
    several = len(report["inputs"]) > 1
    for tensor in report["inputs"]:
        name = tensor["name"]
        axes = entry["inputs"].get(name)
        if not axes:
            yield (name, "", "", "nothing" if axes is None else WHOLE, *[""] * 3)
            continue
        for at, axis in enumerate(axes):
            yield (
                name if several and not at else "",
                str(at),
                _run(axis["field"]) if axis["field"] else WHOLE if axis["exact"] else "unknown",
                _seen(axis),
                number(axis["samples"]),
                _padding(*axis["clipped"]),
                _runs(axis["holes"]),
            )


def _run(ends: Sequence[int]) -> str:
    first, last = ends
    return str(first) if first == last else f"{first} to {last}"


def _seen(axis: Document) -> str:
    if axis["samples"] == 0:
        return "nothing"
    if not axis["seen"]:
        return WHOLE if axis["exact"] else "unknown"
    return _run(axis["seen"]) if axis["exact"] else f"at most {_run(axis['seen'])}"


def _padding(before: int, after: int | None) -> str:
    parts = ((before, "before"), (after, "after"))
    return ", ".join(f"{number(count)} {where}" for count, where in parts if count != 0)


def _runs(runs: Sequence[Sequence[int]]) -> str:
    told = [_run(run) for run in runs[:MOST_RUNS]]
    more = runs[MOST_RUNS:]
    return ", ".join([*told, f"and {len(more)} more"] if more else told)
