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
from onnxconv.weights import Weights

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


def levels(graph: Graph, weights: Weights) -> Mapping[str, Level]:
    """By tensor, where the graph normalises by statistics; else nothing."""
    made = {node.output: node for node in graph.nodes}
    norms = [norm for node in graph.nodes if _wide(node) and (norm := _norm(node, made, weights)) and norm[1] > 0]
    if not norms:
        return {}
    faint = _branches(graph, made)
    found: dict[str, float] = {}
    for tensor, epsilon in norms:
        for name in _arriving(tensor, made):
            found[name] = min(found.get(name, math.inf), SMALL * math.sqrt(epsilon))
    return {name: Level(found.get(name, 0.0), faint.get(name, 1.0)) for name in found.keys() | faint.keys()}


def _wide(node: Node) -> bool:
    """Half precision has no room for small values."""
    of = DTYPES[node.type.dtype]
    return of.family == "float" and of.significand >= DTYPES["float32"].significand


def _norm(node: Node, made: Mapping[str, Node], weights: Weights) -> tuple[str, float] | None:
    """What is normalised, and ε; also where a quotient ends a norm that is written out, as it was before opset 17."""
    if node.op.kind in NORMS:
        return node.inputs[0], float(np.float32(node.op.epsilon))  # type: ignore[attr-defined]
    away = node.inputs[0] if node.op.kind == "Div" else ""
    total = _behind(made, node.inputs[-1], "Sqrt", "Add") if away else None
    held = [made[name] for name in total.inputs if _constant(name, made)] if total else []
    if total is None or not held or math.prod(held[0].type.shape) != 1:
        return None
    square = next((s for name in total.inputs if (s := _behind(made, name, "ReduceMean", "Pow", "Mul"))), None)
    difference = made.get(away)
    if square is None or square.inputs[0] != away or difference is None or difference.op.kind != "Sub":
        return None
    ((_, param),) = held[0].params
    return difference.inputs[0], float(weights[param].reshape(()))


def _behind(made: Mapping[str, Node], name: str, kind: str, *kinds: str) -> Node | None:
    """The node of one of these kinds, of whose output a node of that kind makes the tensor."""
    node = made.get(name)
    before = made.get(node.inputs[0]) if node is not None and node.op.kind == kind else None
    return before if before is not None and before.op.kind in kinds else None


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
