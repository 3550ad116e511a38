"""The walk through an ONNX graph, in its order: constants are collected, every other node becomes operators."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from onnxconv.dtypes import DTYPES, FLOATS
from onnxconv.errors import Diagnostic, ModelError, Refusal, Where, closest
from onnxconv.geometry import Array
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.load.file import array_of, dtype_name, refuse
from onnxconv.load.fold import FOLDS
from onnxconv.load.layers import READERS
from onnxconv.load.products import row
from onnxconv.load.step import PREVIOUS, Constant, Reading, Step
from onnxconv.load.types import check_types
from onnxconv.ops import Constant as ConstantTensor
from onnxconv.ops import ConvTranspose, Dense, PRelu, Shape
from onnxconv.resolve.limits import check_tensor

__all__ = ["Walk", "unknown_operators"]

DOMAINS = ("", "ai.onnx")


def unknown_operators(model: onnx.ModelProto, file: Path) -> list[Diagnostic]:
    """One diagnostic for each node whose operator is not read."""
    known = {*READERS, *FOLDS, "Constant"}
    return [
        Diagnostic(
            Where(str(file)),
            "unknown-operator",
            f"{_called(node, index)} is of an operator that onnxconv does not read",
            "a custom operator's meaning is not in the model" if node.domain not in DOMAINS else "",
            _instead(node.op_type, known) if node.domain in DOMAINS else "",
        )
        for index, node in enumerate(model.graph.node)
        if node.op_type not in known or node.domain not in DOMAINS
    ]


def _instead(operator: str, known: set[str]) -> str:
    """Another operator of the standard is not meant for one that is read, however alike their names are."""
    standard = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    return f"these are read: {', '.join(sorted(known))}" if operator in standard else closest(operator, known)


def _called(node: onnx.NodeProto, index: int) -> str:
    name = f" {node.name!r}" if node.name else ""
    domain = "" if node.domain in DOMAINS else f"{node.domain}."
    return f"node {index}{name} ({domain}{node.op_type})"


class Walk:
    """What is known after the nodes walked so far."""

    def __init__(self, model: onnx.ModelProto, file: Path) -> None:
        self.file, self.graph = file, model.graph
        self.opset = next((o.version for o in model.opset_import if o.domain in DOMAINS), 0)
        self.constants = {t.name: Constant(t.name, array_of(t, file)) for t in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in self.constants]
        self.inputs = {value.name: self._type(value) for value in inputs}
        self.types: dict[str, TensorType] = dict(self.inputs)
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.params: dict[str, Param] = {}
        self.arrays: dict[str, Array] = {}
        used = [name for node in model.graph.node for name in node.input]
        self.taken = {*self.types, *self.constants, *used, *(name for node in model.graph.node for name in node.output)}
        self.uses = Counter([*used, *(value.name for value in model.graph.output)])

    def whole(self) -> Graph:
        """The graph. Raises `ModelError` at the first node that is not understood."""
        for index, node in enumerate(self.graph.node):
            try:
                self._node(node)
            except Refusal as refusal:
                found = refusal.at(Where(str(self.file)))
                raise ModelError(replace(found, what=f"{_called(node, index)}: {found.what}")) from refusal
        outputs = tuple(value.name for value in self.graph.output)
        for name in outputs:
            if name not in self.types:
                raise refuse(self.file, "output", f"the output {name!r} is not computed by any layer that is read")
        if not outputs:
            raise refuse(self.file, "output", "the model has no outputs")
        return Graph(self.graph.name, tuple(self.inputs.items()), tuple(self.nodes), outputs)

    def _type(self, value: onnx.ValueInfoProto) -> TensorType:
        """The type of an input; sizes without a number or a name get a name of their own."""
        tensor = value.type.tensor_type
        dtype = dtype_name(tensor.elem_type)
        if not value.type.HasField("tensor_type") or dtype not in DTYPES:
            why = f"tensors are of type {', '.join(DTYPES)}"
            raise refuse(self.file, "dtype", f"the input {value.name!r} is {dtype}", why)
        if not tensor.HasField("shape"):
            raise refuse(self.file, "no-shape", f"the input {value.name!r} has no shape", "", "export it with a shape")
        shape: list[int | str] = []
        for axis, dim in enumerate(tensor.shape.dim):
            size = dim.dim_value if dim.HasField("dim_value") else dim.dim_param or f"{value.name}_{axis}"
            if isinstance(size, int) and size < 1:
                what = f"axis {axis} of the input {value.name!r} has size {size}"
                raise refuse(self.file, "empty-input", what, "a size is at least 1, or a symbol")
            shape.append(size)
        return TensorType(dtype, tuple(shape))

    def _node(self, node: onnx.NodeProto) -> None:
        if not node.output or not node.output[0]:
            raise Refusal("no-output", "it has no output")
        if node.op_type == "Constant":
            self.constants[node.output[0]] = Constant(node.output[0], _value(node, self.file))
        elif node.op_type == "Identity" and node.input[0] in self.constants:
            self.constants[node.output[0]] = self.constants[node.input[0]]
        elif node.op_type in FOLDS and all(name in self.constants for name in node.input):
            folded = FOLDS[node.op_type](self._reading(node), self.file)
            self.constants[node.output[0]] = Constant(node.output[0], folded)
        elif node.op_type != "Add" or not self._bias(node):
            check_types(node, self.opset, self._dtype_of)
            at = self._reading(node)
            for name in node.output[1:]:
                if name and self.uses[name]:
                    raise Refusal("second-output", f"its output {name!r} is used", "layers have one output here")
            if node.op_type not in READERS:
                raise Refusal("not-constant", "its inputs are not all constants", "it is read where its output is one")
            self._apply(node, READERS[node.op_type](at))

    def _dtype_of(self, name: str) -> str | None:
        if name in self.types:
            return self.types[name].dtype
        return self.constants[name].array.dtype.name if name in self.constants else None

    def _reading(self, node: onnx.NodeProto) -> Reading:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        return Reading(node, self.opset, self.types, self.constants, attributes, self.taken)

    def _bias(self, node: onnx.NodeProto) -> bool:
        """A constant added to a dense layer that nothing else reads is its bias: how exporters write MatMul with bias."""
        last = self.nodes[-1] if self.nodes else None
        names = list(node.input)
        if last is None or last.output not in names or self.uses[last.output] != 1:
            return False
        names.remove(last.output)
        if not (isinstance(last.op, Dense) and not last.op.bias and names[0] in self.constants):
            return False
        at = self._reading(node)
        bias = row(at, at.weight(1 - list(node.input).index(last.output), "bias"), last.op.out_features)
        self.nodes.pop()
        self.names.discard(last.name)
        del self.types[last.output]
        weight = self.params[last.params[0][1].name]
        step = Step(
            replace(last.op, bias=True),
            last.inputs,
            {"weight": Constant(weight.name, self.arrays[weight.name]), "bias": bias},
        )
        self._apply(node, (step,))
        return True

    def _apply(self, node: onnx.NodeProto, steps: Sequence[Step]) -> None:
        previous = ""
        for index, step in enumerate(steps):
            last = index == len(steps) - 1
            output = node.output[0] if last else self._free(f"{node.output[0]}/{type(step.op).__name__.lower()}")
            name = node.name if last and node.name and node.name not in self.names else output
            while name in self.names:
                name += "'"
            inputs = tuple(previous if i == PREVIOUS else i for i in step.inputs)
            self._add(name, step, inputs, output)
            previous = output

    def _free(self, name: str) -> str:
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        return name

    def _constant(self, name: str, learned: bool) -> None:
        """A constant as a tensor of its own."""
        array = self.constants[name].array
        type = TensorType(array.dtype.name, array.shape)
        if type.dtype not in DTYPES:
            raise Refusal("dtype", f"its input {name!r} is {type.dtype}", f"tensors are of type {', '.join(DTYPES)}")
        kind = "ones" if type.dtype in FLOATS else "zeros"
        param = Param(name, type.dtype, array.shape, Initial(name, array.shape, kind, learned=learned))
        param = self.params.setdefault(name, param)
        self.arrays[name], self.types[name] = array, type
        called = name
        while called in self.names:
            called += "'"
        self.names.add(called)
        where = Where(str(self.file))
        self.nodes.append(Node(called, ConstantTensor(array.shape), (), name, type, (("value", param),), where))

    def _add(self, name: str, step: Step, inputs: tuple[str, ...], output: str) -> None:
        for constant in inputs:
            if constant in self.constants and constant not in self.types:
                self._constant(constant, constant not in step.settled)
        shapes = [self.types[i].shape for i in inputs]
        dtypes = [self.types[i].dtype for i in inputs] or [c.array.dtype.name for c in step.weights.values()]
        type = TensorType(step.op.out_dtype(*dtypes), step.op.out_shape(*shapes))
        check_tensor(type.shape)
        params = self._params(step, shapes)
        self.names.add(name)
        self.types[output] = type
        self.nodes.append(Node(name, step.op, inputs, output, type, params, Where(str(self.file))))

    def _params(self, step: Step, shapes: list[Shape]) -> tuple[tuple[str, Param], ...]:
        params = []
        for role, shape in step.op.weight_shapes(*shapes).items():
            constant = step.weights[role]
            if constant.array.shape != shape:
                what = f"its {role} {constant.name!r} has shape {list(constant.array.shape)}"
                raise Refusal("weight-shape", what, f"with inputs {list(map(list, shapes))} it is {list(shape)}")
            initial = _initial(step, role, constant.name, shape)
            param = Param(constant.name, constant.array.dtype.name, shape, initial)
            params.append((role, self.params.setdefault(constant.name, param)))
            self.arrays[constant.name] = constant.array
        return tuple(params)


def _initial(step: Step, role: str, name: str, shape: tuple[int, ...]) -> Initial:
    """What a seed would draw in place of the model's own numbers."""
    if isinstance(step.op, PRelu):
        return Initial(name, shape, "constant", (0.25,))
    if role == "weight" and len(shape) > 1:
        taps = math.prod(shape[2:])
        groups = getattr(step.op, "groups", 1)
        into, out = (
            (shape[0] // groups, shape[1]) if isinstance(step.op, ConvTranspose) else (shape[1], shape[0] // groups)
        )
        return Initial(name, shape, fan=(into * taps, out * taps))
    kind = "ones" if role in ("weight", "running_var") else "zeros"
    return Initial(name, shape, kind, learned=not role.startswith("running"))


def _value(node: onnx.NodeProto, file: Path) -> Array:
    """The value of a Constant node."""
    for attribute in node.attribute:
        match attribute.name:
            case "value":
                return array_of(attribute.t, file)
            case "value_float" | "value_floats":
                return np.array(onnx.helper.get_attribute_value(attribute), np.float32)
            case "value_int" | "value_ints":
                return np.array(onnx.helper.get_attribute_value(attribute), np.int64)
    raise Refusal("constant", "it holds text or a sparse tensor", "constants are dense tensors of numbers")
