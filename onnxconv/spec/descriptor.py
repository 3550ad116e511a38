"""One convolution in a line, as oneDNN's benchdnn writes it: ``mb1_ic64ih56iw56_oc64_kh3kw3_ph1pw1_n"res2a"``.

Lengths are i, o, k (input, output, kernel), s, p (begin pad) and d (dilation, where 0 means none), each for the axes
d, h, w; ic and oc are channels in all groups together. What is left out: g1, mb2, s1, d0; h and w follow d, and w
follows h, where that axis is nowhere mentioned; o follows from p, or p from o, split evenly; the end pad follows from o.

Source: oneDNN, tests/benchdnn/doc/driver_conv.md, and conv_aux.cpp for what the text leaves open.
"""

from __future__ import annotations

import itertools
import re

from onnxconv.errors import Where, closest
from onnxconv.spec.mistakes import Mistakes

__all__ = ["is_descriptor", "read_descriptor"]

_FIELD = re.compile(r"_*(?P<field>[a-z]+)(?P<number>-?[0-9]+)")
_NAME = re.compile(r'_*n"(?P<name>[^"]*)"\Z')
_DESCRIPTOR = re.compile(r'(?:mb|g|ic|oc|[ioks][dhw])[0-9]+[A-Za-z0-9_-]*(?:n".*)?\Z')
_AXES = "dhw"
_FIELDS = ("g", "mb", "ic", "oc", *(quantity + axis for axis in _AXES for quantity in "ioskpd"))
_DEFAULTS = {"g": 1, "mb": 2}
LARGEST = 2**40


def is_descriptor(text: str) -> bool:
    """Whether the text is meant as a problem of benchdnn's rather than as a file's name."""
    return _DESCRIPTOR.match(text.strip()) is not None


def read_descriptor(text: str, mistakes: Mistakes) -> dict[str, object] | None:
    """The problem as a spec in Python values; None where it is not one, with what is wrong in `mistakes`."""
    fields, name = _fields(text.strip(), mistakes)
    for field in ("ic", "oc"):
        if field not in fields:
            mistakes.add(
                Where(text), "descriptor", f"{field} is missing", f"{field}: channels in all groups", f"add {field}1"
            )
    axes = _axes(text, fields, mistakes)
    if len(mistakes):
        return None
    window = [_window(text, axis, fields, mistakes) for axis in axes]
    if len(mistakes):
        return None
    sizes = ", ".join(str(fields[f"i{axis}"]) for axis in axes)
    conv = {
        "filters": fields["oc"],
        "kernel": [fields[f"k{axis}"] for axis in axes],
        "stride": [fields[f"s{axis}"] for axis in axes],
        "dilation": [fields[f"d{axis}"] + 1 for axis in axes],
        "group": fields["g"],
        "pad": window,
    }
    return {
        "name": re.sub(r"[^A-Za-z0-9_./:+-]", "_", name) or "conv",
        "inputs": {"x": f"float32[{fields['mb']}, {fields['ic']}, {sizes}]"},
        "layers": [{"conv": conv}],
    }


def _fields(text: str, mistakes: Mistakes) -> tuple[dict[str, int], str]:
    fields, at, name = dict[str, int](), 0, ""
    while text[at:].strip("_"):
        named, found = _NAME.match(text, at), _FIELD.match(text, at)
        where = Where(text, 1, at + 1)
        if named:
            name, at = named["name"], len(text)
        elif not found:
            mistakes.add(
                where,
                "descriptor",
                f"{text[at : at + 20]!r} is no field",
                "a field is a word and a number, as in ic64",
                'end the name with "',
            )
            return fields, name
        else:
            _take(found["field"], int(found["number"][:20]), fields, where, mistakes)
            at = found.end()
    return _DEFAULTS | fields, name


def _take(field: str, number: int, fields: dict[str, int], where: Where, mistakes: Mistakes) -> None:
    least = 0 if field[0] in "pd" else 1
    if field not in _FIELDS:
        mistakes.add(where, "descriptor", f"no field is called {field!r}", "", closest(field, _FIELDS))
    elif not least <= number <= LARGEST:
        fix = f"write {least} or more" if number < least else f"write {LARGEST} or less"
        mistakes.add(where, "descriptor", f"{field} is {number}", f"{field} is {least} to {LARGEST}", fix)
        fields[field] = least  # so that it is not told to be missing too
    elif fields.get(field, number) != number:
        mistakes.add(
            where, "descriptor", f"{field} is {number}, and was {fields[field]}", "a field is given once", "remove one"
        )
    else:
        fields[field] = number


def _axes(text: str, fields: dict[str, int], mistakes: Mistakes) -> str:
    """The axes that the problem has; lengths of axes that are nowhere mentioned are copied from the axis before."""
    mentioned = [axis for axis in _AXES if any(f"{quantity}{axis}" in fields for quantity in "iok")]
    axes = _AXES[_AXES.index(mentioned[0]) :] if mentioned else ""
    if not axes:
        mistakes.add(
            Where(text), "descriptor", "there is no spatial axis", "a problem has at least iw, ow or kw", "add ih56kh3"
        )
    for before, axis in itertools.pairwise(axes):
        if axis not in mentioned:
            fields |= {
                q + axis: fields[q + before] for q in "ioskpd" if q + before in fields and q + axis not in fields
            }
    for axis in axes:
        for quantity, meaning in (("i", "input size"), ("k", "kernel size")):
            if quantity + axis not in fields:
                mistakes.add(
                    Where(text),
                    "descriptor",
                    f"{quantity}{axis} is missing",
                    f"{quantity}{axis}: {meaning}",
                    f"add {quantity}{axis}1",
                )
        fields |= {q + axis: fields.get(q + axis, default) for q, default in (("s", 1), ("d", 0))}
    return axes


def _window(text: str, axis: str, fields: dict[str, int], mistakes: Mistakes) -> list[int]:
    """[begin, end] pads of one axis; a negative end, of less than a stride, is 0: those pixels are never reached."""
    i, k, s, d = (fields[quantity + axis] for quantity in "iksd")
    extent = (k - 1) * (d + 1) + 1
    if f"o{axis}" in fields:
        o = fields[f"o{axis}"]
        begin = fields.get(f"p{axis}", int(((o - 1) * s - i + extent) / 2))
    else:
        begin = fields.get(f"p{axis}", 0)
        o = (i + 2 * begin - extent) // s + 1
    end = (o - 1) * s - i + extent - begin
    rule = f"pads are ({o} - 1)·{s} - {i} + {extent} in all, that is [{begin}, {end}]"
    if o < 1:
        mistakes.add(
            Where(text),
            "empty-output",
            f"o{axis} is {o}",
            f"(i{axis} + 2·p{axis} - extent) // s{axis} + 1 = ({i} + {2 * begin} - {extent}) // {s} + 1",
            f"use a k{axis} of at most {i + 2 * begin}" if not d else "use a smaller kernel or dilation",
        )
    elif begin < 0 or end <= -s:
        nearest = (i + max(begin, 0) - extent) // s + 1
        mistakes.add(
            Where(text),
            "negative-pad",
            f"o{axis}{o} leaves out pixels of i{axis}{i}",
            f"{rule}, and a pad is not negative, but for less than a stride at the end",
            f"write o{axis}{max(1, nearest)}, or a smaller i{axis}",
        )
    return [begin, max(0, end)]
