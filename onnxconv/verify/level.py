"""What keeps a bound tight through many normalisations y = (x − m)/√(variance + ε): small values, mirrored channels, faint branches.

An error e on x moves the difference by e and the mean of e, and the root by a part of it. In a chain of norms each of these
would be added again: a bound grew three- to sixfold a norm. Three choices of the routed weights keep it from growing.

**Small values**: what arrives at a norm has a range of √ε/16, so that its variance is at most ε/256. Errors of the variance,
the runtime's own included, then count for a 256th, and so do faults in it: `exact` and `bound` look for those.

**Mirrored channels**: filters come in pairs with the same tap and opposite signs and biases. Their channels cancel in the mean
but for the roundings since the pair was made, however large the error is that both carry with opposite signs.

**Faint branches**: of n branches that are added to what they were computed from, each is scaled by 2^-d ≤ 2/n, so that all
together add as much as two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.graph import Graph, Node
from onnxconv.verify.words import MOVING

__all__ = ["NORMS", "PLAIN", "Level", "levels"]

NORMS = ("LayerNormalization", "GroupNormalization", "InstanceNormalization")
SMALL = 2.0**-4
"""The range of values before a norm, relative to √ε."""
STRAIGHT = ("Identity", "Neg", "AveragePool", "GlobalAveragePool", "Add", "Sub", "Concat", *MOVING)
"""Through these values arrive as they are, added up or averaged."""


@dataclass(frozen=True, slots=True)
class Level:
    """Of a tensor: the range that its values are to have before a norm, 0 where none is near; and what scales a branch."""

    range: float = 0.0
    faint: float = 1.0


PLAIN = Level()
"""Nothing is asked."""


def levels(graph: Graph) -> Mapping[str, Level]:
    """By tensor, where the graph normalises by statistics; else nothing."""
    norms = [node for node in graph.nodes if node.op.kind in NORMS and _small_numbers(node)]
    if not norms:
        return {}
    made = {node.output: node for node in graph.nodes}
    faint = _branches(graph, made)
    found: dict[str, float] = {}
    for norm in norms:
        wanted = SMALL * math.sqrt(float(np.float32(norm.op.epsilon)))  # type: ignore[attr-defined]
        for name in _arriving(norm.inputs[0], made):
            found[name] = min(found.get(name, math.inf), wanted)
    return {name: Level(found.get(name, 0.0), faint.get(name, 1.0)) for name in found.keys() | faint.keys()}


def _small_numbers(norm: Node) -> bool:
    """Half precision has no room for small values, nor has an ε of 0."""
    return DTYPES[norm.type.dtype].significand >= DTYPES["float32"].significand and norm.op.epsilon > 0  # type: ignore[attr-defined]


def _arriving(tensor: str, made: Mapping[str, Node], beyond: frozenset[str] | set[str] = frozenset()) -> set[str]:
    """A tensor and all that arrives in it, up to the layers that can scale it, without what lies `beyond`."""
    found, open_ = set[str](), [tensor]
    while open_:
        name = open_.pop()
        if name not in found and name not in beyond:
            found.add(name)
            node = made.get(name)
            if node is not None and (node.op.kind in STRAIGHT or _scaling(node, made) or _each_channel(node)):
                open_.extend(node.inputs)
    return found


def _scaling(node: Node, made: Mapping[str, Node]) -> bool:
    """A product with, or a quotient by, a constant."""
    return node.op.kind in ("Mul", "Div") and any(_constant(name, made) for name in node.inputs)


def _each_channel(node: Node) -> bool:
    """A convolution of each channel by itself, which keeps mirrored channels mirrored."""
    op = node.op
    return node.op.kind == "Conv" and 1 < op.groups == op.out_channels  # type: ignore[attr-defined]


def _constant(name: str, made: Mapping[str, Node]) -> bool:
    return name in made and made[name].op.kind == "Constant"


def _branches(graph: Graph, made: Mapping[str, Node]) -> dict[str, float]:
    """What scales the layers at the ends of branches: of operands of a sum, those that were computed from another one."""
    above = _ancestors(graph)
    ends = {
        (name, other)
        for node in graph.nodes
        if node.op.kind == "Add"
        for name in node.inputs
        for other in node.inputs
        if other != name and other in above.get(name, ())
    }
    scale = 2.0 ** -max(0, math.ceil(math.log2(max(1, len(ends)) / 2)))
    faint: dict[str, float] = {}
    for end, start in ends:
        for name in _arriving(end, made, above[start] | {start}):
            faint[name] = faint.get(name, 1.0) * scale
    return faint


def _ancestors(graph: Graph) -> dict[str, set[str]]:
    """Of each tensor that depends on an input, those that it depends on."""
    above: dict[str, set[str]] = {name: set() for name, _ in graph.inputs}
    for node in graph.nodes:
        read = [name for name in node.inputs if name in above]
        if read:
            above[node.output] = set(read).union(*(above[name] for name in read))
    return above
