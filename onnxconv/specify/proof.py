"""Is what a spec says the graph that it was made of? The same operators, connections and weights, under other names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxconv.errors import Diagnostic, ModelError, Where
from onnxconv.geometry import Size
from onnxconv.graph import Graph, Node, Param, TensorType

__all__ = ["Pairs", "differs", "pairs"]

Pairs = tuple[tuple[Param, Param], ...]
"""Parameters of two graphs that are each other's counterpart, each of the second graph once."""


def differs(graph: Graph, order: Sequence[Node], again: Graph) -> str:
    """How `again` is not the graph, in words; empty if it is. `order`: the graph's nodes as they stand in `again`."""
    names = dict(zip((name for name, _ in graph.inputs), (name for name, _ in again.inputs), strict=False))
    symbols: dict[Size, Size] = {}
    if len(graph.inputs) != len(again.inputs):
        return f"it has {len(again.inputs)} inputs, not {len(graph.inputs)}"
    for (name, mine), (_, theirs) in zip(graph.inputs, again.inputs, strict=True):
        if not _same_type(mine, theirs, symbols):
            return f"its input {name!r} is {theirs}, not {mine}"
    if len(order) != len(again.nodes) or {n.output for n in order} != {n.output for n in graph.nodes}:
        return f"it has {len(again.nodes)} operators, not {len(graph.nodes)}"
    for mine_, theirs_ in zip(order, again.nodes, strict=True):
        if mine_.op != theirs_.op:
            return f"layer {theirs_.name!r} is {theirs_.op}, not {mine_.op}"
        if tuple(names.get(name) for name in mine_.inputs) != theirs_.inputs:
            return f"layer {theirs_.name!r} reads {theirs_.inputs}, which is not what {mine_.inputs} are called"
        if not _same_type(mine_.type, theirs_.type, symbols):
            return f"layer {theirs_.name!r} puts out {theirs_.type}, not {mine_.type}"
        names[mine_.output] = theirs_.output
    if tuple(names[name] for name in graph.outputs) != again.outputs:
        return f"its outputs are {again.outputs}, which is not what {graph.outputs} are called"
    return ""


def _same_type(mine: TensorType, theirs: TensorType, symbols: dict[Size, Size]) -> bool:
    """Equal types, once each symbol has its other name."""
    if mine.dtype != theirs.dtype or len(mine.shape) != len(theirs.shape):
        return False
    return all(
        symbols.setdefault(m, t) == t if isinstance(m, str) and isinstance(t, str) else m == t
        for m, t in zip(mine.shape, theirs.shape, strict=True)
    )


def pairs(order: Sequence[Node], again: Graph) -> Pairs:
    """The parameters of both, layer by layer and role by role. A weight that layers share has several counterparts."""
    return tuple(_paired(order, again))


def _paired(order: Sequence[Node], again: Graph) -> Iterator[tuple[Param, Param]]:
    for mine, theirs in zip(order, again.nodes, strict=True):
        held = dict(mine.params)
        for role, param in theirs.params:
            if held[role].shape != param.shape or held[role].dtype != param.dtype:
                what = f"the {role} of {theirs.name!r} is {held[role].dtype}{list(held[role].shape)}"
                why = f"as the spec says it, it is {param.dtype}{list(param.shape)}"
                raise ModelError(Diagnostic(Where(), "no-words", what, why))
            yield held[role], param
