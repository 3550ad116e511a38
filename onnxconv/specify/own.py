"""Constants that a layer of the spec language has of its own, where operators share them, leave them out or write them otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxconv.graph import Graph, Node, Number, Param, TensorType
from onnxconv.ops import Constant, ConvInteger, DequantizeLinear, QuantizeLinear
from onnxconv.resolve import OWN

__all__ = ["copied", "owned"]


def owned(graph: Graph) -> Graph:
    """The same graph, computing the same, where each operator with constants of its own has all of them for itself.

    Zero points that are left out are 0; a scale or a zero point of shape [1] that tells its number becomes one of shape [].
    """
    if not any(type(node.op) in OWN for node in graph.nodes):
        return graph
    taken = {*graph.types(), *(param.name for param in graph.params())}
    types, constants = graph.types(), {node.output: node for node in graph.nodes if isinstance(node.op, Constant)}
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = []
        for index, name in enumerate((*node.inputs, *_left_out(node))):
            role = OWN.get(type(node.op), {}).get(index)
            if not name or (role is not None and name in constants):
                made = constants[name] if name else _zero(node, index, types)
                nodes.append(copied(_short(made, role or ""), taken))
                name = nodes[-1].output
            inputs.append(name)
        nodes.append(replace(node, inputs=tuple(inputs)))
    return _read(replace(graph, nodes=tuple(nodes)))


def _left_out(node: Node) -> tuple[str, ...]:
    """An empty name for each zero point at the end that a node leaves out."""
    due = {QuantizeLinear: 3, DequantizeLinear: 3, ConvInteger: 4}.get(type(node.op), 0)
    return ("",) * (due - len(node.inputs))


def _zero(node: Node, index: int, types: Mapping[str, TensorType]) -> Node:
    """The zero point that a node leaves out: of the shape of a scale, of the data type of what is quantised."""
    match node.op:
        case QuantizeLinear(dtype=dtype):
            type = TensorType(dtype, types[node.inputs[1]].shape)
        case DequantizeLinear():
            type = TensorType(types[node.inputs[0]].dtype, types[node.inputs[1]].shape)
        case _:
            type = TensorType(types[node.inputs[index - 2]].dtype, ())
    name, shape = f"{node.output}/zero_point", tuple(n for n in type.shape if isinstance(n, int))
    return Node(name, Constant(shape), (), name, type, (("value", Param(name, type.dtype, shape, Number(0))),))


def _short(constant: Node, role: str) -> Node:
    ((value, param),) = constant.params
    if param.shape != (1,) or not isinstance(param.recipe, Number) or not role.endswith(("scale", "zero_point")):
        return constant
    type = TensorType(param.dtype, ())
    return replace(constant, op=Constant(()), type=type, params=((value, replace(param, shape=())),))


def copied(constant: Node, taken: set[str]) -> Node:
    """A constant under a name of its own; one that tells its number has a parameter of its own too."""
    ((role, param),) = constant.params
    name = constant.output
    while name in taken:
        name += "'"
    taken.add(name)
    if isinstance(param.recipe, Number):
        param = replace(param, name=name)
    return replace(constant, name=name, output=name, params=((role, param),))


def _read(graph: Graph) -> Graph:
    """Without constants that nobody reads any more."""
    read = {name for node in graph.nodes for name in node.inputs} | {*graph.outputs}
    kept = tuple(node for node in graph.nodes if node.output in read or not isinstance(node.op, Constant))
    return replace(graph, nodes=kept)
