"""A report's values as cells of a table, the same in text, Markdown and HTML."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from onnxconv.graph import lacking
from onnxconv.report.document import Document
from onnxconv.report.table import Column

__all__ = ["columns", "number", "shape", "tensors", "totals", "unread", "window"]

UNKNOWN = "?"
"""A number that a symbolic size hides."""
MIXED = "mixed"
"""Paths that meet here have no one number."""
WHOLE = "whole"
"""Every output sees the whole input."""


MOST_UNREAD = 50
"""Lines about what is not understood."""

SHORTER = {"BatchNormalization": "BatchNorm", "GlobalAveragePool": "GlobalAvgPool"}
"""Operators whose ONNX names would take room from the numbers."""


def columns(report: Document) -> list[Column]:
    """One row a layer; columns that would say nothing about this network are left out."""
    layers = report["layers"]
    found = [
        Column("layer", tuple(layer["name"] for layer in layers), elastic=True),
        Column("op", tuple(SHORTER.get(layer["op"], layer["op"]) for layer in layers), rank=2),
        Column("output", tuple(shape(layer["output_shape"]) for layer in layers)),
    ]
    if any(layer["window"] for layer in layers):
        found.append(Column("window", tuple(window(layer["window"]) for layer in layers), rank=6))
    found += [
        Column("params", tuple(number(layer["params"]) for layer in layers), numeric=True),
        Column("MACs", tuple(number(layer["macs"]) for layer in layers), numeric=True),
    ]
    several = len(report["inputs"]) > 1
    for entry in report["inputs"]:
        found += _field_columns(
            [layer["receptive_field"].get(entry["name"]) for layer in layers], entry["name"] if several else ""
        )
        found += _context_columns([layer["context"].get(entry["name"]) for layer in layers])
    return found


def _context_columns(known: Sequence[Document | None]) -> list[Column]:
    """Samples around an output's own, for the layers that see a signal."""
    if not any(known):
        return []
    return [
        Column(key, tuple(number(entry[key]) if entry else "" for entry in known), numeric=True, rank=2)
        for key in ("left", "right")
    ]


def _field_columns(fields: Sequence[Document | None], of: str) -> list[Column]:
    """What the layers see of one input. `samples` is told where dilation leaves holes, `aligned` where a join does not."""
    seen = [field for field in fields if field]
    suffix = f" of {of}" if of else ""
    found = [
        Column(f"field{suffix}", tuple(_part(field, "size", "×") for field in fields), numeric=True),
        Column("stride", tuple(_part(field, "stride", "×", collapse=True) for field in fields), numeric=True, rank=1),
        Column("padding", tuple(_part(field, "padding", "×", collapse=True) for field in fields), numeric=True, rank=5),
    ]
    if any(map(_holed, seen)):
        samples = (_part(field, "samples", "×") if field and _holed(field) else "" for field in fields)
        found.append(Column("samples", tuple(samples), numeric=True, rank=4))
    if not all(field["aligned"] for field in seen):
        found.append(
            Column(
                "aligned", tuple("" if not field else "yes" if field["aligned"] else "no" for field in fields), rank=3
            )
        )
    return found


def _holed(field: Document) -> bool:
    """Not every pixel from the first to the last is seen."""
    return bool(field["samples"] != field["size"])


def _part(field: Document | None, key: str, between: str, *, collapse: bool = False) -> str:
    if field is None:
        return ""
    values = field[key]
    if values is None:
        return WHOLE if key == "size" else ""
    texts = [MIXED if value is None else number(value) for value in values]
    return texts[0] if collapse and len(set(texts)) == 1 else between.join(texts)


def number(value: int | float | str | None) -> str:
    """With separators between thousands; `UNKNOWN` for None."""
    if value is None:
        return UNKNOWN
    return f"{value:,}" if isinstance(value, int) else str(value)


def shape(dimensions: Sequence[int | str]) -> str:
    """Such as ``N×64×112×112``; a dimension that is a formula is bracketed."""
    return "×".join(f"({d})" if isinstance(d, str) and not d.isidentifier() else str(d) for d in dimensions)


def window(axes: Sequence[Document]) -> str:
    """Such as ``3×3 s2 d6 p6``: kernel, stride, dilation, pad; what is at its default is left out."""
    if not axes:
        return ""
    pads = ["{}:{}".format(*axis["pad"]) if axis["pad"][0] != axis["pad"][1] else str(axis["pad"][0]) for axis in axes]
    parts = [
        "×".join(str(axis["size"]) for axis in axes),
        _letter("s", [str(axis["stride"]) for axis in axes], "1"),
        _letter("d", [str(axis["dilation"]) for axis in axes], "1"),
        _letter("p", pads, "0"),
    ]
    return " ".join(part for part in parts if part)


def _letter(letter: str, values: Sequence[str], default: str) -> str:
    if len(set(values)) == 1:
        return "" if values[0] == default else f"{letter}{values[0]}"
    return f"{letter}{'×'.join(values)}"


def tensors(report: Document) -> list[tuple[str, str, str]]:
    """(role, name, type) of the inputs and the outputs."""
    return [
        (role, tensor["name"], f"{tensor['dtype']} {shape(tensor['shape'])}")
        for role, found in (("input", report["inputs"]), ("output", report["outputs"]))
        for tensor in found
    ]


def totals(report: Document) -> list[tuple[str, str, str]]:
    """(what, number, unit) of the totals."""
    found = report["totals"]
    rows = [
        ("parameters", number(found["params"]), ""),
        ("weights", number(found["weight_bytes"]), "bytes"),
        ("multiply-adds", number(found["macs"]), "per image, padding counted"),
        ("", number(found["valid_macs"]), "per image, real pixels only"),
        ("peak activations", number(found["peak_activation_bytes"]), "bytes per image"),
    ]
    if found["left_out"]:
        rows.append(("left out", number(found["left_out"]), "nodes that are not understood: the totals may be larger"))
    return rows


def unread(report: Document) -> list[str]:
    """What is not understood: a line for each reason, causes first, with the first node, and how many others have it."""
    groups: dict[str, list[Document]] = {}
    for entry in report["unread"]:
        groups.setdefault(_nameless(entry["reason"]), []).append(entry)
    behind = groups.pop(_nameless(lacking("")), None)
    lines = [_group(entries) for entries in (*groups.values(), *([behind] if behind else []))]
    return [*lines[:MOST_UNREAD], *(["and more, which --format json names"] if lines[MOST_UNREAD:] else [])]


def _nameless(reason: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", reason)


def _group(entries: Sequence[Document]) -> str:
    first, *others = entries
    said = f"{first['name'] or '(no name)'} ({first['op']}): {first['reason']}"
    kinds = Counter(entry["op"] for entry in others)
    return f"{said}; likewise {', '.join(f'{n} {op}' for op, n in kinds.items())}" if others else said
