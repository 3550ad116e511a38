"""The walk through an ONNX graph, in its order: what is known is computed, every other node becomes operators."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from onnxconv.errors import Diagnostic, ModelError, Refusal, Where
from onnxconv.geometry import Array
from onnxconv.graph import Graph, lacking
from onnxconv.load.branch import captured, inlined
from onnxconv.load.declared import DOMAINS, declared
from onnxconv.load.fold import FOLDS, OF_SHAPES, folded
from onnxconv.load.held import Held
from onnxconv.load.inference import Inference
from onnxconv.load.inputs import Inputs
from onnxconv.load.known import LARGEST
from onnxconv.load.layers import READERS
from onnxconv.load.lost import Lost, Model
from onnxconv.load.opaque import called, unknown_operator
from onnxconv.load.products import row
from onnxconv.load.step import Constant, Reading, Step
from onnxconv.load.stored import Stored, on_integers, stored
from onnxconv.load.types import check_placed, check_types
from onnxconv.load.written import Written
from onnxconv.ops import Dense, shape_text

__all__ = ["Walk"]

KNOWN = {*READERS, *FOLDS, "Constant", "If"}
SPREAD = ("ConstantOfShape", "Expand")
"""Operators whose last input is the shape of what they give."""
FORMED = (ArithmeticError, LookupError, TypeError, ValueError, MemoryError)
"""What reading a malformed attribute or constant may raise."""
MOST_FOLDED = 2 * LARGEST
"""Numbers in all constants that are computed."""


class Walk:
    """What is known after the nodes walked so far; `lost` tells what is not."""

    def __init__(
        self, model: onnx.ModelProto, file: Path, inputs: Inputs, inference: Inference, *, partial: bool
    ) -> None:
        self.file, self.graph, self.pin = file, model.graph, inputs.pin
        self.opsets = {("" if o.domain in DOMAINS else o.domain): _of_32_bits(o.version) for o in model.opset_import}
        self.constants = Held(file)
        for tensor in model.graph.initializer:
            self.constants.tensor(tensor.name, tensor)
        self.open: dict[str, Array] = {}
        self.free = dict(inputs.weights)
        self.folded = 0
        self.stored: dict[str, Stored] = {}
        nodes = model.graph.node
        used = [name for node in nodes for name in (*node.input, *captured(node))]
        self.uses = Counter([*used, *(value.name for value in model.graph.output)])
        made = (name for node in nodes for name in node.output)
        taken = {*inputs.tensors, *inputs.weights, *self.constants, *used, *made}
        self.out = Written(str(file), inputs.tensors, self.constants, taken)
        self.model = Model(
            file,
            self.opsets,
            self.out,
            self.constants,
            self.open,
            self.free,
            {value.name: value.type for value in (*model.graph.value_info, *model.graph.output)},
            inputs.symbols,
            self.uses,
            set(used),
            inference,
            partial,
        )
        self.lost = _lost_before(self.model, inputs, model.graph)
        self.pending = deque(enumerate(nodes))
        self.checker = _checker(model.ir_version, self.opsets)

    def whole(self) -> Graph:
        """The graph of all that is understood; `refused` tells what is not."""
        while self.pending:
            self._node(*self.pending.popleft())
        outputs = tuple(dict.fromkeys(self._outputs()))
        if not outputs:
            read = {name for node in self.out.nodes for name in node.inputs}
            outputs = tuple(node.output for node in self.out.nodes if node.output not in read)
        outputs = outputs or tuple(self.out.inputs)
        return Graph(
            self.graph.name, tuple(self.out.inputs.items()), tuple(self.out.nodes), outputs, tuple(self.lost.unread)
        )

    def _outputs(self) -> Iterator[str]:
        if not self.graph.output:
            self._no_output("", "the model has no outputs", "a model computes something")
        for name in (value.name for value in self.graph.output):
            if name in self.open:
                self._no_output(name, f"the output {name!r} is computed from the sizes of inputs", self.pin)
            elif name in self.lost.missing:
                self.lost.add(name, "output", "it is computed by nodes that are not understood")
            elif name not in self.out.types and name not in self.constants:
                self._no_output(name, f"the output {name!r} is not computed by any layer that is read", "")
            else:
                try:
                    yield self.out.tensor(name)
                    self._as_declared(name)
                except (Refusal, ModelError) as reason:
                    self._no_output(name, f"the output {name!r} is a constant: {reason}", "")

    def _as_declared(self, name: str) -> None:
        """Name an output that is not of the type that the model says, as far as both are known."""
        try:
            said = declared(self.model.declared[name], name, self.model.symbols)
        except Refusal:  # it says too little
            return
        found = self.out.types[name]
        sizes = zip(said.shape, found.shape, strict=False)
        differ = any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in sizes)
        if said.dtype != found.dtype or len(said.shape) != len(found.shape) or differ:
            computed = f"the output {name!r} is {found.dtype} {shape_text(found.shape)}"
            what = f"{computed}, and the model declares {said.dtype} {shape_text(said.shape)}"
            why = "programs trust what a model declares of its outputs"
            self.lost.add(
                name, "output", what, Diagnostic(Where(str(self.file)), "declared-output", what, why, "export it again")
            )

    def _no_output(self, name: str, what: str, fix: str) -> None:
        self.lost.add(name, "output", what, Diagnostic(Where(str(self.file)), "output", what, "", fix))

    # One node ---------------------------------------------------------------------------------------------------------

    def _node(self, index: int, node: onnx.NodeProto) -> None:
        """Read a node; what cannot be read is put down as such."""
        mark = len(self.out.nodes)
        try:
            behind = [name for name in (*node.input, *captured(node)) if name in self.lost.missing]
            if behind:
                self.lost.node(node, lacking(behind[0]))
            else:
                self._check(node, index)
                self._read(node, index)
        except (Refusal, ModelError, *FORMED) as reason:
            self.out.forget(mark)
            found = _told(reason, str(self.file))
            if found.code == "unknown-operator":
                self.lost.refused.append(unknown_operator(node, index, str(self.file), READERS))
            else:
                fix = found.fix or (self.pin if found.code == "symbolic-size" else "")
                self.lost.refused.append(replace(found, what=f"{called(node, index)}: {found.what}", fix=fix))
            said = f"{found.what}; {self.pin}" if found.code == "symbolic-size" and self.pin else found.what
            self.lost.node(node, said, typed=not (node.op_type in FOLDS and self._is_known(node)))

    def _check(self, node: onnx.NodeProto, index: int) -> None:
        """Raises `Refusal` for operators that are not read, and where onnx's own checker finds a node wrong."""
        if node.op_type not in KNOWN or node.domain not in DOMAINS:
            raise Refusal("unknown-operator", "its operator is not known")
        if not any(node.output):
            raise Refusal("no-output", "it has no output")
        for name in node.input:
            if name and not self.model.has(name):
                why = "nodes stand after those that they read"
                raise Refusal("invalid-model", f"its input {name!r} is given by nothing before it", why)
        for name in node.output:
            if name and self.model.has(name):
                raise Refusal("invalid-model", f"its output {name!r} is there already", "names of tensors are unique")
        if node.op_type in ("Constant", "If") or self._is_withdrawn(node):
            return
        try:
            onnx.checker.check_node(node, self.checker)
        except (onnx.checker.ValidationError, ValueError, RuntimeError) as reason:
            said = " ".join(str(reason).split())[:400]
            raise Refusal("invalid-model", f"onnx's checker refuses it: {said}") from reason

    def _is_withdrawn(self, node: onnx.NodeProto) -> bool:
        """Opset 18's GroupNormalization was withdrawn: onnx's checker refuses what exporters wrote and runtimes run."""
        return node.op_type == "GroupNormalization" and self.opsets.get("", 0) < 21

    def _read(self, node: onnx.NodeProto, index: int) -> None:
        if any(attribute.name == "broadcast" for attribute in node.attribute):
            check_placed(self._reading(node))
        if node.op_type == "Constant":
            self._constant(node)
        elif node.op_type == "If":
            self._take_branch(node, index)
        elif node.op_type == "Identity" and node.input[0] in self.constants:
            self.constants.alias(node.output[0], node.input[0])
        elif node.op_type in FOLDS and self._is_known(node):
            self._fold(node)
        elif node.op_type not in READERS:
            raise Refusal("not-constant", "it is read where all its inputs are known, and they are not")
        elif node.op_type != "Add" or not self._bias(node):
            check_types(node, self.opsets.get("", 0), self._dtype_of)
            found = [on_integers(step, self.stored) for step in READERS[node.op_type](self._reading(node))]
            steps = tuple(step for step in found if step.output not in node.output[1:] or self.uses[step.output])
            self.out.apply(node, steps)
            self._second_outputs(node, index, {step.output for step in steps})

    def _dtype_of(self, name: str) -> str | None:
        if name in self.out.types:
            return self.out.types[name].dtype
        held = self.constants if name in self.constants else self.free
        return held[name].array.dtype.name if name in held else None

    def _second_outputs(self, node: onnx.NodeProto, index: int, given: set[str]) -> None:
        """Outputs besides those that were read are not understood; an operator has one."""
        for name in node.output[1:]:
            if name and self.uses[name] and name not in given:
                found = Diagnostic(
                    Where(str(self.file)),
                    "second-output",
                    f"{called(node, index)}: its output {name!r} is used",
                    "layers have one output here",
                )
                self.lost.refused.append(found)
                self.lost.node(node, f"its output {name!r} is not read", only=name)

    def _reading(self, node: onnx.NodeProto) -> Reading:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        out = self.out
        return Reading(
            node,
            self.opsets.get("", 0),
            out.types,
            self.constants,
            attributes,
            out.taken,
            self.file,
            self.open,
            self.free,
            self.pin,
        )

    def _constant(self, node: onnx.NodeProto) -> None:
        """The value of a Constant node."""
        name = node.output[0]
        for attribute in node.attribute:
            match attribute.name:
                case "value":
                    return self.constants.tensor(name, attribute.t)
                case "value_float" | "value_floats":
                    found = np.array(onnx.helper.get_attribute_value(attribute), np.float32)
                    return self.constants.array(name, found)
                case "value_int" | "value_ints":
                    return self.constants.array(name, np.array(onnx.helper.get_attribute_value(attribute), np.int64))
        raise Refusal("constant", "it holds text or a sparse tensor", "constants are dense tensors of numbers")

    def _is_known(self, node: onnx.NodeProto) -> bool:
        if node.op_type in OF_SHAPES:
            return True
        if node.op_type in SPREAD and node.input[-1] in self.open:  # a tensor of open size is no constant
            return False
        return all(name in self.constants or name in self.open for name in node.input if name)

    def _fold(self, node: onnx.NodeProto) -> None:
        at = self._reading(node)
        value = folded(at)
        if node.op_type == "DequantizeLinear" and (kept := stored(at)) is not None:
            self.stored[node.output[0]] = kept
        self.folded += value.size if any(value.strides) else 0
        if self.folded > MOST_FOLDED:
            raise Refusal(
                "too-large", f"{self.folded:,} numbers are computed from constants", f"at most {MOST_FOLDED:,}"
            )
        if value.dtype == object:
            self.open[node.output[0]] = value
        else:
            self.constants.array(node.output[0], value)

    def _take_branch(self, node: onnx.NodeProto, index: int) -> None:
        """The branch that an If is known to take is read in its place."""
        condition = self._reading(node).value(0, "condition")
        if condition.dtype != np.bool_ or condition.size != 1:
            raise Refusal(
                "condition", f"its condition is {condition.dtype.name} of {condition.size} numbers", "it is one bool"
            )
        wanted = "then_branch" if condition.reshape(-1)[0] else "else_branch"
        branches = [a.g for a in node.attribute if a.name == wanted and a.type == onnx.AttributeProto.GRAPH]
        if len(branches) != 1 or len(branches[0].output) < len(node.output):
            raise Refusal("invalid-model", f"it has no {wanted} that gives {len(node.output)} outputs")
        nodes, tensors = inlined(branches[0], node.output, self.out.free_name)
        for tensor in tensors:
            self.constants.tensor(tensor.name, tensor)
        self.uses.update(name for inner in nodes for name in (*inner.input, *captured(inner)))
        self.pending.extendleft((index, inner) for inner in reversed(nodes))

    def _bias(self, node: onnx.NodeProto) -> bool:
        """A constant added to a dense layer that nothing else reads is its bias: how exporters write MatMul with bias."""
        out = self.out
        last = out.nodes[-1] if out.nodes else None
        names = list(node.input)
        if last is None or last.output not in names or self.uses[last.output] != 1:
            return False
        names.remove(last.output)
        if not (isinstance(last.op, Dense) and not last.op.bias and names[0] in self.constants):
            return False
        at = self._reading(node)
        try:
            bias = row(at, at.weight(1 - list(node.input).index(last.output), "bias"), last.op.out_features)
        except Refusal:  # no row: it is added by a layer of its own
            return False
        weight = Constant(last.params[0][1].name, out.arrays[last.params[0][1].name])
        out.forget(len(out.nodes) - 1)
        try:
            out.apply(node, (Step(replace(last.op, bias=True), last.inputs, {"weight": weight, "bias": bias}),))
        except Refusal:
            out.restore(last)
            raise
        return True


