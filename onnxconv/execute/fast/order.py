"""Average pools and 1 × 1 convolutions one after the other, in the order that costs less.

Both are linear, one over positions and one over channels: which comes first changes nothing but how sums are rounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import replace

from onnxconv.execute.fast.conv import MULTIPLIED, is_direct
from onnxconv.graph import Graph, Node
from onnxconv.ops import AveragePool, Conv, Operator

__all__ = ["cheapest_order"]

Shapes = Mapping[str, tuple[int, ...]]


def cheapest_order(graph: Graph, shapes: Shapes, kept: Set[str]) -> Graph:
    """The graph with pairs turned round where that is cheaper; a tensor that is `kept`, or read elsewhere, stays what it is."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    turned: dict[str, Node] = {}
    for first in graph.nodes:
        following = readers.get(first.output, ())
        if len(following) != 1 or first.output in kept or first.output in turned:
            continue
        (second,) = following
        x = shapes[first.inputs[0]] if first.inputs else ()
        if _commute(first, second) and _cost(x, second.op, first.op) < _cost(x, first.op, second.op):
            between = replace(first.type, shape=second.op.out_shape(x))
            turned[first.output] = replace(second, inputs=first.inputs, output=first.output, type=between)
            turned[second.output] = replace(first, inputs=second.inputs, output=second.output, type=second.type)
    return replace(graph, nodes=tuple(turned.get(node.output, node) for node in graph.nodes))


def _commute(first: Node, second: Node) -> bool:
    """Whether one is an average pool and the other a convolution of channels alone, and what is between them not narrow."""
    pool, conv = (first.op, second.op) if isinstance(first.op, AveragePool) else (second.op, first.op)
    return (
        isinstance(pool, AveragePool)
        and isinstance(conv, Conv)
        and is_direct(conv.window)
        and conv.groups == 1
        and not conv.bias
        and first.type.dtype in ("float32", "float64")
    )


def _cost(x: tuple[int, ...], *ops: Operator) -> float:
    """What operators cost one after the other on x[N, C, *S], in elements added."""
    cost, shape = 0.0, x
    for op in ops:
        y = tuple(int(n) for n in op.out_shape(shape))
        if isinstance(op, AveragePool):
            cost += sum(axis.size for axis in op.window) * math.prod(shape)
        else:
            cost += math.prod(y) * shape[1] / MULTIPLIED
        shape = y
    return cost
