"""Which layers are computed together: one, and those elementwise ones after it that nothing else reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from onnxconv.dtypes import DTYPES
from onnxconv.execute.fast.block import Triple, broadcast_triple
from onnxconv.execute.fast.kernels import has_kernel
from onnxconv.execute.fast.pointwise import is_stage
from onnxconv.graph import Graph, Node
from onnxconv.ops import (
    Constant,
    DequantizeLinear,
    Flatten,
    Identity,
    Operator,
    QuantizeLinear,
    Reshape,
    Squeeze,
    Unsqueeze,
)

__all__ = ["Chain", "carries", "chains", "is_view", "seen", "staged"]

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
    there = {name for name, _ in graph.inputs} | {n.output for n in graph.nodes if isinstance(n.op, Constant)}
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
            if not _follows(reader, last, shapes, dtypes, there):
                break
            last = reader
            tail.append(last)
            absorbed.add(last.output)
        there.add(last.output)
        yield Chain(node, tuple(tail))


def carries(node: Node, shapes: Shapes, dtypes: Mapping[str, str]) -> bool:
    """Whether a node has a kernel or is a stage: of floating point numbers of one type, broadcast as blocks are."""
    if isinstance(node.op, QuantizeLinear | DequantizeLinear):
        return _singles(node, dtypes) and staged(node, shapes)
    alike = {dtypes[name] for name in node.inputs} == {node.type.dtype}
    return alike and DTYPES[node.type.dtype].family == "float" and (has_kernel(node.op) or staged(node, shapes))


def staged(node: Node, shapes: Shapes) -> bool:
    """Whether a node is a stage on inputs of these shapes."""
    return is_stage(node.op) and all(seen(node, place, shapes) is not None for place in range(len(node.inputs)))


def seen(node: Node, place: int, shapes: Shapes) -> Triple | None:
    """An input of a stage as [N, C, S], each size that of the output or 1; None where it is not broadcast as a whole."""
    x, y = shapes[node.inputs[place]], shapes[node.output]
    if place and isinstance(node.op, QuantizeLinear | DequantizeLinear) and x not in ((), (1,)):
        return (1, *x, 1) if node.op.axis == 1 == len(x) and not node.op.block else None
    return broadcast_triple(x, y)


def _singles(node: Node, dtypes: Mapping[str, str]) -> bool:
    """Whether a quantisation is from float32 to integers that float32 holds, or back."""
    number, integer = dtypes[node.inputs[0]], node.type.dtype
    if isinstance(node.op, DequantizeLinear):
        number, integer = integer, number
    return number == dtypes[node.inputs[1]] == "float32" and DTYPES[integer].bytes <= 2


def _follows(node: Node, last: Node, shapes: Shapes, dtypes: Mapping[str, str], there: Set[str]) -> bool:
    """Whether a node can be applied to the blocks of `last`, its only other operands being there."""
    others = [name for name in node.inputs if name != last.output]
    return (
        _takes(node, last, dtypes)
        and shapes[node.output] == shapes[last.output]
        and last.output in node.inputs[:2]
        and len(others) == len(node.inputs) - 1
        and there >= set(others)
        and staged(node, shapes)
    )


def _takes(node: Node, last: Node, dtypes: Mapping[str, str]) -> bool:
    """Whether a stage takes what is there as it is: integers are still floats, which only dequantising tells."""
    if isinstance(node.op, QuantizeLinear | DequantizeLinear):
        quantised = isinstance(last.op, QuantizeLinear)
        fits = node.inputs[0] == last.output and _singles(node, dtypes)
        return fits and quantised == isinstance(node.op, DequantizeLinear)
    return node.type.dtype == last.type.dtype and not isinstance(last.op, QuantizeLinear)
