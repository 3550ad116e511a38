"""A layer's attributes against the vocabulary: types, ranges, words, and what belongs together."""

from __future__ import annotations

import math

from onnxconv.errors import Where
from onnxconv.spec.form import Scope, called, free_names, is_table, shown, whole_number, work_out
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Entry
from onnxconv.spec.value import Value
from onnxconv.spec.vocabulary import INITIALISERS, WORDS, Attribute, Kind, suggestion

__all__ = ["attributes", "check_attributes", "checked_init"]

MOST_AXES = 8
"""Spatial axes of a window."""


def attributes(
    kind: Kind, entries: tuple[Entry, ...], scope: Scope, init: Value | None, where: Where, mistakes: Mistakes
) -> tuple[tuple[str, Value], ...]:
    """Every attribute that is written or has a default, in the vocabulary's order; `init` where none is written."""
    written = {entry.key: entry for entry in entries}
    found: dict[str, Value] = {}
    for attribute in kind.attributes:
        entry = written.get(attribute.name)
        if entry is not None:
            value = work_out(entry.value, scope, mistakes, attribute.words)
            value = value and _checked(kind, attribute, value, mistakes)
            if value is not None:
                found[attribute.name] = value
        elif attribute.type == "init" and init is not None:
            found[attribute.name] = init
        elif attribute.default is not None:
            found[attribute.name] = Value(attribute.default, where)
        elif attribute.required:
            _missing(kind, attribute, where, mistakes)
    if kind.name == "conv":
        _check_filters(written.keys(), found, where, mistakes)
    if kind.name in ("conv", "pad"):
        _check_pad_mode(found, mistakes)
    return tuple(found.items())


def check_attributes(kind: Kind, entries: tuple[Entry, ...], where: Where, mistakes: Mistakes) -> None:
    """What can be said before parameters have values: everything about constants, and which attributes are missing."""
    constant = tuple(entry for entry in entries if not free_names(entry.value))
    if len(constant) == len(entries):
        attributes(kind, entries, {}, None, where, mistakes)
        return
    for entry in constant:
        attribute = kind.attribute(entry.key)
        value = work_out(entry.value, {}, mistakes, attribute.words)
        if value is not None:
            _checked(kind, attribute, value, mistakes)
    written = {entry.key for entry in entries}
    for attribute in kind.attributes:
        if attribute.required and attribute.name not in written:
            _missing(kind, attribute, where, mistakes)


def _missing(kind: Kind, attribute: Attribute, where: Where, mistakes: Mistakes) -> None:
    what = f"{kind.name} has no {attribute.name}"
    mistakes.add(where, "missing", what, f"{attribute.name}: {attribute.doc}", f"add {attribute.name}")


def _check_filters(written: object, found: dict[str, Value], where: Where, mistakes: Mistakes) -> None:
    """How many output channels is said once: filters, multiplier, or depthwise groups alone."""
    given = [name for name in ("filters", "multiplier") if name in written]  # type: ignore[operator]
    if len(given) == 2:
        place = found[given[1]].where if given[1] in found else where
        mistakes.add(
            place,
            "filters-twice",
            "both filters and multiplier",
            "filters = multiplier * input channels",
            "remove one of them",
        )
    depthwise = "group" in found and found["group"].value == "depthwise"
    if not given and not depthwise:
        mistakes.add(
            where,
            "missing",
            "conv has no filters",
            "filters: output channels",
            "add filters, or multiplier, or group: depthwise",
        )


def _check_pad_mode(found: dict[str, Value], mistakes: Mistakes) -> None:
    value, mode = found.get("pad_value"), found.get("pad_mode")
    if value is not None and mode is not None and value.value != 0 and mode.value != "constant":
        mistakes.add(
            value.where,
            "pad-value",
            f"pad_value is {shown(value)} with pad_mode {shown(mode)}",
            "pad_value is used by pad_mode constant only",
            "add pad_mode: constant, or remove pad_value",
        )


