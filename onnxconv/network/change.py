"""A finished graph with another data type, or with sizes where it had symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Diagnostic, Refusal, SpecError, UsageError, Where, closest
from onnxconv.graph import Graph, Node, Param, TensorType, shapes_of
from onnxconv.ops import Shape
from onnxconv.resolve.open import opened

__all__ = ["retyped", "sized"]


def retyped(graph: Graph, dtype: str) -> Graph:
    """The same graph with every tensor and parameter of this data type. Raises `UsageError` for an unknown one."""
    if dtype not in FLOATS:
        raise UsageError(
            Diagnostic(
                Where(), "dtype", f"dtype {dtype!r} is not known", f"one of {', '.join(FLOATS)}", closest(dtype, FLOATS)
            )
        )

    def type_(old: TensorType) -> TensorType:
        return replace(old, dtype=dtype)

    def param(old: Param) -> Param:
        return replace(old, dtype=dtype)

    def node(old: Node) -> Node:
        return replace(old, type=type_(old.type), params=tuple((role, param(p)) for role, p in old.params))

    return replace(
        graph,
        inputs=tuple((name, type_(old)) for name, old in graph.inputs),
        nodes=tuple(map(node, graph.nodes)),
    )


def sized(graph: Graph, shapes: Mapping[str, Shape], source: str = "") -> Graph:
    """The same graph with symbols of its inputs' shapes replaced by the sizes that `shapes` gives, and all that follows.

    Sizes that the graph already knows stay: its pads may have been derived from them. Raises `UsageError` for shapes
    that contradict the graph or each other, `SpecError` where a window does not fit.
    """
    if not shapes:
        return graph
    known = opened(graph.inputs, shapes, source)

    def at(shape: Shape) -> Shape:
        return tuple(known.get(n, n) if isinstance(n, str) else n for n in shape)

    inputs = tuple((name, replace(type, shape=at(type.shape))) for name, type in graph.inputs)
    types = dict(inputs)
    nodes = []
    for node in graph.nodes:
        try:
            shape = node.op.out_shape(*shapes_of(node, types))
        except Refusal as refusal:
            raise SpecError(refusal.at(node.where if node.where.file else Where(source))) from refusal
        nodes.append(replace(node, type=replace(node.type, shape=shape)))
        types[node.output] = nodes[-1].type
    return replace(graph, inputs=inputs, nodes=tuple(nodes))
