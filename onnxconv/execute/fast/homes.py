"""Where a tensor's numbers lie: in memory of its own, in that of the tensor that it is a view of, or in a concatenation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from onnxconv.execute.fast.chains import is_view
from onnxconv.graph import Graph, Node
from onnxconv.ops import Concat, Constant

__all__ = ["Home", "all_in_place", "homes", "in_place"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Home:
    """The tensor whose memory it is, and the elements of it that come before."""

    root: str
    offset: int = 0


def homes(graph: Graph, shapes: Shapes) -> dict[str, Home]:
    """Every tensor's home. Parts of a concatenation along the first axis that is not of size 1 are made where they belong."""
    within: dict[str, Home] = {n.output: Home(n.inputs[0]) for n in graph.nodes if is_view(n.op)}
    bound = {name for name, _ in graph.inputs} | {n.output for n in graph.nodes if isinstance(n.op, Constant)}
    for node in reversed(graph.nodes):
        if isinstance(node.op, Concat) and math.prod(shapes[node.output][: node.op.axis]) == 1:
            for name, offset in _parts(node, shapes):
                if name not in within and name not in bound:
                    within[name] = Home(node.output, offset)

    def home(name: str) -> Home:
        offset = 0
        while name in within:
            offset += within[name].offset
            name = within[name].root
        return Home(name, offset)

    return {name: home(name) for name in graph.types()}


def in_place(node: Node, at: Mapping[str, Home], shapes: Shapes) -> list[bool]:
    """Which parts of a concatenation are made where they belong."""
    mine = at[node.output]
    return [at[name] == Home(mine.root, mine.offset + offset) for name, offset in _parts(node, shapes)]


def all_in_place(node: Node, at: Mapping[str, Home], shapes: Shapes) -> bool:
    """Whether a node is a concatenation that leaves nothing to be done."""
    return isinstance(node.op, Concat) and all(in_place(node, at, shapes))


def _parts(node: Node, shapes: Shapes) -> list[tuple[str, int]]:
    """The parts of a concatenation and the elements before each."""
    found, offset = [], 0
    for name in node.inputs:
        found.append((name, offset))
        offset += math.prod(shapes[name])
    return found
