"""Layers that a runtime computes together although the tensor between them is asked for.

tract 0.23.9 multiplies a batch norm into the convolution before it and computes the convolution's own output apart: the
tensor that it shows is not the one that the batch norm has read. Such a layer is right by itself; in the whole model it
may differ from what follows from the tensors shown by what those may be off. Both the tensor t that is shown and the
value v that was read instead err by at most the bound E of the layer that made them, so that |t − v| ≤ 2E, and more where
that layer has itself read another value. An optimiser may have left partial sums to a later layer, whose roundings are
then relative to their terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxconv.execute import apply, magnitude
from onnxconv.graph import Node, only
from onnxconv.verify.arithmetic import Layer, allowed
from onnxconv.verify.carried import error_after
from onnxconv.verify.case import Case
from onnxconv.verify.compare import Comparison, outputs_differ, within
from onnxconv.verify.judge import compared
from onnxconv.verify.signal import Signal
from onnxconv.verify.words import PRODUCTS, Array

__all__ = ["together"]

DEPTH = 4
"""Layers that are computed with one behind them: as a sum and an activation behind a batch norm behind a convolution."""


def together(case: Case, node: Node, tensors: Mapping[str, Array], apart: Comparison) -> Comparison | None:
    """The comparison of a layer computed together with as few of those before it as explain its output.

    `apart`: the comparison of the layer on the tensors shown. None where none do, or where the layer is wrong by itself. Another model is loaded afterwards. Raises `RuntimeFailed`.
    """
    makers = {made.output: made for made in case.graph.nodes if made.op.kind != "Constant"}
    if not any(name in makers for name in node.inputs) or not _right_alone(case, node, tensors):
        return None
    shown = _Shown(case, makers, tensors)
    for depth in range(1, DEPTH + 1):
        found = within(tensors[node.output], shown.value(node), shown.error(node, depth))
        if not found.mismatches:
            return found if found.unjudged <= apart.unjudged else None
    return None


def _right_alone(case: Case, node: Node, tensors: Mapping[str, Array]) -> bool:
    """On the same inputs, as a model of its own, it keeps its bound."""
    alone = only(case.graph, node)
    case.bench.load(alone, case.weights)
    got = case.bench.run({name: tensors[name] for name, _ in alone.inputs})
    if outputs_differ(got, {node.output: (node.type.dtype, tensors[node.output].shape)}):
        return False
    xs, w = [tensors[name] for name in node.inputs], {role: case.weights[param] for role, param in node.params}
    return not compared(node, xs, w, got[node.output], case.arithmetic).mismatches


@dataclass(frozen=True)
class _Shown:
    """The tensors that a runtime has shown, and by which layers it has made them."""

    case: Case
    makers: Mapping[str, Node]
    tensors: Mapping[str, Array]

    def weights(self, node: Node) -> dict[str, Array]:
        return {role: self.case.weights[param] for role, param in node.params}

    def value(self, node: Node) -> Array:
        return apply(node, [self.tensors[name] for name in node.inputs], self.weights(node))

    def error(self, node: Node, depth: int) -> Array:
        """How far the layer's output may be off, computed together with `depth` layers before it."""
        xs, w, y = [self.signal(name, depth - 1) for name in node.inputs], self.weights(node), self.value(node)
        own = allowed(Layer(node, [self.tensors[name] for name in node.inputs], w, y), self.case.arithmetic)
        if node.op.kind in PRODUCTS and "weight" in w:
            spread = {role: np.abs(a) if role == "weight" else np.zeros_like(a) for role, a in w.items()}
            return own + apply(node, [x.slack() for x in xs], spread)
        return own + error_after(node, xs, w, y, magnitude(node, [x.terms for x in xs], w))

    def signal(self, name: str, depth: int) -> Signal:
        """A tensor as a layer behind it may have read it: |shown − read| is twice what its own layer may be off."""
        t = self.tensors[name].astype(np.float64)
        if name not in self.makers or depth < 0:
            return Signal(t, 0, np.abs(t))
        node = self.makers[name]
        xs = [self.signal(read, depth - 1) for read in node.inputs]
        terms = magnitude(node, [x.terms for x in xs], self.weights(node))
        return Signal(t, 0, np.maximum(np.abs(t), terms), 2 * self.error(node, depth))
