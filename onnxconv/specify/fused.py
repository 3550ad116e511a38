"""Operators that one layer of the spec language says together: they are one node until they have been put in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import Constant, Mul

__all__ = ["Fused", "fused"]


@dataclass(frozen=True, slots=True)
class Fused:
    """A graph where some nodes stand for several. `parts`: by name of such a node, those; `kinds`: what it is said as."""

    graph: Graph
    parts: dict[str, tuple[Node, ...]]
    kinds: dict[str, str]

    def apart(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """The nodes in this order, those that stand for several replaced by these."""
        for node in nodes:
            yield from self.parts.get(node.name, (node,))


def fused(graph: Graph) -> Fused:
    """A product with a constant of one number per channel, [C, 1, …], that nobody else reads, is the layer `scale`."""
    types, makers = graph.types(), {node.output: node for node in graph.nodes}
    uses = Counter([name for node in graph.nodes for name in node.inputs] + list(graph.outputs))
    parts: dict[str, tuple[Node, ...]] = {}
    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        factor = _factor(node, types, makers, uses)
        if factor is None:
            nodes[node.output] = node
            continue
        del nodes[factor.output]
        (x,) = (name for name in node.inputs if name != factor.output)
        nodes[node.output] = replace(node, inputs=(x,))
        # A product is the same bits in either order.
        parts[node.name] = (factor, replace(node, inputs=(x, factor.output)))
    return Fused(replace(graph, nodes=tuple(nodes.values())), parts, dict.fromkeys(parts, "scale"))


def _factor(node: Node, types: dict[str, TensorType], makers: dict[str, Node], uses: Counter[str]) -> Node | None:
    """The constant that a node scales its channels by, if that is what it does."""
    if not isinstance(node.op, Mul) or len(node.inputs) != 2:
        return None
    for name, other in (node.inputs, node.inputs[::-1]):
        factor, x = makers.get(name), types[other].shape
        if factor is None or not isinstance(factor.op, Constant) or uses[name] != 1 or len(x) < 2:
            continue
        if factor.type == TensorType(types[other].dtype, (x[1], *(1,) * (len(x) - 2))) and node.type == types[other]:
            return factor
    return None
