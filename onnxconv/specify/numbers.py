"""Constants that are one number, told where they are read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from onnxconv.dtypes import DTYPES, shortest
from onnxconv.graph import Graph, Node, Number
from onnxconv.ops import Constant
from onnxconv.specify.own import copied
from onnxconv.weights import Weights

__all__ = ["numbers"]

LARGEST = DTYPES["float32"].high
"""The largest number that a spec may say."""


def numbers(graph: Graph, weights: Weights) -> Graph:
    """The same graph, where each reader of a constant of one element has one of its own, which says its number.

    Constants that are outputs of the graph, and numbers that a spec does not say (infinities, NaN, -0), stay as they are.
    """
    told = {
        node.output: node for node in graph.nodes for node in _told(node, weights) if node.output not in graph.outputs
    }
    taken = {*graph.types(), *(param.name for param in graph.params())}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.output in told:
            continue
        inputs = []
        for name in node.inputs:
            if name in told:
                nodes.append(copied(told[name], taken))
                inputs.append(nodes[-1].output)
            else:
                inputs.append(name)
        nodes.append(replace(node, inputs=tuple(inputs)))
    return replace(graph, nodes=tuple(nodes))


def _told(node: Node, weights: Weights) -> Iterator[Node]:
    """A constant of one element as one that says its number; nothing where it is none, or no spec says it."""
    if not isinstance(node.op, Constant) or math.prod(node.op.shape) != 1:
        return
    ((role, param),) = node.params
    value = weights[param].reshape(()).item()
    number = _number(value, param.dtype) if isinstance(value, float) else int(value)
    if number is not None and abs(number) <= LARGEST:
        yield replace(node, params=((role, replace(param, recipe=Number(number))),))


def _number(value: float, dtype: str) -> float | None:
    """As short as it can be written; None for what a spec does not say."""
    if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
        return None
    return int(value) if value == int(value) and abs(value) < 2**53 else shortest(value, dtype)
