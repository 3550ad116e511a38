"""The graph as it is written down, node by node, with names that are unique."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import onnx

from onnxconv.dtypes import DTYPES, FLOATS
from onnxconv.errors import Refusal, Where
from onnxconv.geometry import Array
from onnxconv.graph import Initial, Node, Param, TensorType
from onnxconv.load.step import PREVIOUS, Constant, Step
from onnxconv.ops import Constant as Held
from onnxconv.ops import ConvTranspose, Shape
from onnxconv.resolve.initial import BATCH_NORM, INTEGERS, SLOPES, WEIGHTED
from onnxconv.resolve.limits import check_tensor

__all__ = ["Written"]


class Written:
    """The nodes so far, the types of all tensors, and the parameters with their arrays."""

    def __init__(
        self, file: str, inputs: Mapping[str, TensorType], constants: Mapping[str, Constant], taken: set[str]
    ) -> None:
        self.file, self.inputs, self.constants, self.taken = file, dict(inputs), constants, taken
        self.types: dict[str, TensorType] = dict(inputs)
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.params: dict[str, Param] = {}
        self.arrays: dict[str, Array] = {}

    def apply(self, node: onnx.NodeProto, steps: Sequence[Step]) -> None:
        """Write down what a node becomes. Raises `Refusal` where an operator refuses its inputs."""
        previous = ""
        for index, step in enumerate(steps):
            last = index == len(steps) - 1
            output = step.output or (
                node.output[0] if last else self.free_name(f"{node.output[0]}/{type(step.op).__name__.lower()}")
            )
            name = self._unique(node.name if last and node.name and node.name not in self.names else output)
            inputs = tuple(previous if i == PREVIOUS else self.tensor(i, step.settled) for i in step.inputs)
            self._add(name, step, inputs, output)
            previous = output

    def forget(self, mark: int) -> None:
        """Take back all nodes but the first `mark`."""
        for node in self.nodes[mark:]:
            self.names.discard(node.name)
            del self.types[node.output]
        del self.nodes[mark:]

    def restore(self, node: Node) -> None:
        """Write down a node that was taken back."""
        self.names.add(node.name)
        self.types[node.output] = node.type
        self.nodes.append(node)

    def free_name(self, name: str) -> str:
        """A name that no tensor has, which is taken from now on."""
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        return name

    def tensor(self, operand: str | Constant, settled: Collection[str] = ()) -> str:
        """The name of an operand. A constant becomes a node of that name where it is first read."""
        name = operand if isinstance(operand, str) else operand.name
        if name not in self.types:
            held = self.constants[operand] if isinstance(operand, str) else operand
            self._hold(name, held, learned=name not in settled)
        return name

    def _hold(self, tensor: str, constant: Constant, *, learned: bool) -> None:
        """A constant operand counts as learned if it has more than one element: a single number is part of a formula."""
        array = constant.array
        dtype, shape = array.dtype.name, array.shape
        if dtype not in DTYPES:
            raise Refusal("dtype", f"its input {tensor!r} is {dtype}", f"tensors are of type {', '.join(DTYPES)}")
        kind = "ones" if dtype in FLOATS else "zeros"
        initial = Initial(constant.name, shape, kind, learned=learned and array.size > 1)
        if array.size == 1 and dtype in FLOATS:
            initial = Initial(constant.name, shape, "constant", (float(array.reshape(-1)[0]),), learned=False)
        param = self.params.setdefault(constant.name, Param(constant.name, dtype, shape, initial))
        self.arrays[constant.name] = array
        name = self._unique(tensor)
        self.names.add(name)
        self.types[tensor] = TensorType(dtype, shape)
        self.nodes.append(
            Node(name, Held(shape), (), tensor, self.types[tensor], (("value", param),), Where(self.file))
        )

    def _unique(self, name: str) -> str:
        while name in self.names:
            name += "'"
        return name

    def _add(self, name: str, step: Step, inputs: tuple[str, ...], output: str) -> None:
        shapes = [self.types[i].shape for i in inputs]
        dtypes = [self.types[i].dtype for i in inputs] or [c.array.dtype.name for c in step.weights.values()]
        found = TensorType(step.op.out_dtype(*dtypes), step.op.out_shape(*shapes))
        check_tensor(found.shape)
        params = self._params(step, shapes)
        self.names.add(name)
        self.types[output] = found
        self.nodes.append(Node(name, step.op, inputs, output, found, params, Where(self.file)))

    def _params(self, step: Step, shapes: Sequence[Shape]) -> tuple[tuple[str, Param], ...]:
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


OWN = {
    "BatchNormalization": BATCH_NORM,
    "PRelu": SLOPES,
    **dict.fromkeys(("DequantizedConv", "DequantizedGemm"), INTEGERS),
}
"""What is drawn for operators with defaults of their own, by role."""


def _initial(step: Step, role: str, name: str, shape: tuple[int, ...]) -> Initial:
    """What a seed would draw in place of the model's own numbers: the defaults of specs."""
    own = OWN.get(step.op.kind, WEIGHTED)
    kind, values = own.get(role, WEIGHTED["bias"])
    taps = math.prod(shape[2:])
    fan = (1, 1)
    if role == "weight" and len(shape) > 1 and own is WEIGHTED:
        groups = getattr(step.op, "groups", 1)
        into, out = shape[1], shape[0] // groups
        if isinstance(step.op, ConvTranspose):
            into, out = shape[0] // groups, shape[1]
        fan = (into * taps, out * taps)
    return Initial(
        name, shape, kind, values, fan, learned=not role.startswith("running") and not role.endswith("_scale")
    )
