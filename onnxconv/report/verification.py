"""What a verification found out, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxconv.report.capabilities import capabilities
from onnxconv.report.cells import number
from onnxconv.report.document import Document
from onnxconv.report.table import MARGIN, Column, Style, fitting, lines, plain
from onnxconv.report.text import WIDTH, paragraph

__all__ = ["verification_text"]

ROLES = {"pass": "good", "fail": "bad", "not_run": "doubt", "untrusted": "doubt"}


def verification_text(found: Document, width: int = WIDTH, style: Style = plain) -> str:
    """The verdict, a line for each check with its figures, and under it all that did not pass, with a line to see it again."""
    blocks = [
        [f"{style(found['source'], 'title')}: {style(found['verdict'], ROLES[found['verdict']])}"],
        *_tables(found["checks"], width, style),
        [*_remarks(found["checks"], width, style), *_placements(found["checks"], width, style)],
        *(list(capabilities(check, width, style)) for check in found["checks"]),
        *(list(_trouble(check, width, style)) for check in found["checks"] if check["verdict"] != "pass"),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _tables(checks: Sequence[Document], width: int, style: Style) -> Iterator[list[str]]:
    """One table; one for each runtime under its name, where the names would be cut to the same ones."""
    runtimes = list(dict.fromkeys(check["runtime"] for check in checks))
    if not checks:
        return
    columns = _columns(checks)
    if len(set(fitting(columns, width)[0].cells)) == len(runtimes):
        yield _table(checks, columns, width, style)
        return
    for runtime in runtimes:
        own = [check for check in checks if check["runtime"] == runtime]
        yield [f"{MARGIN}{style(runtime, 'heading')}", *_table(own, _columns(own)[1:], width, style)]


def _columns(checks: Sequence[Document]) -> list[Column]:
    return [
        Column("runtime", tuple(c["runtime"] for c in checks), elastic=True),
        Column("version", tuple(c["version"] for c in checks), rank=2),
        Column("probe", tuple(c["probe"] for c in checks)),
        Column("output", tuple(c["output"] for c in checks), elastic=True),
        Column("verdict", tuple(c["verdict"] for c in checks)),
        Column("compared", tuple(_told(c, number(c["elements"])) for c in checks), numeric=True),
        Column("wrong", tuple(_told(c, number(c["mismatches"])) for c in checks), numeric=True),
        Column("error/bound", tuple(_told(c, _ratio(c["bound_used"])) for c in checks), numeric=True, rank=1),
    ]


def _table(checks: Sequence[Document], columns: Sequence[Column], width: int, style: Style) -> list[str]:
    heading, rule, *rows = lines(fitting(columns, width), style)
    return [heading, rule, *(_coloured(row, c["verdict"], style) for row, c in zip(rows, checks, strict=True))]


def _coloured(row: str, verdict: str, style: Style) -> str:
    return row if verdict == "pass" else style(row, ROLES[verdict])


def _told(check: Document, figure: str) -> str:
    """A figure, unless nothing was compared."""
    return figure if check["elements"] else ""


def _ratio(value: float | str) -> str:
    """Three digits, more where they would hide on which side of 1 it is."""
    if isinstance(value, str):
        return value
    return f"{value:.3g}" if value < 0.99 or value > 1.01 else f"{value:.8g}"


def _remarks(checks: Sequence[Document], width: int, style: Style) -> Iterator[str]:
    """How the probes judged and how much they could see, once for each different answer."""
    told = {
        f"{check['probe']}: {'; '.join(parts)}": None
        for check in checks
        if (parts := [part for part in (check.get("note", ""), _coverage(check.get("coverage", {}))) if part])
    }
    for line in told:
        yield from _labelled("judged", line, width, style)


def _coverage(shares: Document) -> str:
    return f"covered {', '.join(f'{share:.1%} of {what}' for what, share in shares.items())}" if shares else ""


def _placements(checks: Sequence[Document], width: int, style: Style) -> Iterator[str]:
    """Where each runtime has put the nodes: in a line where all went to one place, else for which probes where."""
    by_runtime: dict[str, list[Document]] = {}
    for check in checks:
        if check["placement"] or check.get("unplaced"):
            by_runtime.setdefault(check["runtime"], []).append(check)
    for runtime, placed in by_runtime.items():
        for line in _in_one_place(placed) or _by_probe(placed):
            yield from _labelled("placement", f"{runtime}: {line}", width, style)


def _in_one_place(checks: Sequence[Document]) -> list[str]:
    providers = {provider for check in checks for provider in check["placement"]}
    if len(providers) > 1 or any(check.get("unplaced") for check in checks):
        return []
    counts = sorted({nodes for check in checks for nodes in check["placement"].values()})
    spread = " to ".join(dict.fromkeys((number(counts[0]), number(counts[-1]))))
    return [f"all nodes on {providers.pop()}, {spread} for a probe"]


def _by_probe(checks: Sequence[Document]) -> list[str]:
    told: dict[str, dict[str, None]] = {}
    for check in checks:
        where = ", ".join(
            f"{number(nodes)} node{'s' if nodes != 1 else ''} on {provider}"
            for provider, nodes in check["placement"].items()
        )
        elsewhere = check.get("unplaced", ())
        where += f"; not where asked: {', '.join(elsewhere)}" if elsewhere else ""
        told.setdefault(where, {})[check["probe"]] = None
    return [f"{where} ({', '.join(probes)})" for where, probes in told.items()]


def _labelled(label: str, said: str, width: int, style: Style) -> list[str]:
    begin = f"{MARGIN}{label.ljust(9)}{MARGIN}"
    first, *rest = paragraph(said, width, begin, " " * len(begin))
    return [first.replace(label, style(label, "faint"), 1), *rest]


def _trouble(check: Document, width: int, style: Style) -> Iterator[str]:
    """Why a check did not pass, the first layer that went astray, and how to see it again."""
    name = f"{check['runtime']} · {check['probe']}" + (f" · {check['output']}" if check["output"] else "")
    yield f"{style(check['verdict'], ROLES[check['verdict']])}  {name}"
    yield from paragraph(check.get("reason", ""), width)
    first = check["first_divergence"]
    if first:
        for said in _first(first):
            yield from paragraph(said, width)
    yield f"{MARGIN}{style(check['reproduce'], 'faint')}"


def _first(first: Document) -> Iterator[str]:
    """The first wrong layer, the worst element of its tensor, what that was computed from, and where its error map is."""
    tensor = f", tensor {first['tensor']}" if first.get("tensor", first["layer"]) != first["layer"] else ""
    shape = f" of {first['shape']}" if "shape" in first else ""
    yield (
        f"first wrong layer: {first['layer']} ({first['op']}){tensor} at {first['index']}{shape}: "
        f"got {first['got']}, expected {first['expected']}, allowed error {first['bound']}"
    )
    if reads := _boxes(first.get("reads", {})):
        sees = _boxes(first.get("sees", {}))
        yield f"computed from {reads}" + (f"; its receptive field is {sees}" if sees not in ("", reads) else "")
    if "error_map" in first:
        yield f"error map: {first['error_map']}"


def _boxes(boxes: Document) -> str:
    return ", ".join(f"{name}{_box(spans)}" for name, spans in boxes.items())


def _box(spans: Sequence[Sequence[int]]) -> str:
    return "[" + ", ".join(f"{low}–{high}" if low < high else str(low) for low, high in spans) + "]"
