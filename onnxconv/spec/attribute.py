"""A layer's attributes against the vocabulary: types, ranges, words, and what belongs together."""

from __future__ import annotations

import math
from collections.abc import Collection

from onnxconv.errors import Where
from onnxconv.spec.form import Scope, called, free_names, shown, whole_number, work_out
from onnxconv.spec.formula import sizes
from onnxconv.spec.initial import initialisers
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Entry
from onnxconv.spec.value import Value
from onnxconv.spec.vocabulary import Attribute, Kind, suggestion

__all__ = ["attributes", "check_attributes"]

MOST_AXES = 8
"""Spatial axes of a window."""
_LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127


def attributes(
    kind: Kind, entries: tuple[Entry, ...], scope: Scope, init: Value | None, where: Where, mistakes: Mistakes
) -> tuple[tuple[str, Value], ...]:
    """Every attribute that is written or has a default, in the vocabulary's order; `init` where none is written."""
    written = {entry.key: entry for entry in entries}
    found: dict[str, Value] = {}
    for attribute in kind.attributes:
        if attribute.name in written:
            value = _worked_out(kind, attribute, written[attribute.name], scope, mistakes)
            found |= {} if value is None else {attribute.name: value}
        elif attribute.type == "init" and init is not None:
            found[attribute.name] = init
        elif attribute.default is not None:
            found[attribute.name] = Value(attribute.default, where)
    _check_written(kind, written.keys(), where, mistakes)
    if kind.name == "conv":
        _check_filters(written, found, where, mistakes)
    _check_pad_mode(found, mistakes)
    return tuple(found.items())


def check_attributes(kind: Kind, entries: tuple[Entry, ...], where: Where, mistakes: Mistakes) -> None:
    """What can be said before parameters have values: all about constants, and which attributes are missing."""
    constant = tuple(entry for entry in entries if not free_names(entry.value))
    if len(constant) == len(entries):
        attributes(kind, entries, {}, None, where, mistakes)
        return
    for entry in constant:
        _worked_out(kind, kind.attribute(entry.key), entry, {}, mistakes)
    _check_written(kind, {entry.key for entry in entries}, where, mistakes)


def _worked_out(kind: Kind, attribute: Attribute, entry: Entry, scope: Scope, mistakes: Mistakes) -> Value | None:
    if attribute.type == "sizes":
        value = sizes(entry.value, scope, mistakes)
    else:
        value = work_out(entry.value, scope, mistakes, attribute.words)
    return None if value is None else _checked(kind, attribute, value, mistakes)


def _check_written(kind: Kind, written: Collection[str], where: Where, mistakes: Mistakes) -> None:
    for attribute in kind.attributes:
        if attribute.required and attribute.name not in written:
            what = f"{kind.name} has no {attribute.name}"
            mistakes.add(where, "missing", what, f"{attribute.name}: {attribute.doc}", f"add {attribute.name}")


def _check_filters(written: Collection[str], found: dict[str, Value], where: Where, mistakes: Mistakes) -> None:
    """How many output channels is said once: filters, multiplier, or depthwise groups alone."""
    if "filters" in written and "multiplier" in written:
        place = found["multiplier"].where if "multiplier" in found else where
        rule = "filters = multiplier * input channels"
        mistakes.add(place, "filters-twice", "both filters and multiplier", rule, "remove one of them")
    depthwise = "group" not in found or found["group"].value == "depthwise"
    if "filters" not in written and "multiplier" not in written and not depthwise:
        fix = "add filters, or multiplier, or group: depthwise"
        mistakes.add(where, "missing", "conv has no filters", "filters: output channels", fix)


def _check_pad_mode(found: dict[str, Value], mistakes: Mistakes) -> None:
    value, mode = found.get("pad_value"), found.get("pad_mode")
    if value is not None and mode is not None and value.value != 0 and mode.value != "constant":
        what = f"pad_value is {shown(value)} with pad_mode {shown(mode)}"
        fix = "add pad_mode: constant, or remove pad_value"
        mistakes.add(value.where, "pad-value", what, "pad_value is used by pad_mode constant only", fix)


