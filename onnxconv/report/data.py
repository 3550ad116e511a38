"""A report for programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

from onnxconv.report.document import Document

__all__ = ["as_csv", "as_json"]


def as_json(value: Any) -> str:
    """One JSON document, ASCII only, so that it survives any terminal; ends with a newline."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


PLAIN_KEYS = ("name", "op", "output", "params", "macs", "valid_macs", "activation_bytes", "weight_bytes")
WINDOW_KEYS = ("size", "stride", "dilation", "pad", "extent", "unused_end")
FIELD_KEYS = ("size", "stride", "padding", "samples", "aligned")
CONTEXT_KEYS = ("left", "right", "look_ahead", "latency", "hop")
TIME_KEYS = (*CONTEXT_KEYS, "rate")


def as_csv(report: Document) -> str:
    """One row a layer, with a heading. Several numbers in a cell are separated by blanks; unknown is empty.

    Nodes that are not understood and no layers follow, with the reason in a last column, which is there for them.
    """
    columns = _columns(report)
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(heading for heading, _ in columns)
    rows.writerows([_cell(told(layer)) for _, told in columns] for layer in report["layers"])
    rows.writerows(
        [entry["name"], entry["op"], *[""] * len(columns[3:]), entry["reason"]]
        for entry in report["unread"]
        if entry["layer"] is None
    )
    return file.getvalue()


def _columns(report: Document) -> list[tuple[str, Callable[[Document], Any]]]:
    """Headings, each with what tells it of a layer."""
    inputs = [entry["name"] for entry in report["inputs"]]
    heard = [name for name in inputs if any(layer["context"].get(name) for layer in report["layers"])]
    timed = heard if report["sample_rate"] else []
    reasons = {entry["layer"]: entry["reason"] for entry in report["unread"]}
    return [
        *((key, itemgetter(key)) for key in (*PLAIN_KEYS, "inputs", "output_shape")),
        *((f"window_{key}", partial(_window, key)) for key in WINDOW_KEYS),
        *((f"field_{key}_{name}", partial(_field, name, key)) for name in inputs for key in FIELD_KEYS),
        *((f"context_{key}_{name}", partial(_context, name, key)) for name in heard for key in CONTEXT_KEYS),
        *((f"seconds_{key}_{name}", partial(_seconds, name, key)) for name in timed for key in TIME_KEYS),
        *([("not_understood", lambda layer: reasons.get(layer["name"]))] if reasons else []),
    ]


def _window(key: str, layer: Document) -> Any:
    return [axis[key] for axis in layer["window"]]


def _field(name: str, key: str, layer: Document) -> Any:
    return layer["receptive_field"].get(name, {}).get(key)


def _context(name: str, key: str, layer: Document) -> Any:
    return (layer["context"].get(name) or {}).get(key)


def _seconds(name: str, key: str, layer: Document) -> Any:
    return (_context(name, "seconds", layer) or {}).get(key)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return " ".join(
                ":".join(map(str, item)) if isinstance(item, list) else _cell(item) or "?" for item in value
            )
    return str(value)
