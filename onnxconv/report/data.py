"""A report for programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
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
    inputs = [entry["name"] for entry in report["inputs"]]
    heard = [name for name in inputs if any(layer["context"].get(name) for layer in report["layers"])]
    timed = heard if report["sample_rate"] else []
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    columns = [
        *PLAIN_KEYS,
        "inputs",
        "output_shape",
        *(f"window_{key}" for key in WINDOW_KEYS),
        *(f"field_{key}_{name}" for name in inputs for key in FIELD_KEYS),
        *(f"context_{key}_{name}" for name in heard for key in CONTEXT_KEYS),
        *(f"seconds_{key}_{name}" for name in timed for key in TIME_KEYS),
        *(["not_understood"] if report["unread"] else []),
    ]
    rows.writerow(columns)
    reasons = {entry["layer"]: entry["reason"] for entry in report["unread"]}
    for layer in report["layers"]:
        fields = [layer["receptive_field"].get(name, {}) for name in inputs]
        known = [layer["context"].get(name) or {} for name in heard]
        times = [(layer["context"].get(name) or {}).get("seconds") or {} for name in timed]
        rows.writerow(
            [
                *(_cell(layer[key]) for key in PLAIN_KEYS),
                _cell(layer["inputs"]),
                _cell(layer["output_shape"]),
                *(_cell([axis[key] for axis in layer["window"]]) for key in WINDOW_KEYS),
                *(_cell(field.get(key)) for field in fields for key in FIELD_KEYS),
                *(_cell(entry.get(key)) for entry in known for key in CONTEXT_KEYS),
                *(_cell(entry.get(key)) for entry in times for key in TIME_KEYS),
                *([reasons.get(layer["name"], "")] if report["unread"] else []),
            ]
        )
    rows.writerows(
        [entry["name"], entry["op"], *[""] * len(columns[3:]), entry["reason"]]
        for entry in report["unread"]
        if entry["layer"] is None
    )
    return file.getvalue()


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
