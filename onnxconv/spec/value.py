"""What a spec says once blocks, repeats and expressions are worked out: inputs, layers in order, outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from onnxconv.errors import Where

__all__ = ["Data", "Input", "Layer", "Quantization", "Spec", "Value"]

Data: TypeAlias = "bool | int | float | str | tuple[Value, ...] | tuple[tuple[str, Value], ...] | None"
"""A scalar, a list as a tuple of values, or a mapping as a tuple of (key, value) pairs."""


@dataclass(frozen=True, slots=True)
class Value:
    """One piece of data and the place where it is written."""

    value: Data
    where: Where = field(default=Where(), compare=False)

    def items(self) -> tuple[Value, ...] | None:
        """The parts of a list; None where it is none."""
        parts = self.value if isinstance(self.value, tuple) else None
        return None if parts is None or self.pairs() else tuple(part for part in parts if isinstance(part, Value))

    def pairs(self) -> tuple[tuple[str, Value], ...] | None:
        """The keys and values of a table of at least one key; None where it is none."""
        parts = self.value if isinstance(self.value, tuple) else ()
        return tuple(part for part in parts if isinstance(part, tuple)) or None


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor from outside: `dtype` by its NumPy name, `shape` outermost axis first, symbolic dimensions as text."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a kind in the vocabulary, reading `inputs`; its output tensor has the layer's name.

    `attributes` holds, in the vocabulary's order, every attribute that is written or has a default other than None;
    a default has the layer's own place. Their forms are described in `vocabulary`.
    """

    name: str
    kind: str
    attributes: tuple[tuple[str, Value], ...]
    inputs: tuple[str, ...]
    where: Where = field(default=Where(), compare=False)

    def __contains__(self, attribute: str) -> bool:
        return self.get(attribute) is not None

    def __getitem__(self, attribute: str) -> Value:
        """The value of an attribute; KeyError where it is neither written nor has a default."""
        found = self.get(attribute)
        if found is None:
            raise KeyError(attribute)
        return found

    def get(self, attribute: str) -> Value | None:
        """The value of an attribute; None where it is neither written nor has a default."""
        for name, value in self.attributes:
            if name == attribute:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Quantization:
    """Integers that a network computes with: data type of activations, int8 `weights` with a scale per channel or tensor.

    `ranges`: tensors with the least and the largest number told apart; those of other tensors are calibrated.
    """

    activations: str = "uint8"
    weights: str = "channel"
    ranges: tuple[tuple[str, float, float], ...] = ()
    where: Where = field(default=Where(), compare=False)


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole network as written in `file`, flat: every layer comes after those that it reads."""

    name: str
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    file: str = ""
    quantization: Quantization | None = None
