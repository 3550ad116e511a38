"""The one value everything reads: a frozen graph of operators with known shapes. Arrays live beside it, in `Weights`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeAlias

from onnxconv.errors import Where
from onnxconv.ops import Constant, Operator, Shape

__all__ = [
    "FoldedBias",
    "FoldedWeight",
    "Graph",
    "Initial",
    "Node",
    "Number",
    "Param",
    "Quantised",
    "Recipe",
    "ScaleOf",
    "TensorType",
    "Tiled",
    "Transposed",
    "Unread",
    "lacking",
    "only",
    "shapes_of",
]


@dataclass(frozen=True, slots=True)
class TensorType:
    """A data type by its name in `DTYPES`, and a shape, outermost axis first; symbolic dimensions are text."""

    dtype: str
    shape: Shape

    @property
    def spatial(self) -> Shape:
        """The axes after batch and channels."""
        return self.shape[2:]


@dataclass(frozen=True, slots=True)
class Initial:
    """A stored array: read from a weights file under `name`, else drawn as `kind` says with `values` as its arguments.

    `fan` = (in, out): taps per output and per input, for He and Xavier. `learned`: it counts as a parameter.
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "he_normal"
    values: tuple[float, ...] = ()
    fan: tuple[int, int] = (1, 1)
    learned: bool = True


@dataclass(frozen=True, slots=True)
class Number:
    """One number, the same for every element: it is part of the network's text, and no file holds it."""

    value: float


@dataclass(frozen=True, slots=True)
class Tiled:
    """One stored kernel shared by all groups: `source` repeated `repeats` times along each axis."""

    source: Initial
    repeats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Transposed:
    """A stored matrix, its axes exchanged."""

    source: Initial


@dataclass(frozen=True, slots=True)
class FoldedWeight:
    """A convolution's weight with the batch norm after it multiplied in: w · scale ÷ √(var + ε), per output channel."""

    weight: Initial | Tiled
    scale: Initial
    var: Initial
    epsilon: float
    axis: int = 0
    """Axis of the output channels in the weight: 1 for a transposed convolution, whose axis 0 tells the group."""


@dataclass(frozen=True, slots=True)
class FoldedBias:
    """The bias that goes with a `FoldedWeight`: (b − mean) · scale ÷ √(var + ε) + shift, per output channel."""

    bias: Initial | None
    scale: Initial
    shift: Initial
    mean: Initial
    var: Initial
    epsilon: float


@dataclass(frozen=True, slots=True)
class ScaleOf:
    """What integers that stand for the numbers of `source` are multiplied with: largest absolute value ÷ 127, times `factor`.

    `per_channel`: a scale for each position of the source's first axis. Where all numbers are 0 it is `factor`.
    """

    source: Param
    per_channel: bool = True
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Quantised:
    """The numbers of `source` in units of `scale`, rounded to integers, halves to even."""

    source: Param
    scale: ScaleOf


Recipe: TypeAlias = "Initial | Number | Tiled | Transposed | FoldedWeight | FoldedBias | Quantised | ScaleOf"


@dataclass(frozen=True, slots=True)
class Param:
    """A weight tensor as an operator uses it: a name, a type, and how to make it from what is stored."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    recipe: Recipe

    @property
    def learned(self) -> int:
        """Numbers that training would adjust: a tied kernel counts once, running statistics not at all."""
        match self.recipe:
            case (Initial() as source) | Tiled(source=source) | Transposed(source=source):
                return _product(source.shape) if source.learned else 0
            case FoldedWeight() | FoldedBias():
                return _product(self.shape)
            case Quantised(source=source):
                return source.learned
            case ScaleOf() | Number():
                return 0

    def stored(self) -> tuple[Initial, ...]:
        """The stored arrays that it is made from."""
        match self.recipe:
            case Initial() as initial:
                return (initial,)
            case Tiled(source=source) | Transposed(source=source):
                return (source,)
            case FoldedWeight(weight=weight, scale=scale, var=var):
                return (weight.source if isinstance(weight, Tiled) else weight, scale, var)
            case FoldedBias(bias=bias, scale=scale, shift=shift, mean=mean, var=var):
                return tuple(i for i in (bias, scale, shift, mean, var) if i is not None)
            case Quantised(source=source, scale=scale):
                return tuple(dict.fromkeys((*source.stored(), *scale.source.stored())))
            case ScaleOf(source=source):
                return source.stored()
            case Number():
                return ()


@dataclass(frozen=True, slots=True)
class Node:
    """One operator applied: named inputs, one output, and its parameters by role."""

    name: str
    op: Operator
    inputs: tuple[str, ...]
    output: str
    type: TensorType
    params: tuple[tuple[str, Param], ...] = ()
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True, slots=True)
class Unread:
    """A node of a model that is not part of its graph: an operator that is not understood, or one behind such a node.

    `op`: its ONNX operator; `reason`: what is not understood.
    """

    name: str
    op: str
    reason: str


def lacking(tensor: str) -> str:
    """The reason for a node that is not understood because another one is not."""
    return f"its input {tensor!r} is not known"


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators in topological order, with the type of every tensor known.

    `unread`: what the model that it was read from holds beyond them.
    """

    name: str
    inputs: tuple[tuple[str, TensorType], ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    unread: tuple[Unread, ...] = ()

    def __post_init__(self) -> None:
        types = self.types()
        assert len(types) == len(self.inputs) + len(self.nodes), "tensor names are unique"
        known = {name for name, _ in self.inputs}
        for node in self.nodes:
            assert known.issuperset(node.inputs), f"{node.name} reads only what is there before it"
            known.add(node.output)
        assert self.outputs or self.unread, "a graph has an output, unless nothing of a model is understood"
        assert known.issuperset(self.outputs), "every output is there"

    def types(self) -> dict[str, TensorType]:
        """The type of every tensor by name, inputs first, then in the order of the nodes."""
        return dict(self.inputs) | {node.output: node.type for node in self.nodes}

    def params(self) -> Iterator[Param]:
        """Every parameter once, in the order of first use."""
        seen: set[str] = set()
        for node in self.nodes:
            for _, param in node.params:
                if param.name not in seen:
                    seen.add(param.name)
                    yield param

    def digest(self) -> str:
        """``sha256:…`` over everything that determines results but the arrays; equal graphs have equal digests."""
        text = json.dumps(self, default=_said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def only(graph: Graph, node: Node) -> Graph:
    """The graph of one node alone; the tensors that it reads become inputs of the graph, the constants among them stay."""
    types = graph.types()
    constants = tuple(n for n in graph.nodes if isinstance(n.op, Constant) and n.output in node.inputs)
    held = {constant.output for constant in constants}
    inputs = tuple((name, types[name]) for name in dict.fromkeys(node.inputs) if name not in held)
    return Graph(graph.name, inputs, (*constants, node), (node.output,))


def shapes_of(node: Node, types: Mapping[str, TensorType]) -> tuple[Shape, ...]:
    """Shapes of a node's inputs."""
    return tuple(types[name].shape for name in node.inputs)


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for n in shape:
        product *= n
    return product


def _said(value: Any) -> dict[str, Any]:
    """What JSON does not know by itself: a dataclass, as its name and what it is compared by."""
    return {"is": type(value).__name__, **{name: getattr(value, name) for name in _compared(value.__class__)}}


@cache
def _compared(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.compare)
