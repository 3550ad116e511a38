"""Operators that one layer of the spec language says together: they are one node until they have been put in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from onnxconv.graph import Graph, Node, Number, TensorType
from onnxconv.ops import Add, Constant, MatMul, Mul
from onnxconv.resolve import OWN
from onnxconv.specify.writers import Said, with_own

__all__ = ["Fused", "fused"]


@dataclass(frozen=True, slots=True)
class Fused:
    """A graph where some nodes stand for several. `parts`: by name of such a node, those; `said`: how it is said."""

    graph: Graph
    parts: Mapping[str, tuple[Node, ...]]
    said: Mapping[str, Said]

    def apart(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """The nodes in this order, those that stand for several replaced by these."""
        for node in nodes:
            yield from self.parts.get(node.name, (node,))


def fused(graph: Graph) -> Fused:
    """The layers `scale` and `dense` out of products and sums with constants that nobody else reads.

    A product with one number per channel, [C, 1, …], is the first; a product of [N, …, C] and a matrix is the second,
    along with a sum with one number per column right after it.
    """
    fuser = _Fuser(graph)
    for node in graph.nodes:
        fuser.take(node)
    return Fused(replace(graph, nodes=tuple(fuser.nodes.values())), fuser.parts, fuser.said)


class _Fuser:
    """Nodes taken in order, by their output; one that stands for several reads what these read from outside."""

    def __init__(self, graph: Graph) -> None:
        self.types = graph.types()
        self.uses = Counter([name for node in graph.nodes for name in node.inputs] + list(graph.outputs))
        self.nodes: dict[str, Node] = {}
        self.parts: dict[str, tuple[Node, ...]] = {}
        self.said: dict[str, Said] = {}

    def take(self, node: Node) -> None:
        self.nodes[node.output] = node
        if type(node.op) in OWN:
            self._own(node)
        for x, constant in self._operands(node):
            if self._scales(node, x, constant):
                self._fuse(node, x, constant, Said("scale"))
            elif self._multiplies(node, x, constant):
                self._fuse(node, x, constant, _dense(node, ("bias", False)))
            elif self._adds(node, x, constant):
                self._fuse(node, x, constant, _dense(node))

    def _own(self, node: Node) -> None:
        """A node with constants of its own."""
        roles = OWN[type(node.op)]
        held = {
            role: self.nodes[name] for i, role in roles.items() for name in node.inputs[i : i + 1] if name in self.nodes
        }
        others = tuple(name for i, name in enumerate(node.inputs) if i not in roles)
        if len(held) + len(others) < len(node.inputs) or not all(self._is_private(one) for one in held.values()):
            return
        said = with_own(node, held, self.types[node.inputs[0]])
        if said is not None:
            for constant in held.values():
                del self.nodes[constant.output]
            self.parts[node.name], self.said[node.name] = (*held.values(), node), said
            self.nodes[node.output] = replace(node, inputs=others)

    def _is_private(self, node: Node) -> bool:
        return isinstance(node.op, Constant) and self.uses[node.output] == 1

    def _operands(self, node: Node) -> Iterator[tuple[str, Node]]:
        """The one operand of two, and the other one where that is a constant which nobody else reads."""
        pairs = (node.inputs, node.inputs[::-1]) if len(node.inputs) == 2 else ()
        for x, name in pairs:
            constant = self.nodes.get(name)
            if constant is not None and self._is_private(constant):
                yield x, constant

    def _scales(self, node: Node, x: str, constant: Node) -> bool:
        type = self.types[x]
        per_channel = TensorType(type.dtype, (*type.shape[1:2], *(1,) * (len(type.shape) - 2)))
        fits = len(type.shape) > 1 and constant.type == per_channel and node.type == type
        return isinstance(node.op, Mul) and fits and not isinstance(constant.params[0][1].recipe, Number)

    def _multiplies(self, node: Node, x: str, constant: Node) -> bool:
        ranks = len(self.types[x].shape), len(constant.type.shape)
        return isinstance(node.op, MatMul) and node.inputs == (x, constant.output) and ranks[0] > 2 == ranks[1]

    def _adds(self, node: Node, x: str, constant: Node) -> bool:
        fits = constant.type.shape == self.types[x].shape[-1:] and node.type == self.types[x]
        product = self.nodes.get(x)
        multiplied = product is not None and isinstance(product.op, MatMul) and product.name in self.said
        return isinstance(node.op, Add) and fits and multiplied and self.uses[x] == 1

    def _fuse(self, node: Node, x: str, constant: Node, said: Said) -> None:
        """One node for the constant, what it meets, and the layer that `x` is already part of, if it is.

        Products and sums are the same bits in either order.
        """
        before: tuple[Node, ...] = ()
        read = x
        if isinstance(node.op, Add):
            product = self.nodes.pop(x)
            before, (read,) = self.parts.pop(product.name), product.inputs
            del self.said[product.name]
        del self.nodes[constant.output]
        self.parts[node.name] = (*before, constant, replace(node, inputs=(x, constant.output)))
        self.said[node.name] = said
        self.nodes[node.output] = replace(node, inputs=(read,))


def _dense(node: Node, *attributes: tuple[str, bool]) -> Said:
    return Said("dense", (("features", node.type.shape[-1]), ("last_axis", True), *attributes))
