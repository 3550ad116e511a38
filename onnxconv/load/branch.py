"""The branch that an If takes, as nodes of the graph around it; and what subgraphs use of what is outside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import onnx

from onnxconv.load.functions import subgraphs

__all__ = ["captured", "inlined", "tensors_within"]


def inlined(
    branch: onnx.GraphProto, outputs: Sequence[str], free: Callable[[str], str]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """The nodes and constants of a branch, its tensors renamed so that they meet no others.

    What it puts out gets the names in `outputs`. `free(name)` gives a name that nothing else has.
    """
    given = [value.name for value in branch.output]
    made = {name for node in branch.node for name in node.output if name}
    held = {tensor.name for tensor in branch.initializer}
    direct = {mine: theirs for mine, theirs in zip(given, outputs, strict=False) if theirs and mine in made}
    direct = {mine: theirs for mine, theirs in direct.items() if given.count(mine) == 1}
    prefix = next((name for name in outputs if name), "if")
    names = {name: direct.get(name) or free(f"{prefix}/{name}") for name in sorted(made | held)}
    nodes = [_renamed(node, names) for node in branch.node]
    for mine, theirs in zip(given, outputs, strict=False):
        if theirs and mine not in direct:
            nodes.append(onnx.helper.make_node("Identity", [names.get(mine, mine)], [theirs]))
    tensors = []
    for tensor in branch.initializer:
        tensors.append(onnx.TensorProto())
        tensors[-1].CopyFrom(tensor)
        tensors[-1].name = names[tensor.name]
    return nodes, tensors


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy with other tensor names, in its subgraphs too: these may not use a name of the outside for their own."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, name) for name in node.input]
    copy.output[:] = [names.get(name, name) for name in node.output]
    for graph in subgraphs(copy):
        _rename_within(graph, names)
    return copy


def _rename_within(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for inner in subgraphs(node):
            _rename_within(inner, names)
    for value in graph.output:
        value.name = names.get(value.name, value.name)


def captured(node: onnx.NodeProto) -> tuple[str, ...]:
    """Names that a node's subgraphs take from outside, in order of first use."""
    return tuple(dict.fromkeys(name for graph in subgraphs(node) for name in _outer(graph)))


def _outer(graph: onnx.GraphProto) -> Iterator[str]:
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        for name in (*node.input, *captured(node)):
            if name and name not in own:
                yield name
        own.update(node.output)
    yield from (value.name for value in graph.output if value.name not in own)


def tensors_within(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    """Constants that a node's subgraphs hold, however deep."""
    for graph in subgraphs(node):
        yield from graph.initializer
        for inner in graph.node:
            yield from _of_constant(inner.attribute if inner.op_type == "Constant" else ())
            yield from tensors_within(inner)


def _of_constant(attributes: Iterable[onnx.AttributeProto]) -> Iterator[onnx.TensorProto]:
    yield from (attribute.t for attribute in attributes if attribute.type == onnx.AttributeProto.TENSOR)
