"""Shapes with open sizes, in the symbols of the network's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxconv.errors import Refusal
from onnxconv.geometry import evaluated
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import Expand, Reshape, Shape, place
from onnxconv.resolve.sizes import over_inputs
from onnxconv.specify.names import inputs_called
from onnxconv.specify.writers import Said

__all__ = ["over_symbols", "shaped"]


def over_symbols(graph: Graph) -> Graph:
    """The same graph, computing the same, where reshapes and expansions read open sizes off the network's inputs, as specs do.

    Those that are not told by the inputs' symbols stay as they are.
    """
    types = graph.types()
    return replace(graph, nodes=tuple(_over_inputs(node, types, graph.inputs) for node in graph.nodes))


def _over_inputs(node: Node, types: Mapping[str, TensorType], inputs: tuple[tuple[str, TensorType], ...]) -> Node:
    if not _is_open(node):
        return node
    declared = [(name, type.shape) for name, type in inputs]
    try:
        shape, read = over_inputs(_symbolic(node, types), node.inputs[0], declared)
    except Refusal:
        return node
    assert isinstance(node.op, Reshape | Expand), "only these have open shapes"
    return replace(node, op=replace(node.op, shape=shape), inputs=read)


def shaped(node: Node, graph: Graph) -> Said | None:
    """How a node is said whose shape has open sizes; None for any other, and where a size is not one of the inputs'."""
    if not _is_open(node) or not {*node.inputs[1:]} <= {*dict(graph.inputs)}:
        return None
    called = {
        n: new
        for (_, mine), (_, theirs) in zip(graph.inputs, inputs_called(graph), strict=True)
        for n, new in zip(mine.shape, theirs.shape, strict=True)
        if isinstance(n, str)
    }
    sizes = [evaluated(n, called) for n in _symbolic(node, graph.types())]
    return Said(node.op.kind.lower(), (("shape", [n if isinstance(n, int) else f'"{n}"' for n in sizes]),))


def _is_open(node: Node) -> bool:
    if isinstance(node.op, Reshape) and node.op.zeros:
        return False
    return isinstance(node.op, Reshape | Expand) and not all(isinstance(n, int) for n in node.op.shape)


def _symbolic(node: Node, types: Mapping[str, TensorType]) -> Shape:
    """The shape that is asked for, in symbols instead of names of tensors' sizes."""
    assert isinstance(node.op, Reshape | Expand), "only these have open shapes"
    known = {place(i, axis): n for i, name in enumerate(node.inputs) for axis, n in enumerate(types[name].shape)}
    return tuple(evaluated(n, known) for n in node.op.shape)