def _checked(kind: Kind, attribute: Attribute, value: Value, mistakes: Mistakes) -> Value | None:
    name = attribute.name
    if isinstance(value.value, str) and value.value not in attribute.words and attribute.type != "init":
        what = f"{name} is the word {value.value!r}"
        fix = (
            suggestion(value.value, attribute.words)
            if attribute.words
            else f"write a {'number' if attribute.type != 'boolean' else 'true or false'}"
        )
        mistakes.add(value.where, "word", what, f"{name}: {attribute.doc}", fix)
        return None
    match attribute.type:
        case "integer" if value.value in attribute.words:
            return value
        case "integer":
            return None if whole_number(value, name, mistakes, attribute.least or 0) is None else value
        case "integers":
            return _integers(value, attribute, mistakes)
        case "number":
            return _number(value, name, mistakes)
        case "boolean":
            return _boolean(value, name, mistakes)
        case "word":
            return (
                value
                if isinstance(value.value, str)
                else _refuse(
                    value, name, f"one of {', '.join(attribute.words)}", f"write {attribute.words[0]}", mistakes
                )
            )
        case "pad":
            return _pad(value, attribute, mistakes)
        case "init":
            return checked_init(value, kind.roles, mistakes)


def _refuse(value: Value, name: str, rule: str, fix: str, mistakes: Mistakes) -> None:
    mistakes.add(value.where, "type", f"{name} is {called(value)}", f"{name} is {rule}", fix)


def _integers(value: Value, attribute: Attribute, mistakes: Mistakes) -> Value | None:
    if isinstance(value.value, tuple) and not is_table(value):
        if not 1 <= len(value.value) <= MOST_AXES:
            return _refuse(
                value,
                attribute.name,
                f"a number, or a list of 1 to {MOST_AXES} numbers, one per axis",
                "write a number",
                mistakes,
            )
        parts = [_integers_part(part, attribute, mistakes) for part in value.value]
        return value if all(parts) else None
    return value if _integers_part(value, attribute, mistakes) else None


def _integers_part(part: object, attribute: Attribute, mistakes: Mistakes) -> bool:
    assert isinstance(part, Value), "a list holds values"
    return whole_number(part, attribute.name, mistakes, attribute.least or 0) is not None


def _number(value: Value, name: str, mistakes: Mistakes) -> Value | None:
    number = value.value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return _refuse(value, name, "a number", "write a number", mistakes)
    if not math.isfinite(number) or abs(number) > 3.4028234663852886e38:
        return _refuse(
            value,
            name,
            "a finite number that float32 can hold",
            "leave it out for no limit" if name in ("min", "max") else "write a finite number",
            mistakes,
        )
    return value


def _boolean(value: Value, name: str, mistakes: Mistakes) -> Value | None:
    if value.value in (0, 1) and isinstance(value.value, int):
        return Value(bool(value.value), value.where)
    return _refuse(value, name, "true or false", "write true or false", mistakes)


def _pad(value: Value, attribute: Attribute, mistakes: Mistakes) -> Value | None:
    rule = "a number, one number or [begin, end] per axis" + (
        f", {', '.join(attribute.words)}" if attribute.words else ""
    )
    if isinstance(value.value, str):
        return value
    if is_table(value):
        return _pad_output(value, rule, mistakes)
    if not isinstance(value.value, tuple):
        return value if _integers_part(value, attribute, mistakes) else None
    if not 1 <= len(value.value) <= MOST_AXES:
        return _refuse(value, attribute.name, rule, "write a number", mistakes)
    good = True
    for part in value.value:
        assert isinstance(part, Value), "a list holds values"
        if isinstance(part.value, tuple) and len(part.value) == 2 and not is_table(part):
            good &= all([_integers_part(end, attribute, mistakes) for end in part.value])
        elif isinstance(part.value, tuple | str):
            _refuse(part, attribute.name, rule, "write [begin, end] for each axis, such as [[1, 1], [0, 2]]", mistakes)
            good = False
        else:
            good &= _integers_part(part, attribute, mistakes)
    return value if good else None


