"""Operators that the spec language says in several layers, each replaced by these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from onnxconv.geometry import Sampling
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import Operator, Resize, Slice

__all__ = ["split"]


def split(graph: Graph) -> Graph:
    """The same graph, computing the same, with operators that a layer each can say."""
    types = graph.types()
    return replace(graph, nodes=tuple(part for node in graph.nodes for part in _parts(node, types)))


def _parts(node: Node, types: Mapping[str, TensorType]) -> Iterator[Node]:
    """The node, or the nodes that come to the same one after the other."""
    *before, last = _operators(node.op)
    part = replace(node, type=types[node.inputs[0]]) if before else node
    inputs = node.inputs
    for i, op in enumerate(before):
        name = f"{node.output}/{i}"
        while name in types:
            name += "'"
        type = TensorType(node.type.dtype, op.out_shape(part.type.shape))
        part = Node(name, op, inputs, name, type, (), node.where)
        yield part
        inputs = (name,)
    yield replace(node, op=last, inputs=inputs)


def _operators(op: Operator) -> tuple[Operator, ...]:
    """A slice along several axes is one slice for each of them, in any order; a resize without what its mode ignores."""
    if isinstance(op, Slice) and len(op.ranges) > 1:
        return tuple(Slice((along,)) for along in op.ranges)
    if isinstance(op, Resize) and op.sampling.mode != "nearest":
        a = op.sampling.a if op.sampling.mode == "cubic" else Sampling().a
        return (replace(op, sampling=replace(op.sampling, nearest=Sampling().nearest, a=a)),)
    return (op,)
