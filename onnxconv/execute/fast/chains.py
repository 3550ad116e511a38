"""Which layers are computed together: one, and those elementwise ones after it that nothing else reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from onnxconv.dtypes import DTYPES
from onnxconv.execute.fast.block import broadcast_triple
from onnxconv.execute.fast.kernels import has_kernel
from onnxconv.execute.fast.pointwise import is_stage
from onnxconv.graph import Graph, Node
from onnxconv.ops import Constant, Flatten, Identity, Operator, Reshape, Squeeze, Unsqueeze

__all__ = ["Chain", "carries", "chains", "is_view", "staged"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Chain:
    """A layer, and those that are applied to its output while it is in the cache; the last one's output is the chain's."""

    head: Node
    tail: tuple[Node, ...] = ()

    @property
    def output(self) -> str:
        return (self.head, *self.tail)[-1].output

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is read, without what passes from one node to the next."""
        inner = {node.output for node in (self.head, *self.tail)}
        return tuple(name for node in (self.head, *self.tail) for name in node.inputs if name not in inner)


def is_view(op: Operator) -> bool:
    """Whether the output is the input's numbers in their order."""
    return isinstance(op, Identity | Flatten | Reshape | Squeeze | Unsqueeze)


def chains(graph: Graph, shapes: Shapes, kept: Set[str]) -> Iterator[Chain]:
    """The chains in an order in which each reads what is there; views and constants are in none. `kept` tensors end theirs."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    there = {name for name, _ in graph.inputs}
    dtypes = {name: type.dtype for name, type in graph.types().items()}
    absorbed: set[str] = set()
    for node in graph.nodes:
        if node.output in absorbed:
            continue
        if is_view(node.op) or isinstance(node.op, Constant):
            there.add(node.output)
            continue
        tail: list[Node] = []
        last = node
        while carries(node, shapes, dtypes) and last.output not in kept and len(readers.get(last.output, ())) == 1:
            (reader,) = readers[last.output]
            if not _follows(reader, last, shapes, there):
                break
            last = reader
            tail.append(last)
            absorbed.add(last.output)
        there.add(last.output)
        yield Chain(node, tuple(tail))


def carries(node: Node, shapes: Shapes, dtypes: Mapping[str, str]) -> bool:
    """Whether a node has a kernel or is a stage: of floating point numbers of one type, broadcast as blocks are."""
    alike = {dtypes[name] for name in node.inputs} == {node.type.dtype}
    return alike and DTYPES[node.type.dtype].family == "float" and (has_kernel(node.op) or staged(node, shapes))


def staged(node: Node, shapes: Shapes) -> bool:
    """Whether a node is a stage on inputs of these shapes."""
    y = shapes[node.output]
    return is_stage(node.op) and all(broadcast_triple(shapes[name], y) is not None for name in node.inputs)


def _follows(node: Node, last: Node, shapes: Shapes, there: Set[str]) -> bool:
    """Whether a node can be applied to the blocks of `last`, its only other operands being there."""
    y = shapes[node.output]
    others = [name for name in node.inputs if name != last.output]
    return (
        is_stage(node.op)
        and node.type.dtype == last.type.dtype
        and y == shapes[last.output]
        and last.output in node.inputs[:2]
        and len(others) == len(node.inputs) - 1
        and there >= set(others)
        and all(broadcast_triple(shapes[name], y) is not None for name in others)
    )
