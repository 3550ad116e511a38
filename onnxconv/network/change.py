"""A finished graph with another data type, or with sizes where it had symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Diagnostic, Refusal, SpecError, UsageError, Where, closest
from onnxconv.geometry import Size
from onnxconv.graph import Graph, Node, Param, TensorType, shapes_of
from onnxconv.ops import Shape, shape_text

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
    mistakes = [*_contradictions(graph, shapes, source)]
    if mistakes:
        raise UsageError(mistakes)
    known = _symbols(graph, shapes)

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


def _symbols(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Size]:
    """What each symbol of the inputs' shapes becomes."""
    return {
        declared: size
        for name, type in graph.inputs
        for declared, size in zip(type.shape, shapes.get(name, ()), strict=False)
        if isinstance(declared, str)
    }


def _contradictions(graph: Graph, shapes: Mapping[str, Shape], source: str) -> Iterator[Diagnostic]:
    declared, known, where = dict(graph.inputs), _symbols(graph, shapes), Where(source)
    for name, shape in shapes.items():
        if name not in declared:
            yield Diagnostic(where, "unknown-input", f"there is no input {name!r}", "", closest(name, declared))
            continue
        wanted = tuple(known.get(n, n) if isinstance(n, str) else n for n in declared[name].shape)
        if shape != wanted:
            yield Diagnostic(
                where,
                "input-shape",
                f"input {name!r} is {shape_text(declared[name].shape)}, and cannot become {shape_text(shape)}",
                "in a finished network only sizes that are open can be given, and each symbol is one size",
                f"give {name}={','.join(map(str, wanted))}, or change the spec that it was built from",
            )
