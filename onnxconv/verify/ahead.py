"""What awaits a layer's output, so that values can be kept where the next activation does not flatten them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.graph import Graph, Node
from onnxconv.verify.level import PLAIN, Level
from onnxconv.verify.words import Array

__all__ = ["Ahead", "ahead", "consumers"]


@dataclass(frozen=True, slots=True)
class Ahead:
    """`low`, `high`: between these the next activation lets values through. `normalised`: a batch norm comes first.

    `curved`: beyond them the activation is close to a ReLU. `quantised`: what comes next rounds to integers, and saturates.
    `level`: what is asked of it for the sake of normalisations.
    """

    low: float = -math.inf
    high: float = math.inf
    normalised: bool = False
    curved: bool = False
    quantised: bool = False
    level: Level = PLAIN

    def given(self, error: Array) -> Ahead:
        """For values that are off by up to an error: as a curve magnifies it, they lie where it is straight, if they may."""
        straight = replace(self, low=-16.0, high=math.inf)
        return straight if self.curved and error.any() else self

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
    tensor: str, reading: Mapping[str, Sequence[Node]], constants: Mapping[str, Array] = MappingProxyType({})
) -> Ahead:
    """Follow a tensor through layers that keep its values apart, up to the first activation or quantisation.

    `constants`: the values of constant tensors, by name.
    """
    normalised = False
    while len(readers := reading.get(tensor, ())) == 1:
        (node,) = readers
        match node.op.kind:
            case "BatchNormalization":
                if normalised:
                    break
                normalised = True
            case "Identity" | "Neg" | "Flatten" | "MaxPool" | "AveragePool" | "GlobalMaxPool" | "GlobalAveragePool":
                pass
            case "QuantizeLinear" if all(name in constants for name in node.inputs[1:]):
                return replace(
                    _representable(node, *(constants[name] for name in node.inputs[1:])), normalised=normalised
                )
            case "Relu":
                return Ahead(0.0, math.inf, normalised)
            case "Clip":
                low, high = getattr(node.op, "low", None), getattr(node.op, "high", None)
                return Ahead(-math.inf if low is None else low, math.inf if high is None else high, normalised)
            case "HardSigmoid":
                return _sloped(float(getattr(node.op, "alpha", 0.0)), float(getattr(node.op, "beta", 0.0)), normalised)
            case "Silu" | "Elu" | "HardSwish" | "Softplus" | "Gelu" | "Mish":
                return Ahead(-4.0, 4.0, normalised, curved=True)
            case "Sigmoid" | "Softmax":
                return Ahead(-4.0, 4.0, normalised)
            case "Sqrt" | "Log" | "Pow":
                return Ahead(0.0625, 4.0, normalised)
            case "Exp" | "LRN":
                return Ahead(-4.0, 4.0, normalised)
            case "Erf":
                return Ahead(-2.0, 2.0, normalised)
            case "Tanh":
                return Ahead(-2.0, 2.0, normalised)
            case _:
                break
        tensor = node.output
    return Ahead(normalised=normalised)


def _representable(node: Node, scale: Array, zero: Array | int = 0) -> Ahead:
    """What is not saturated, whatever the channel."""
    of, least = DTYPES[node.type.dtype], float(scale.min())
    offset = np.asarray(zero).astype(np.float64)
    return Ahead(float((of.low - offset).max()) * least, float((of.high - offset).min()) * least, quantised=True)


def _sloped(slope: float, offset: float, normalised: bool) -> Ahead:
    """Where slope·x + offset lies between 0 and 1."""
    if slope == 0:
        return Ahead(normalised=normalised)
    low, high = sorted((-offset / slope, (1 - offset) / slope))
    return Ahead(low, high, normalised)
