"""Parameters and inputs of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from onnxconv.dtypes import DTYPES
from onnxconv.errors import Where, closest
from onnxconv.spec.form import Scope, whole_number, work_out
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.names import parameter_name, tensor_name
from onnxconv.spec.node import Entry, Items, Node, Scalar, Table, described
from onnxconv.spec.scalar import resolve
from onnxconv.spec.value import Input, Value

__all__ = ["read_inputs", "read_parameters"]

_TYPE = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)?\s*\[(.*)\]\s*\Z", re.DOTALL)
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
MOST_DIMENSIONS = 10


def read_parameters(entry: Entry | None, overrides: Mapping[str, object], mistakes: Mistakes) -> Scope:
    """The file's parameters, each with its value: the overriding one where there is one."""
    scope: dict[str, Value] = {}
    declared = entry.value if entry is not None else None
    if declared is not None and not isinstance(declared, Table):
        if not (isinstance(declared, Scalar) and declared.value is None):
            mistakes.add(
                declared.where,
                "parameters",
                f"parameters are {described(declared)}",
                "parameters are a table from names to values",
                "write parameters: {classes: 1000}",
            )
        declared = None
    for one in declared.entries if declared is not None else ():
        known = parameter_name(one.key, one.where, "a parameter", mistakes)
        value = _override(one.key, overrides[one.key], mistakes) if one.key in overrides else one.value
        if value is not None and isinstance(value, Scalar) and value.value is None:
            mistakes.add(
                one.where,
                "parameters",
                f"the parameter {one.key} has no value",
                "a parameter of the file has a value; --set overrides it",
                f"write {one.key}: 1, or any other",
            )
            value = None
        worked = value and work_out(value, scope, mistakes)
        # a parameter in error still has a value, so that only its own mistake is reported
        scope |= {one.key: worked or Value(1, one.where)} if known else {}
    for name in overrides:
        if declared is None or declared.get(name) is None:
            fix = closest(name, scope) if scope else "this spec has no parameters"
            mistakes.add(Where(f"--set {name}"), "unknown-parameter", f"the spec has no parameter {name!r}", "", fix)
    return scope


def _override(name: str, value: object, mistakes: Mistakes) -> Node | None:
    where = Where(f"--set {name}")
    if isinstance(value, str):
        return Scalar(resolve(value), value, where)
    if isinstance(value, bool | int | float):
        return Scalar(value, str(value), where)
    mistakes.add(where, "type", f"{name} is {value!r}", "a parameter is set to a number or a word", "write a number")
    return None


def read_inputs(node: Node, dtype: str, scope: Scope, mistakes: Mistakes) -> tuple[Input, ...]:
    """The inputs in order; those that do not say their type have `dtype`."""
    if not isinstance(node, Table) or not node.entries:
        mistakes.add(
            node.where,
            "inputs",
            f"inputs are {described(node)}",
            "inputs are a table from names to types",
            "write x: float32[N, 3, 224, 224]",
        )
        return ()
    found = []
    for entry in node.entries:
        name = tensor_name(Scalar(entry.key, entry.key, entry.where), "an input's name", mistakes)
        one = _input(entry, dtype, scope, mistakes)
        found.append(Input(name or entry.key, *one, entry.where))
    return tuple(found)


def _input(entry: Entry, dtype: str, scope: Scope, mistakes: Mistakes) -> tuple[str, tuple[int | str, ...]]:
    rule = "an input is a type and a shape, such as float32[N, 3, 224, 224]"
    if isinstance(entry.value, Items):
        return dtype, _dimensions(entry.value.items, entry, scope, mistakes)
    text = entry.value.text if isinstance(entry.value, Scalar) else ""
    match = _TYPE.match(text)
    if match is None:
        mistakes.add(
            entry.value.where,
            "input",
            f"the input {entry.key} is {described(entry.value)}",
            rule,
            "write the sizes in brackets, outermost first",
        )
        return dtype, ()
    given = match[1] or dtype
    if given not in DTYPES:
        mistakes.add(
            entry.value.where,
            "dtype",
            f"the input {entry.key} has the type {given!r}",
            f"data types are {', '.join(DTYPES)}",
            closest(given, DTYPES),
        )
    parts = [part.strip() for part in _split(match[2])]
    nodes = tuple(Scalar(resolve(part), part, entry.value.where) for part in parts)
    return given, _dimensions(nodes, entry, scope, mistakes)


def _split(text: str) -> list[str]:
    """At the commas that stand in no parentheses."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def _dimensions(nodes: tuple[Node, ...], entry: Entry, scope: Scope, mistakes: Mistakes) -> tuple[int | str, ...]:
    found: list[int | str] = []
    if len(nodes) > MOST_DIMENSIONS:
        mistakes.add(
            entry.value.where,
            "input",
            f"the input {entry.key} has {len(nodes)} axes",
            f"at most {MOST_DIMENSIONS} are read",
            "write fewer",
        )
        return ()
    for axis, node in enumerate(nodes):
        if isinstance(node, Scalar) and (node.value is None or node.value in ("?", "-1", -1)):
            mistakes.add(
                node.where,
                "input",
                f"axis {axis} of {entry.key} is {node.text or 'empty'}",
                "a size is a number, or a name where it is not known",
                "write a name such as N",
            )
        elif (
            isinstance(node, Scalar)
            and isinstance(node.value, str)
            and _SYMBOL.match(node.value)
            and node.value not in scope
        ):
            found.append(node.value)
        else:
            value = work_out(node, scope, mistakes)
            size = None if value is None else whole_number(value, f"axis {axis} of {entry.key}", mistakes, least=1)
            found += [] if size is None else [size]
    return tuple(found)
