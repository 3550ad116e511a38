"""What may stand as an attribute's value: parameters put in, expressions worked out, types and ranges checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeAlias

from onnxconv.errors import Where
from onnxconv.spec.expression import Expression, ExpressionError, evaluate, names, parse_expression
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Items, Node, Scalar, Table
from onnxconv.spec.value import Value
from onnxconv.spec.vocabulary import WORDS, suggestion

__all__ = ["Scope", "called", "check_node", "free_names", "shown", "whole_number", "work_out"]

Scope: TypeAlias = Mapping[str, Value]
"""Parameters and loop variables by name."""

LARGEST = 2**40
"""No size, count or repeat is larger."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def shown(value: Value) -> str:
    """A value as a person would write it."""
    if isinstance(value.value, bool):
        return str(value.value).lower()
    if value.value is None:
        return "nothing"
    pairs, items = value.pairs(), value.items()
    if pairs:
        return "{" + ", ".join(f"{key}: {shown(inner)}" for key, inner in pairs) + "}"
    return str(value.value) if items is None else "[" + ", ".join(shown(item) for item in items) + "]"


def free_names(node: Node) -> frozenset[str]:
    """Names of parameters that the node's text mentions; none where it is no expression."""
    match node:
        case Items(items):
            return frozenset[str]().union(*(free_names(item) for item in items))
        case Table(entries):
            return frozenset[str]().union(*(free_names(entry.value) for entry in entries))
        case Scalar(str() as text) if text not in WORDS:
            try:
                return names(parse_expression(text))
            except ExpressionError:
                return frozenset()
    return frozenset()


def check_node(node: Node, known: frozenset[str], words: tuple[str, ...], mistakes: Mistakes) -> bool:
    """Whether every expression in the node can be parsed and mentions only known parameters."""
    match node:
        case Items(items):
            return all([check_node(item, known, words, mistakes) for item in items])  # noqa: C419 (all mistakes)
        case Table(entries):
            return all([check_node(e.value, known, words, mistakes) for e in entries])  # noqa: C419
        case Scalar(str() as text) if text not in WORDS:
            return _checked(text, known, words, node.where, mistakes) is not None
    return True


def _checked(
    text: str, known: frozenset[str], words: tuple[str, ...], where: Where, mistakes: Mistakes
) -> Expression | None:
    try:
        expression = parse_expression(text)
    except ExpressionError as error:
        if _IDENTIFIER.match(text) is None and any(c.isalpha() for c in text) and words:
            error.fix += f"; or use a word: {', '.join(words)}"
        mistakes.add(
            where,
            error.code,
            f"{text!r} cannot be read: {error.what}",
            "a value is a number, a word or whole-number arithmetic on parameters",
            error.fix,
        )
        return None
    for name in sorted(names(expression) - known):
        what = f"no parameter is called {name!r}, in {text!r}"
        if name == text:
            what = (
                f"{name!r} is neither a word here nor a parameter" if words else f"no parameter is called {name!r} here"
            )
        fix = suggestion(name, [*known, *words]) if known or words else "write a number, or declare the parameter"
        mistakes.add(where, "unknown-name", what, "", fix)
        return None
    return expression


def work_out(node: Node, scope: Scope, mistakes: Mistakes, words: tuple[str, ...] = ()) -> Value | None:
    """The node's value with parameters put in and expressions worked out; None where that is impossible."""
    match node:
        case Items(items, where):
            parts = [work_out(item, scope, mistakes, words) for item in items]
            return None if None in parts else Value(tuple(p for p in parts if p is not None), where)
        case Table(entries, where):
            pairs = [(entry.key, work_out(entry.value, scope, mistakes, words)) for entry in entries]
            return (
                None
                if any(v is None for _, v in pairs)
                else Value(tuple((k, v) for k, v in pairs if v is not None), where)
            )
        case Scalar(str() as text, _, where):
            if text in scope:
                return scope[text]
            return Value(text, where) if text in WORDS else _expression(text, scope, words, where, mistakes)
    return Value(node.value, node.where)


def _expression(text: str, scope: Scope, words: tuple[str, ...], where: Where, mistakes: Mistakes) -> Value | None:
    expression = _checked(text, frozenset(scope), words, where, mistakes)
    if expression is None:
        return None
    numbers: dict[str, int] = {}
    for name in sorted(names(expression)):
        value = scope[name].value
        if not isinstance(value, int):
            mistakes.add(
                where,
                "expression",
                f"{name} is {shown(scope[name])}, in {text!r}",
                "arithmetic is on whole numbers",
                f"use {name} alone, or make it a whole number",
            )
            return None
        numbers[name] = int(value)
    try:
        return Value(evaluate(expression, numbers), where)
    except ExpressionError as error:
        given = ", ".join(f"{name} = {n}" for name, n in numbers.items())
        mistakes.add(where, error.code, f"{text!r}{f' with {given}' if given else ''}: {error.what}", "", error.fix)
        return None


def whole_number(value: Value, what: str, mistakes: Mistakes, least: int = 0, most: int = LARGEST) -> int | None:
    """The value as an integer from `least` to `most`, or None and a mistake that calls it `what`."""
    number = value.value
    if isinstance(number, bool) or not isinstance(number, int):
        rule = f"{what} is a whole number of at least {least}"
        mistakes.add(value.where, "type", f"{what} is {called(value)}", rule, _whole_fix(value, least))
        return None
    if number < least:
        mistakes.add(
            value.where, "range", f"{what} is {number}", f"{what} is at least {least}", f"write {least} or more"
        )
        return None
    if number > most:
        mistakes.add(value.where, "range", f"{what} is {number}", f"{what} is at most {most}", f"write {most} or less")
        return None
    return number


def _whole_fix(value: Value, least: int) -> str:
    """The whole number that was probably meant."""
    number = value.value
    if isinstance(number, bool):
        return f"write {max(least, int(number))}"
    if isinstance(number, float) and math.isfinite(number) and abs(number) < 2**53:
        below, above = max(least, math.floor(number)), max(least, math.ceil(number))
        return f"write {below}" if below == above else f"write {below} or {above}"
    return f"write a number, such as {max(least, 1)}"


def called(value: Value) -> str:
    """A value with the name of its type."""
    if isinstance(value.value, str):
        return f"the word {value.value!r}"
    if isinstance(value.value, tuple):
        return f"the {'table' if value.pairs() else 'list'} {shown(value)}"
    if isinstance(value.value, float):
        return f"the real number {value.value}"
    return shown(value)
