"""A document as it is written: scalars, lists and tables, each with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from onnxconv.errors import Where

__all__ = ["Entry", "Items", "Node", "Scalar", "Table", "described"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number, word, boolean or nothing, by the core schema of YAML 1.2; `text` as written, without quotes."""

    value: bool | int | float | str | None
    text: str
    where: Where


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    where: Where


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a table, the key's place, and its value."""

    key: str
    where: Where
    value: Node


@dataclass(frozen=True, slots=True)
class Table:
    """Keys and values in the order in which they are written; no key twice."""

    entries: tuple[Entry, ...]
    where: Where

    def get(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)


Node: TypeAlias = "Scalar | Items | Table"


def described(node: Node) -> str:
    """The node in a few words: 'the text …', 'the number 3', 'a list of 2', 'nothing'."""
    match node:
        case Items(items):
            return f"a list of {len(items)}"
        case Table(entries):
            keys = ", ".join(entry.key for entry in entries[:4])
            return f"a table with the keys {keys}" if keys else "an empty table"
        case Scalar(None):
            return "nothing"
        case Scalar(bool(), text):
            return text.lower()
        case Scalar(int() | float(), text):
            return f"the number {text}"
    return f"the text {_short(node.text)!r}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
