"""What awaits a layer's output, so that values can be kept where the next activation does not flatten them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.graph import Graph, Node
from onnxconv.verify.level import PLAIN, Level
from onnxconv.verify.words import MOVING, Array

__all__ = ["Ahead", "ahead", "consumers"]


@dataclass(frozen=True, slots=True)
class Ahead:
    """`low`, `high`: between these the next activation lets values through. `normalised`: a batch norm comes first.

    `curved`: beyond them the activation is close to a ReLU. `quantised`: what comes next rounds to integers, and saturates.
    `level`: what is asked of it for the sake of normalisations. `unit`: the odd number that values are to be multiples of.
    `halved`: a ReLU is to cut half of the values off, not a quarter, so that sums of many branches grow less.
    """

    low: float = -math.inf
    high: float = math.inf
    normalised: bool = False
    curved: bool = False
    quantised: bool = False
    level: Level = PLAIN
    unit: int = 1
    halved: bool = False

    def given(self, error: Array) -> Ahead:
        """For values that are off by up to an error: as a curve magnifies it, they lie where it is straight, if they may."""
        straight = replace(self, low=-16.0, high=math.inf)
        return straight if self.curved and error.any() else self

    @property
    def width(self) -> float:
        return self.high - self.low

    @property
    def open(self) -> bool:
        """Nothing flattens what comes."""
        return math.isinf(self.low) and math.isinf(self.high)


def consumers(graph: Graph) -> dict[str, list[Node]]:
    """The nodes that read each tensor."""
    reading: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in dict.fromkeys(node.inputs):
            reading.setdefault(name, []).append(node)
    return reading


def ahead(
    tensor: str,
    reading: Mapping[str, Sequence[Node]],
    constants: Mapping[str, Array] = MappingProxyType({}),
    shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
) -> Ahead:
    """Follow a tensor through layers that keep its values apart, up to the first activation or quantisation.

    `constants`: the values of constant tensors, by name. `shapes`: sizes of tensors, for what products of matrices sum up.
    """
    back: list[Callable[[Ahead], Ahead]] = []
    found, normalised = Ahead(), False
    while readers := reading.get(tensor, ()):
        if len(readers) > 1:
            if all(node.op.kind in MOVING for node in readers):  # parts of it go different ways
                found = min((ahead(n.output, reading, constants, shapes) for n in readers), key=lambda a: a.width)
            elif _gates_itself(readers, reading, constants):
                found = CURVED
            break
        (node,) = readers
        if node.op.kind == "BatchNormalization":
            if normalised:
                break
            normalised = True
        elif node.op.kind not in KEEPING:
            limits = _limits(node, constants)
            step = None if limits is not None else _undone(node, constants, shapes)
            if step is None:
                found = limits or found
                break
            back.append(step)
        tensor = node.output
    for step in reversed(back):
        found = step(found)
    return replace(found, normalised=normalised)


KEEPING = ("Identity", "Neg", "Flatten", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", *MOVING)
CURVED = Ahead(-4.0, 4.0, curved=True)
LIVE = {
    **dict.fromkeys(("Silu", "Elu", "HardSwish", "Softplus", "Gelu", "Mish"), CURVED),
    **dict.fromkeys(("Sigmoid", "Softmax", "Exp", "LRN"), Ahead(-4.0, 4.0)),
    **dict.fromkeys(("Sqrt", "Log", "Pow"), Ahead(0.0625, 4.0)),
    **dict.fromkeys(("Erf", "Tanh"), Ahead(-2.0, 2.0)),
    "Relu": Ahead(0.0, math.inf),
}
"""Between which values activations let differences through."""


def _limits(node: Node, constants: Mapping[str, Array]) -> Ahead | None:
    """Where the layer lets differences through, if it bends or rounds anything."""
    match node.op.kind:
        case "QuantizeLinear" if all(name in constants for name in node.inputs[1:]):
            return _representable(node, *(constants[name] for name in node.inputs[1:]))
        case "Clip":
            low, high = getattr(node.op, "low", None), getattr(node.op, "high", None)
            return Ahead(-math.inf if low is None else low, math.inf if high is None else high)
        case "HardSigmoid":
            return _sloped(float(getattr(node.op, "alpha", 0.0)), float(getattr(node.op, "beta", 0.0)))
        case kind:
            return LIVE.get(kind)


def _undone(
    node: Node, constants: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]
) -> Callable[[Ahead], Ahead] | None:
    """What limits on a layer's output mean for its input; None where they mean nothing."""
    held = [constants[name] for name in node.inputs if name in constants]
    if node.op.kind in ("Sub", "Div") and node.inputs[0] in constants:
        return None
    match node.op.kind:
        case "Add" | "Sub" if held:  # constants that are added are small, or one number
            number = float(held[0].flat[0]) if held[0].size == 1 else 0.0
            shift = number if node.op.kind == "Add" else -number
            return lambda found: replace(found, low=found.low - shift, high=found.high - shift)
        case "Mul" | "Div" if held and held[0].size == 1 and held[0].flat[0]:
            factor = float(held[0].flat[0])
            return partial(_scaled, factor if node.op.kind == "Mul" else 1 / factor)
        case "MatMul" if not held:
            return partial(_of_products, shapes.get(node.inputs[0], (1,))[-1])
        case _:
            return None


def _scaled(factor: float, found: Ahead) -> Ahead:
    low, high = sorted((found.low / factor, found.high / factor))
    return replace(found, low=low, high=high)


def _of_products(count: int, found: Ahead) -> Ahead:
    """Of sums of products of two such tensors: numbers of random signs add up to √count of them."""
    widest = math.sqrt(min(abs(found.low), abs(found.high)) / math.sqrt(count))
    return Ahead(-widest, widest) if 0 < widest < math.inf else Ahead()


def _gates_itself(
    readers: Sequence[Node], reading: Mapping[str, Sequence[Node]], constants: Mapping[str, Array]
) -> bool:
    """A tensor is multiplied by a function of itself: a curve written out, such as x · clip(x + 3) / 6 or x · sigmoid(x)."""
    products = [node for node in readers if node.op.kind == "Mul"]
    others = [node for node in readers if node.op.kind != "Mul"]
    if len(products) != 1 or len(others) != 1:
        return False
    (node,) = others
    while node is not products[0]:
        of_itself = node.op.kind in (*LIVE, "Clip", "HardSigmoid") or any(
            name in constants and constants[name].size == 1 for name in node.inputs
        )
        following = reading.get(node.output, ())
        if not of_itself or len(following) != 1:
            return False
        (node,) = following
    return True


def _representable(node: Node, scale: Array, zero: Array | int = 0) -> Ahead:
    """What is not saturated, whatever the channel."""
    of, least = DTYPES[node.type.dtype], float(scale.min())
    offset = np.asarray(zero).astype(np.float64)
    return Ahead(float((of.low - offset).max()) * least, float((of.high - offset).min()) * least, quantised=True)


def _sloped(slope: float, offset: float) -> Ahead:
    """Where slope·x + offset lies between 0 and 1."""
    if slope == 0:
        return Ahead()
    low, high = sorted((-offset / slope, (1 - offset) / slope))
    return Ahead(low, high)
