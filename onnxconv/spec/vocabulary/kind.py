"""What a kind of layer and its attributes state about themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Attribute", "Kind", "Type"]

Type: TypeAlias = Literal["integer", "integers", "number", "boolean", "word", "pad", "init", "sizes"]
"""The form of an attribute's `Value.value` in a parsed `Layer`.

integer: an int, or one of `words`. integers: an int for all axes, or a tuple of ints, one per axis. number: an int or
a float. boolean: a bool. word: one of `words`. pad: an int for all sides, one of `words`, a tuple with an int or a
(begin, end) pair per axis, or the one-pair mapping (("output", integers),). init: a mapping from a weight's role to a
tuple of the initialiser's name and its numbers: (("weight", (normal, 0, 0.1)),). sizes: as integers, any of which may be
the text of a formula over the sizes that the inputs leave open.
"""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a layer: its type, its default (None: left out), and its least legal value."""

    name: str
    type: Type
    doc: str
    default: bool | int | float | str | None = None
    required: bool = False
    least: int | None = None
    words: tuple[str, ...] = ()
    longest: int = 8
    """Entries that a list may have."""
    empty: bool = False
    """A list may have no entries."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of layer. `bare` names the attribute that may be given without its name; a join reads many tensors, a
    `source` none.

    `roles` names its weights, as `init` addresses them.
    """

    name: str
    doc: str
    attributes: tuple[Attribute, ...] = ()
    bare: str | None = None
    join: bool = False
    roles: tuple[str, ...] = ()
    source: bool = False

    def attribute(self, name: str) -> Attribute:
        """The attribute of that name; KeyError where there is none."""
        return {attribute.name: attribute for attribute in self.attributes}[name]
