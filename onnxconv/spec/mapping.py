"""A spec given as Python values; places are paths such as layers[3].conv.kernel."""

from __future__ import annotations

from collections.abc import Mapping

from onnxconv.errors import Where
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.node import Entry, Items, Node, Scalar, Table
from onnxconv.spec.text import DEEPEST

__all__ = ["placed", "tree_of"]


def tree_of(value: object, mistakes: Mistakes, path: str = "", depth: int = 0) -> Node:
    """The tree of mappings, lists, tuples and scalars; anything else is a mistake at its path."""
    where = Where(path or "spec")
    if depth > DEEPEST:
        mistakes.add(
            where,
            "depth",
            f"lists and tables nested {depth} deep",
            f"at most {DEEPEST} are read",
            "move the inner layers to a block",
        )
        return Scalar(None, "", where)
    if isinstance(value, Mapping):
        entries = []
        for key, inner in value.items():
            at = f"{path}.{key}" if path else str(key)
            if not isinstance(key, str):
                mistakes.add(Where(at), "key", f"the key {key!r}", "a key is a text", "use a string")
            entries.append(Entry(str(key), Where(at), tree_of(inner, mistakes, at, depth + 1)))
        return Table(tuple(entries), where)
    if isinstance(value, list | tuple):
        return Items(tuple(tree_of(v, mistakes, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)), where)
    if value is None or isinstance(value, bool | int | float | str):
        return Scalar(value, "" if value is None else str(value), where)
    mistakes.add(
        where,
        "type",
        f"a value of the type {type(value).__name__}",
        "a spec holds mappings, lists, numbers, texts and booleans",
        "convert it, with int() for instance",
    )
    return Scalar(1, "1", where)


def placed(node: Node, where: Where) -> Node:
    """The same tree, all of it at one place."""
    if isinstance(node, Items):
        return Items(tuple(placed(item, where) for item in node.items), where)
    if isinstance(node, Table):
        return Table(tuple(Entry(e.key, where, placed(e.value, where)) for e in node.entries), where)
    return Scalar(node.value, node.text, where)
