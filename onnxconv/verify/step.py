"""A layer on its way through a routed network: its definition, the tensors that it reads, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxconv.execute import apply, magnitude
from onnxconv.graph import Node
from onnxconv.verify.rounding import bound
from onnxconv.verify.signal import Signal
from onnxconv.verify.words import Array

__all__ = ["Rule", "Step"]


@dataclass(frozen=True)
class Step:
    """One layer with inputs `xs`, weights `w` and output `y`; `terms`: Σ|terms| of each output."""

    node: Node
    xs: Sequence[Signal]
    w: Mapping[str, Array]
    y: Array
    terms: Array

    @property
    def op(self) -> Any:
        return self.node.op

    @property
    def dtype(self) -> str:
        return self.node.type.dtype

    @property
    def values(self) -> list[Array]:
        return [x.value for x in self.xs]

    @property
    def errors(self) -> list[Array]:
        return [x.slack() for x in self.xs]

    @property
    def reach(self) -> list[Array]:
        """The largest absolute values that a runtime may have read."""
        return [np.abs(x.value) + x.slack() for x in self.xs]

    @property
    def partial(self) -> list[Array]:
        """The largest partial sums that a runtime may have read: an optimiser may have left them to this layer."""
        return [x.terms + x.slack() for x in self.xs]

    @property
    def roundings(self) -> int:
        return self.node.op.roundings(*(x.value.shape for x in self.xs))

    def own(self, largest: Array) -> Array:
        """What the runtime's own roundings may add, relative to a magnitude."""
        return bound(self.dtype, self.roundings, np.asarray(largest))

    def through(self, *operands: Array, w: Mapping[str, Array] | None = None) -> Array:
        """The layer's definition on other operands."""
        return apply(self.node, list(operands), w or {})

    def magnitude(self, *operands: Array, w: Mapping[str, Array] | None = None) -> Array:
        return magnitude(self.node, list(operands), w or {})


Rule = Callable[[Step], Array]
"""How far an output may be off."""
