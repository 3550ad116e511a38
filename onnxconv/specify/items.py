"""What a list of layers is made of, before it is text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from onnxconv.graph import Node
from onnxconv.specify.writers import Said

__all__ = ["PREVIOUS", "Branch", "Item", "Layer", "Repeated", "flat", "layers_in"]

PREVIOUS = "\0previous"
"""As a branch: the tensor before the layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. `source`: the tensor that it reads where that is not the one before; None where it is.

    `branches`: of a join. `name`: given only where something refers to it.
    """

    said: Said
    node: Node
    source: str | None = None
    branches: tuple[Branch, ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same layers several times, one after the other; they differ in names and weights alone."""

    times: tuple[tuple[Item, ...], ...]


Item: TypeAlias = "Layer | Repeated"
Branch: TypeAlias = "tuple[Item, ...] | str"
"""Layers that start where the join's source is, or the name of a tensor."""


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
        for branch in item.branches:
            if not isinstance(branch, str):
                yield from layers_in(branch)
        yield item
