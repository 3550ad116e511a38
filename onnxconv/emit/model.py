"""A graph as an ONNX model: one ONNX node or a few for each operator, every tensor with its shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from onnxconv.dtypes import numpy_dtype, rounded
from onnxconv.emit.types import demand_types
from onnxconv.errors import Diagnostic, Refusal, UsageError, Where
from onnxconv.graph import Graph, Node, Param, TensorType, shapes_of
from onnxconv.ops import Const, Constant, Form, Shape

__all__ = ["TensorOf", "build", "data_type"]

TensorOf = Callable[[Param], "ir.TensorProtocol | None"]
"""The array of a parameter as an ONNX tensor; None makes it an input of the model."""


def build(graph: Graph, tensor_of: TensorOf, *, opset: int, ir_version: int, every_tensor: bool) -> ir.Model:
    """The ONNX model of a graph. Raises `UsageError` where the opset cannot say it, or two names clash."""
    values = {name: _value(name, type) for name, type in graph.inputs}
    inputs = list(values.values())
    initializers: list[ir.Value] = []
    for param in graph.params():
        value = _value(param.name, TensorType(param.dtype, param.shape))
        value.const_value = tensor_of(param)
        _claim(values, param.name, value)
        (inputs if value.const_value is None else initializers).append(value)
    nodes, constants = _lowered(graph, values, opset)
    produced = [node.output for node in graph.nodes if not isinstance(node.op, Constant)] if every_tensor else []
    outputs = [values[name] for name in dict.fromkeys((*graph.outputs, *produced))]
    onnx_graph = ir.Graph(
        inputs,
        outputs,
        nodes=nodes,
        initializers=initializers + constants,
        opset_imports={"": opset},
        name=graph.name or "onnxconv",
    )
    return ir.Model(onnx_graph, ir_version=ir_version, producer_name="onnxconv")


def _lowered(graph: Graph, values: dict[str, ir.Value], opset: int) -> tuple[list[ir.Node], list[ir.Value]]:
    """The ONNX nodes of all operators, whose outputs join `values`, and the constants that they need.

    Raises `UsageError` with all that the opset cannot say.
    """
    types = graph.types()
    taken = {*values, *types, *(node.name for node in graph.nodes)}
    nodes: list[ir.Node] = []
    constants: list[ir.Value] = []
    refused: list[Diagnostic] = []
    for node in graph.nodes:
        if isinstance(node.op, Constant):
            nodes += _constant(node, values, kept=node.output in graph.outputs)
            continue
        try:
            lowered = _Lowering(node, types, values, taken)
            made = tuple(lowered.nodes(node.op.onnx(*shapes_of(node, types), opset=opset)))
            for one in made:
                demand_types(one.op_type, [None if v is None else _dtype(v) for v in one.inputs], opset)
        except Refusal as refusal:
            refused.append(refusal.at(node.where if str(node.where) else Where(f"layer {node.name!r}")))
            values.setdefault(node.output, _value(node.output, node.type))
            continue
        nodes += made
        constants += lowered.constants
    if refused:
        raise UsageError(refused)
    return nodes, constants


def _constant(node: Node, values: dict[str, ir.Value], *, kept: bool) -> Iterator[ir.Node]:
    """A constant is its parameter, under that name; only as an output of the model it needs a node of its own."""
    ((_, param),) = node.params
    if node.output == param.name:
        return
    if not kept:
        values[node.output] = values[param.name]
        return
    _claim(values, node.output, _value(node.output, node.type))
    yield ir.Node("", "Identity", [values[param.name]], outputs=[values[node.output]], name=node.name)


def _dtype(value: ir.Value) -> ir.DataType:
    assert value.dtype is not None, "every value has a type"
    return value.dtype


def _value(name: str, type: TensorType) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(type.shape), type=ir.TensorType(data_type(type.dtype)))


def data_type(name: str) -> ir.DataType:
    """ONNX's data type for ours."""
    return ir.DataType.from_numpy(numpy_dtype(name))


def _claim(values: dict[str, ir.Value], name: str, value: ir.Value) -> None:
    if name in values:
        what = f"{name!r} names both a tensor and a weight, or two of either"
        fix = "rename the layer; a weight is called LAYER.ROLE"
        raise UsageError(Diagnostic(Where(), "name-clash", what, "names in an ONNX model are unique", fix))
    values[name] = value


class _Lowering:
    """The ONNX nodes of one operator; tensors between them and constants are named after its output."""

    def __init__(
        self, node: Node, types: Mapping[str, TensorType], values: dict[str, ir.Value], taken: set[str]
    ) -> None:
        self.node, self.values, self.taken = node, values, taken
        self.known: dict[str, tuple[ir.Value, Shape]] = {
            **{f"x{i}": (values[name], types[name].shape) for i, name in enumerate(node.inputs)},
            **{f"w:{role}": (values[param.name], param.shape) for role, param in node.params},
        }
        self.dtype = types[node.inputs[0]].dtype if node.inputs else node.type.dtype
        self.constants: list[ir.Value] = []

    def nodes(self, forms: Sequence[Form]) -> Iterator[ir.Node]:
        for form in forms:
            inputs = [self._operand(operand) for operand in form.operands]
            final = form.output == "y"
            name = self.node.output if final else self._scoped(form.output.removeprefix("t:"))
            shape = self.node.type.shape if final else form.shape or self.known[str(form.operands[0])][1]
            value = _value(name, TensorType(form.dtype or self.node.type.dtype, shape))
            _claim(self.values, name, value)
            self.known[form.output] = (value, shape)
            attributes = ir.convenience.convert_attributes(dict(form.attributes))
            label = self.node.name if final else name
            outputs = [self._beside(type) for type in form.beside]
            outputs.insert(form.place, value)
            yield ir.Node("", form.op_type, inputs, attributes, outputs=outputs, name=label)

    def _beside(self, type: tuple[str, Shape]) -> ir.Value:
        """An output that nobody reads."""
        name = self._scoped("unread")
        value = _value(name, TensorType(type[0] or self.dtype, type[1]))
        _claim(self.values, name, value)
        return value

    def _operand(self, operand: str | Const) -> ir.Value | None:
        if isinstance(operand, Const):
            return self._constant(operand)
        return self.known[operand][0] if operand else None

    def _constant(self, const: Const) -> ir.Value:
        dtype = const.dtype or self.dtype
        # Real constants are the float32 nearest to what was written, in every data type, as ONNX attributes are.
        held = np.int64 if dtype == "int64" else np.float64 if const.exact else np.float32
        exact = rounded(np.array(const.values, held), dtype)
        array = exact.reshape(() if const.scalar else exact.shape if const.shape is None else const.shape)
        name = self._scoped(f"const{len(self.constants)}")
        value = _value(name, TensorType(dtype, array.shape))
        value.const_value = ir.Tensor(array, name=name)
        _claim(self.values, name, value)
        self.constants.append(value)
        return value

    def _scoped(self, name: str) -> str:
        """A free name below the operator's."""
        free = f"{self.node.output}/{name}"
        while free in self.taken:
            free += "'"
        self.taken.add(free)
        return free