def _checked(kind: Kind, attribute: Attribute, value: Value, mistakes: Mistakes) -> Value | None:
    """The value in the attribute's form, or None and a mistake."""
    if attribute.type == "init":
        return initialisers(value, kind.roles, mistakes)
    if attribute.type == "sizes":
        return value if _are_sizes(value, attribute, mistakes) else None
    if isinstance(value.value, str):
        return value if _known_word(attribute, value, mistakes) else None
    match attribute.type:
        case "boolean":
            return _boolean(value, attribute, mistakes)
        case "pad":
            good = _is_pad(value, attribute, mistakes)
        case "integer":
            good = whole_number(value, attribute.name, mistakes, attribute.least or 0) is not None
        case "integers":
            good = _are_integers(value, attribute, mistakes)
        case "number":
            good = _is_number(value, attribute, mistakes)
        case "word":
            rule = f"one of {', '.join(attribute.words)}"
            good = _refuse(value, attribute.name, rule, f"write {attribute.words[0]}", mistakes)
    return value if good else None


def _refuse(value: Value, name: str, rule: str, fix: str, mistakes: Mistakes) -> bool:
    """False, having said that the value is not what the rule says."""
    mistakes.add(value.where, "type", f"{name} is {called(value)}", f"{name} is {rule}", fix)
    return False


def _known_word(attribute: Attribute, value: Value, mistakes: Mistakes) -> bool:
    if value.value in attribute.words:
        return True
    fix = f"write {'true or false' if attribute.type == 'boolean' else 'a number'}"
    if attribute.words:
        fix = suggestion(str(value.value), attribute.words)
    what = f"{attribute.name} is the word {value.value!r}"
    mistakes.add(value.where, "word", what, f"{attribute.name}: {attribute.doc}", fix)
    return False


def _boolean(value: Value, attribute: Attribute, mistakes: Mistakes) -> Value | None:
    """A boolean; comparisons give 1 or 0, which stand for true and false."""
    if isinstance(value.value, int) and value.value in (0, 1):
        return Value(bool(value.value), value.where)
    _refuse(value, attribute.name, "true or false", "write true or false", mistakes)
    return None


def _is_number(value: Value, attribute: Attribute, mistakes: Mistakes) -> bool:
    number = value.value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return _refuse(value, attribute.name, "a number", "write a number", mistakes)
    if not math.isfinite(number) or abs(number) > _LARGEST_FLOAT32:
        fix = "leave it out for no limit" if attribute.name in ("min", "max") else "write a finite number"
        return _refuse(value, attribute.name, "a number that float32 can hold", fix, mistakes)
    return True


def _are_integers(value: Value, attribute: Attribute, mistakes: Mistakes) -> bool:
    items = value.items()
    most = attribute.longest
    if value.pairs() or (items is not None and not 1 - attribute.empty <= len(items) <= most):
        rule = f"a number, or a list of 1 to {most} numbers{', one per axis' if most == MOST_AXES else ''}"
        return _refuse(value, attribute.name, rule, "write a number", mistakes)
    each = (value,) if items is None else items
    return None not in [whole_number(one, attribute.name, mistakes, attribute.least or 0) for one in each]


def _are_sizes(value: Value, attribute: Attribute, mistakes: Mistakes) -> bool:
    """Formulas are taken as they are."""
    items = value.items()
    if items is not None:
        numbers = tuple(Value(1, one.where) if isinstance(one.value, str) else one for one in items)
        return _are_integers(Value(numbers, value.where), attribute, mistakes)
    return isinstance(value.value, str) or _are_integers(value, attribute, mistakes)


def _is_pad(value: Value, attribute: Attribute, mistakes: Mistakes) -> bool:
    pairs, items = value.pairs(), value.items()
    words = f", {', '.join(attribute.words)}, or {{output: sizes}}" if attribute.words else ""
    rule = f"a number, one number or [begin, end] per axis{words}"
    if pairs and attribute.words and [key for key, _ in pairs] == ["output"]:
        return _are_integers(pairs[0][1], Attribute("pad: output", "integers", "", least=1), mistakes)
    if pairs or (items is not None and not 1 <= len(items) <= MOST_AXES):
        return _refuse(value, attribute.name, rule, "write a number", mistakes)
    return all([_is_axis_pad(one, attribute, rule, mistakes) for one in items or (value,)])  # noqa: C419 (all mistakes)


def _is_axis_pad(value: Value, attribute: Attribute, rule: str, mistakes: Mistakes) -> bool:
    ends = value.items()
    if isinstance(value.value, str) or value.pairs() or (ends is not None and len(ends) != 2):
        fix = "write [begin, end] for each axis, such as [[1, 1], [0, 2]]"
        return _refuse(value, attribute.name, rule, fix, mistakes)
    checks = [whole_number(end, attribute.name, mistakes, attribute.least or 0) for end in ends or (value,)]
    return None not in checks
