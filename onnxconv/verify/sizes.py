"""Numbers for symbolic sizes, so that something can be run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from onnxconv.errors import Diagnostic, Refusal, UsageError, Where
from onnxconv.execute import shapes_of_inputs
from onnxconv.graph import Graph, TensorType

__all__ = ["concrete", "hollow", "pinned", "terms"]

SPATIAL = (32, 64, 128, 256, 512, 24, 48, 96, 224)
"""Sizes tried for symbolic axes other than the batch, in this order."""

Shapes = dict[str, tuple[int, ...]]


def concrete(graph: Graph, batch: int) -> Shapes:
    """The shape of every tensor with `batch` images and the first size of `SPATIAL` that all layers accept.

    Raises `UsageError` where none is accepted.
    """
    refused: Refusal | None = None
    for size in SPATIAL:
        try:
            return _shapes(graph, batch, size)
        except Refusal as refusal:
            refused = refusal
    assert refused is not None, "every size was refused"
    raise UsageError(
        Diagnostic(
            Where(),
            refused.code,
            f"no size was found for the symbolic axes: {refused.what}",
            refused.why,
            "give the inputs numbers as sizes",
        )
    )


def pinned(graph: Graph, batch: int = 1) -> Graph:
    """The graph with numbers for all symbolic sizes, those of `concrete`."""
    shapes = concrete(graph, batch)
    inputs = tuple((name, TensorType(type.dtype, shapes[name])) for name, type in graph.inputs)
    nodes = tuple(replace(node, type=TensorType(node.type.dtype, shapes[node.output])) for node in graph.nodes)
    return replace(graph, inputs=inputs, nodes=nodes)


def hollow(graph: Graph) -> str:
    """The first tensor without elements, in words; empty if there is none. Nothing can be compared where there is one."""
    empty = ((name, type) for name, type in graph.types().items() if 0 in type.shape)
    return next((f"tensor {name!r} {list(type.shape)} has no elements to compare" for name, type in empty), "")


def terms(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Terms summed for all outputs of all layers together: what the reference costs."""
    return sum(
        math.prod(shapes[node.output]) * node.op.roundings(*(shapes[name] for name in node.inputs))
        for node in graph.nodes
    )


def _shapes(graph: Graph, batch: int, size: int) -> Shapes:
    shapes: Shapes = shapes_of_inputs(graph, batch, size)
    for node in graph.nodes:
        shapes[node.output] = tuple(int(n) for n in node.op.out_shape(*(shapes[name] for name in node.inputs)))
        if 0 in shapes[node.output] and 0 not in node.type.shape:
            what = f"layer {node.name!r} gives {list(shapes[node.output])}"
            raise Refusal("empty-output", what, "nothing can be compared of what has no elements")
    return shapes
