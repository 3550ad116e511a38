"""A report as a page: Markdown, and HTML that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from onnxconv.report.cells import columns, tensors, totals, unread
from onnxconv.report.document import Document
from onnxconv.report.section import sections
from onnxconv.report.table import Column

__all__ = ["as_body", "as_html", "as_markdown"]


def as_markdown(report: Document) -> str:
    """A heading, the tensors, the table, the totals and the advice, in GitHub's Markdown."""
    parts = [
        f"# {_escaped(report['name'])}",
        "\n".join(f"- {role} `{name}`: {type_}" for role, name, type_ in tensors(report)),
        _markdown_table(columns(report)),
        "\n".join(f"- {_total(*entry)}" for entry in totals(report)),
    ]
    for section in sections(report):
        parts += [f"## {_escaped(section.title)}", _markdown_table(section.columns)]
    if report["unread"]:
        parts += ["## Not understood", "\n".join(f"- {_escaped(line)}" for line in unread(report))]
    if report["advice"]:
        notes = (f"- `{a['layer']}`: {_escaped(a['message'])} (`{a['code']}`)" for a in report["advice"])
        parts += ["## Advice", "\n".join(notes)]
    return "\n\n".join(parts) + "\n"


def _markdown_table(found: Sequence[Column]) -> str:
    rows = zip(*(column.cells for column in found), strict=True)
    lines = [
        _row(column.heading for column in found),
        _row("--:" if column.numeric else ":--" for column in found),
        *(_row(map(_escaped, row)) for row in rows),
    ]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(cell: str) -> str:
    for sign in "\\`*_<>|#":
        cell = cell.replace(sign, f"\\{sign}")
    return cell


def as_html(report: Document) -> str:
    """A self-contained page: no scripts, no links to elsewhere."""
    return f"{PAGE_BEGIN}<title>{html.escape(report['name'])}</title>{STYLE}</head><body>\n{as_body(report)}</body></html>\n"


def as_body(report: Document) -> str:
    """What stands on the page, for a page of somebody else's, such as a notebook."""
    body = [
        f"<h1>{html.escape(report['name'])}</h1>",
        _list(
            f"{role} <code>{html.escape(name)}</code>: {html.escape(type_)}" for role, name, type_ in tensors(report)
        ),
        *_html_table(columns(report)),
        _list(_total(*entry) for entry in totals(report)),
    ]
    for section in sections(report):
        body += [f"<h2>{html.escape(section.title)}</h2>", *_html_table(section.columns)]
    if report["unread"]:
        body += ["<h2>Not understood</h2>", _list(map(html.escape, unread(report)))]
    if report["advice"]:
        notes = (f"<code>{html.escape(a['layer'])}</code>: {html.escape(a['message'])}" for a in report["advice"])
        body += ["<h2>Advice</h2>", _list(notes)]
    return "\n".join(body) + "\n"


PAGE_BEGIN = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
STYLE = (
    "<style>body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color-scheme:light dark}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th{position:sticky;top:0;background:Canvas;border-bottom:2px solid}"
    "th,td{padding:.15rem .7rem;text-align:left;white-space:nowrap}.n{text-align:right}"
    "tbody tr:nth-child(even){background:color-mix(in srgb,CanvasText 6%,Canvas)}</style>"
)


def _html_table(found: Sequence[Column]) -> list[str]:
    rows: Iterable[Sequence[str]] = zip(*(column.cells for column in found), strict=True)
    return [
        "<table>",
        f"<thead><tr>{''.join(_html_cell('th', column, column.heading) for column in found)}</tr></thead>",
        "<tbody>",
        *(f"<tr>{''.join(_html_cell('td', c, cell) for c, cell in zip(found, row, strict=True))}</tr>" for row in rows),
        "</tbody></table>",
    ]


def _html_cell(tag: str, column: Column, cell: str) -> str:
    return f"<{tag}{' class=n' if column.numeric else ''}>{html.escape(cell)}</{tag}>"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _total(what: str, value: str, unit: str) -> str:
    return f"{what or 'multiply-adds'}: {value} {unit}".rstrip()
