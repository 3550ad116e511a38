"""What a list of layers is made of, before it is text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from onnxconv.graph import Node
from onnxconv.specify.writers import Said

__all__ = [
    "PREVIOUS",
    "Block",
    "Branch",
    "Item",
    "Layer",
    "Parameter",
    "Repeated",
    "Use",
    "flat",
    "in_line",
    "layers_in",
]

PREVIOUS = "\0previous"
"""As a branch: the tensor before the layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. `source`: the tensor that it reads where that is not the one before; None where it is.

    `branches`: of a join. `name`: given only where something refers to it. `kept`: its tensor is an output of the network,
    which keeps its name.
    """

    said: Said
    node: Node
    source: str | None = None
    branches: tuple[Branch, ...] = ()
    name: str | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same layers several times, one after the other; they differ in names and weights alone."""

    times: tuple[tuple[Item, ...], ...]


class Parameter(str):
    """A parameter of a block, standing where a value differs from one use of the block to the next."""


@dataclass(frozen=True, slots=True)
class Use:
    """A block used. `arguments`: a value for each of its parameters; `inside`: the layers that this stands for."""

    block: str
    arguments: tuple[tuple[str, Any], ...]
    inside: tuple[Item, ...]
    source: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Layers under a name. `defaults`: values of parameters that a use need not give."""

    name: str
    parameters: tuple[str, ...]
    defaults: Mapping[str, Any]
    body: tuple[Item, ...]


Item: TypeAlias = "Layer | Repeated | Use"
Branch: TypeAlias = "tuple[Item, ...] | str"
"""Layers that start where the join's source is, or the name of a tensor."""


def in_line(layer: Layer) -> bool:
    """A join of names and constants alone, which takes one line."""
    return all(isinstance(branch, str) or _is_source(branch) for branch in layer.branches)


def _is_source(branch: tuple[Item, ...]) -> bool:
    return len(branch) == 1 and isinstance(branch[0], Layer) and not branch[0].node.inputs and branch[0].name is None


def flat(items: tuple[Item, ...]) -> Iterator[Node]:
    """The nodes in the order in which a spec of these items says them."""
    for layer in layers_in(items):
        yield layer.node


def layers_in(items: tuple[Item, ...]) -> Iterator[Layer]:
    """All layers, those of branches before the join that they lead to."""
    for item in items:
        if isinstance(item, Repeated):
            for once in item.times:
                yield from layers_in(once)
            continue
        if isinstance(item, Use):
            yield from layers_in(item.inside)
            continue
        for branch in item.branches:
            if not isinstance(branch, str):
                yield from layers_in(branch)
        yield item
