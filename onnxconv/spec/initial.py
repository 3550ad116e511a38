"""How weights are drawn: ``he_normal``, ``{normal: [0, 0.1]}``, or a table from a layer's weights to such."""

from __future__ import annotations

import math

from onnxconv.spec.form import called, shown
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.value import Value
from onnxconv.spec.vocabulary import INITIALISERS, suggestion

__all__ = ["initialisers"]

_RULE = "init is the name of an initialiser, {name: its numbers}, or a table from weights to such"


def initialisers(value: Value, roles: tuple[str, ...], mistakes: Mistakes) -> Value | None:
    """A table from each role to a list of an initialiser's name and its numbers; without roles it is the first one's."""
    pairs = value.pairs() or ()
    if not any(key in roles for key, _ in pairs):
        one = _initialiser(value, mistakes)
        return None if one is None else Value(((roles[0], one),), value.where)
    found = []
    for role, how in pairs:
        if role not in roles:
            rule = f"the weights here are {', '.join(roles)}"
            mistakes.add(how.where, "unknown-role", f"init speaks of {role!r}", rule, suggestion(role, roles))
            continue
        one = _initialiser(how, mistakes)
        found += [] if one is None else [(role, one)]
    return Value(tuple(found), value.where)


def _initialiser(value: Value, mistakes: Mistakes) -> Value | None:
    pairs = value.pairs()
    name, numbers = value.value, tuple[Value, ...]()
    if pairs and len(pairs) == 1:
        name, given = pairs[0]
        items = given.items()
        numbers = (given,) if items is None else items
    if not isinstance(name, str):
        mistakes.add(value.where, "type", f"init is {called(value)}", _RULE, "write he_normal")
    elif name not in INITIALISERS:
        what = f"no initialiser is called {name!r}"
        mistakes.add(value.where, "word", what, _RULE, suggestion(name, INITIALISERS))
    elif _right_numbers(value, name, numbers, mistakes):
        return Value((Value(name, value.where), *numbers), value.where)
    return None


def _right_numbers(value: Value, name: str, numbers: tuple[Value, ...], mistakes: Mistakes) -> bool:
    due = INITIALISERS[name]
    given = [n.value for n in numbers if isinstance(n.value, int | float) and not isinstance(n.value, bool)]
    written = ", ".join(shown(n) for n in numbers) or "no number"
    rule = f"{name} takes {', '.join(due)}" if due else f"{name} takes no numbers"
    fix = f"write {{{name}: [{', '.join(due)}]}}" if due else f"write {name}"
    if len(numbers) != len(due) or len(given) != len(due) or not all(math.isfinite(n) for n in given):
        mistakes.add(value.where, "init-numbers", f"{name} is given {written}", rule, fix)
    elif due == ("low", "high") and given[0] > given[1]:
        fix = f"write {{{name}: [{given[1]}, {given[0]}]}}"
        mistakes.add(value.where, "init-numbers", f"{name} is given {written}", "the lower limit comes first", fix)
    elif name == "normal" and given[1] < 0:
        mistakes.add(
            value.where, "init-numbers", f"{name} is given {written}", "std is at least 0", "write it positive"
        )
    elif name == "integers" and not all(isinstance(n, int) for n in given):
        mistakes.add(
            value.where, "init-numbers", f"{name} is given {written}", "its limits are whole numbers", "round them"
        )
    else:
        return True
    return False