def _lost_before(model: Model, inputs: Inputs, graph: onnx.GraphProto) -> Lost:
    """Inputs of unknown type, and sparse constants."""
    lost = Lost(model)
    lost.refused += inputs.refused
    for name, reason in inputs.lost.items():
        lost.add(name, "input", reason)
    for name in (sparse.values.name for sparse in graph.sparse_initializer):
        what = f"the constant {name!r} is sparse"
        found = Diagnostic(Where(str(model.file)), "sparse", what, "weights are dense tensors")
        lost.add(name, "initializer", what, found)
    lost.missing |= dict.fromkeys((*inputs.lost, *(sparse.values.name for sparse in graph.sparse_initializer)), ())
    return lost


def _checker(ir_version: int, opsets: Mapping[str, int]) -> onnx.checker.C.CheckerContext:
    context = onnx.checker.C.CheckerContext()
    context.ir_version = _of_32_bits(ir_version)
    context.opset_imports = dict(opsets)
    return context


def _of_32_bits(version: int) -> int:
    """onnx takes no versions beyond; such a large one names nothing either."""
    return min(max(version, -(2**31)), 2**31 - 1)


def _told(reason: BaseException, file: str) -> Diagnostic:
    """What went wrong in reading a node."""
    match reason:
        case Refusal():
            return reason.at(Where(file))
        case ModelError():
            return reason.diagnostics[0]
    return Diagnostic(Where(file), "malformed", f"it cannot be read: {type(reason).__name__}: {reason}")
