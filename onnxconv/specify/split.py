"""Operators that the spec language says in several layers, each replaced by these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from onnxconv.geometry import Sampling
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import END, Operator, Pad, Range, Resize, Shape, Slice
from onnxconv.specify.writers import crop

__all__ = ["split"]


def split(graph: Graph) -> Graph:
    """The same graph, computing the same, with operators that a layer each can say."""
    types = graph.types()
    return replace(graph, nodes=tuple(part for node in graph.nodes for part in _parts(node, types)))


def _parts(node: Node, types: Mapping[str, TensorType]) -> Iterator[Node]:
    """The node, or the nodes that come to the same one after the other."""
    *before, last = _operators(node.op, types[node.inputs[0]].shape if node.inputs else ())
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


def _operators(op: Operator, x: Shape) -> tuple[Operator, ...]:
    """What comes to the same one after the other, or the operator itself."""
    match op:
        case Slice(ranges=ranges) if len(ranges) > 1 and crop(op, x) is None:
            # In any order: no axis is there twice.
            return tuple(Slice((along,)) for along in ranges)
        case Resize(sampling=Sampling(mode=mode, a=a) as sampling) if mode != "nearest":
            used = a if mode == "cubic" else Sampling().a
            return (replace(op, sampling=replace(sampling, nearest=Sampling().nearest, a=used)),)
        case Pad(pads=pads) if any(end < 0 for pad in pads for end in pad):
            return _cut_and_padded(op, x)
    return (op,)


def _cut_and_padded(op: Pad, x: Shape) -> tuple[Operator, ...]:
    """Negative pads are cut off before anything is added."""
    ranges = tuple(
        Range(axis, max(-begin, 0), end if end < 0 else END)
        for axis, (begin, end) in enumerate(op.pads, op.first)
        if begin < 0 or end < 0
    )
    added = tuple((max(begin, 0), max(end, 0)) for begin, end in op.pads)
    padded = (replace(op, pads=added),) if any(map(any, added)) else ()
    return (*_operators(Slice(ranges), x), *padded)
