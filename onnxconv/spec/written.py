"""Layers as they are written: steps with their attributes, branches, repeats and conditions, not yet expanded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from onnxconv.errors import Where
from onnxconv.spec.node import Entry, Node
from onnxconv.spec.value import Value
from onnxconv.spec.vocabulary import Kind

__all__ = ["Block", "Branch", "Reference", "Repeat", "Step", "Steps", "names_of", "union"]


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of a tensor, or a pattern for several; `previous` is the one before."""

    name: str
    where: Where


@dataclass(frozen=True, slots=True)
class Repeat:
    """So many times, or once per value: `variable` counts from 0 where `values` is a number."""

    values: Node
    variable: str | None
    where: Where


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a list of layers: a layer (`kind`), a use of a block (`block`), or a group of layers (`body`)."""

    word: str
    where: Where
    kind: Kind | None = None
    block: str | None = None
    entries: tuple[Entry, ...] = ()
    branches: tuple[Branch, ...] | None = None
    body: Steps | None = None
    name: str | None = None
    name_where: Where = field(default=Where(), compare=False)
    source: tuple[Reference, ...] = ()
    repeat: Repeat | None = None
    when: Node | None = None
    free: frozenset[str] = frozenset()
    """Parameters that anything in it mentions."""
    wrong: bool = False
    """A mistake in it was reported."""

    def inner(self) -> Iterator[Steps]:
        """The lists of layers in it: of its branches, or of a group."""
        yield from (branch for branch in self.branches or () if isinstance(branch, Steps))
        if self.body is not None:
            yield self.body


@dataclass(frozen=True, slots=True)
class Steps:
    """A list of layers, and the names given in it, branches included."""

    steps: tuple[Step, ...]
    names: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()


Branch: TypeAlias = "Steps | Reference"


@dataclass(frozen=True, slots=True)
class Block:
    """Layers under a name; a parameter without a default (None) must be given."""

    name: str
    parameters: tuple[tuple[str, Node | None], ...]
    body: Steps
    where: Where
    outside: Mapping[str, Value]
    """Parameters of the file."""


def names_of(step: Step) -> frozenset[str]:
    """Names that the step gives in the scope that it stands in: its own, and those in branches and open groups."""
    inner = [b.names for b in step.branches or () if isinstance(b, Steps)] if step.repeat is None else []
    if step.body is not None and step.repeat is None and step.name is None:
        inner.append(step.body.names)
    return union(inner) | ({step.name} if step.name else frozenset())


def union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    """All that is in any of the sets."""
    return frozenset[str]().union(*sets)
