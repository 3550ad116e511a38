"""A finished graph with another data type, or with sizes where it had symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Diagnostic, Refusal, SpecError, UsageError, Where, closest
from onnxconv.geometry import evaluated
from onnxconv.graph import Graph, Node, TensorType, shapes_of
from onnxconv.ops import Cast, Shape
from onnxconv.resolve.open import opened

__all__ = ["retyped", "sized"]


def retyped(graph: Graph, dtype: str) -> Graph:
    """The same graph with every tensor and parameter of floats in this data type; integers stay.

    Raises `UsageError` for an unknown one, `SpecError` where an operator does not take it.
    """
    if dtype not in FLOATS:
        raise UsageError(
            Diagnostic(
                Where(), "dtype", f"dtype {dtype!r} is not known", f"one of {', '.join(FLOATS)}", closest(dtype, FLOATS)
            )
        )

    def of(old: str) -> str:
        return dtype if old in FLOATS else old

    types = {name: replace(old, dtype=of(old.dtype)) for name, old in graph.types().items()}
    nodes = []
    for node in graph.nodes:
        params = tuple((role, replace(param, dtype=of(param.dtype))) for role, param in node.params)
        op = replace(node.op, to=of(node.op.to)) if isinstance(node.op, Cast) else node.op
        nodes.append(replace(node, op=op, type=types[node.output], params=params))
        _check(nodes[-1], types)
    return replace(graph, inputs=tuple((name, types[name]) for name, _ in graph.inputs), nodes=tuple(nodes))


def _check(node: Node, types: Mapping[str, TensorType]) -> None:
    """Refuse an operator that does not take its data types."""
    try:
        found = node.op.out_dtype(*(types[name].dtype for name in node.inputs)) if node.inputs else node.type.dtype
        if found != node.type.dtype:
            raise Refusal("dtype", f"it gives {found}, not {node.type.dtype}", "this operator fixes its data type")
    except Refusal as refusal:
        where = node.where if node.where.file else Where(f"layer {node.name!r}")
        raise SpecError(refusal.at(where)) from refusal


def sized(graph: Graph, shapes: Mapping[str, Shape], source: str = "") -> Graph:
    """The same graph with symbols of its inputs' shapes replaced by the sizes that `shapes` gives, and all that follows.

    Sizes that the graph already knows stay: its pads may have been derived from them. Raises `UsageError` for shapes
    that contradict the graph or each other, `SpecError` where a window does not fit.
    """
    if not shapes:
        return graph
    known = opened(graph.inputs, shapes, source)

    def at(shape: Shape) -> Shape:
        return tuple(evaluated(n, known) for n in shape)

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