def _pad_output(value: Value, rule: str, mistakes: Mistakes) -> Value | None:
    pairs = value.value
    assert isinstance(pairs, tuple), "a table holds pairs"
    first = pairs[0]
    assert isinstance(first, tuple), "a table holds pairs"
    if len(pairs) != 1 or first[0] != "output":
        return _refuse(
            value, "pad", f"{rule}, or {{output: sizes}}", "write {output: size} for the size to reach", mistakes
        )
    sizes = _integers(first[1], Attribute("pad: output", "integers", "", least=1), mistakes)
    return None if sizes is None else Value((("output", sizes),), value.where)


def checked_init(value: Value, roles: tuple[str, ...], mistakes: Mistakes) -> Value | None:
    """An initialiser for each role: ``he_normal``, ``{normal: [0, 0.1]}``, or a table from roles to such."""
    pairs = value.value
    by_role = (
        is_table(value) and isinstance(pairs, tuple) and any(isinstance(p, tuple) and p[0] in roles for p in pairs)
    )
    if not by_role:
        one = _initialiser(value, mistakes)
        return None if one is None else Value((("weight", one),), value.where)
    found: list[tuple[str, Value]] = []
    assert isinstance(pairs, tuple), "a table holds pairs"
    for pair in pairs:
        assert isinstance(pair, tuple), "a table holds pairs"
        role, how = pair
        if role not in roles:
            mistakes.add(
                how.where,
                "unknown-role",
                f"init says {role!r}",
                f"the weights here are {', '.join(roles)}",
                suggestion(role, roles),
            )
            continue
        one = _initialiser(how, mistakes)
        found += [] if one is None else [(role, one)]
    return Value(tuple(found), value.where)


def _initialiser(value: Value, mistakes: Mistakes) -> Value | None:
    rule = "the name of an initialiser, or {name: its numbers}"
    name, numbers = value.value, ()
    if is_table(value):
        assert isinstance(value.value, tuple), "a table holds pairs"
        if len(value.value) != 1:
            return _refuse(value, "init", rule, "write one initialiser", mistakes)
        (pair,) = value.value
        assert isinstance(pair, tuple), "a table holds pairs"
        name, given = pair
        numbers = given.value if isinstance(given.value, tuple) and not is_table(given) else (given,)  # type: ignore[assignment]
    if not isinstance(name, str) or (name not in INITIALISERS and name in WORDS):
        return _refuse(value, "init", rule, "write he_normal", mistakes)
    if name not in INITIALISERS:
        mistakes.add(
            value.where, "word", f"no initialiser is called {name!r}", f"init is {rule}", suggestion(name, INITIALISERS)
        )
        return None
    due = INITIALISERS[name]
    if len(numbers) != len(due):
        wanted = f"takes {', '.join(due)}" if due else "takes no numbers"
        mistakes.add(
            value.where,
            "init-numbers",
            f"{name} with {len(numbers)} numbers",
            f"{name} {wanted}",
            f"write {{{name}: [{', '.join(due)}]}}" if due else f"write {name}",
        )
        return None
    if any(_number(n, name, mistakes) is None for n in numbers):
        return None
    if name in ("uniform", "integers") and float(numbers[0].value) > float(numbers[1].value):  # type: ignore[arg-type]
        mistakes.add(
            value.where,
            "init-numbers",
            f"{name} from {shown(numbers[0])} to {shown(numbers[1])}",
            "the lower limit comes first",
            f"write {{{name}: [{shown(numbers[1])}, {shown(numbers[0])}]}}",
        )
        return None
    if name == "integers" and not all(isinstance(n.value, int) for n in numbers):
        return _refuse(value, "init", "integers from low to high, both whole numbers", "write whole numbers", mistakes)
    return Value((Value(name, value.where), *numbers), value.where)
