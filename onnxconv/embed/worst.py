"""How far the outputs of a whole network may be off at worst: in any order of its sums, fused or not.

A bound is carried from the inputs to every tensor (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., § 3.1): what the
errors of a layer's inputs may do to its output, and what its own roundings add. Runtimes fold batch norms, constant factors and
additions into the layers beside them, so affine layers are rounded as one: from one activation to the next, with the n roundings
of all layers between, the error is at most γ_n times the sum of the absolute values of all terms (`onnxconv.verify.rounding`). Two
kernels are never multiplied with each other: what is between them is a tensor. Through everything else errors go by the rules of
`onnxconv.verify.carried`. Products of constants that a runtime makes ahead are taken to be normal numbers.

Each layer of n terms multiplies the bound by about √n, so that it says little of deep networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnxconv.dtypes import DTYPES
from onnxconv.execute import apply, magnitude
from onnxconv.graph import Graph, Node
from onnxconv.verify.carried import error_after
from onnxconv.verify.rounding import bound
from onnxconv.verify.signal import Signal
from onnxconv.verify.words import MOVING, PRODUCTS
from onnxconv.weights import Weights

__all__ = ["derived"]

Array: TypeAlias = "npt.NDArray[Any]"

SUMS = (*PRODUCTS, "AveragePool", "GlobalAveragePool", "ReduceSum", "ReduceMean", "MatMul")
"""Sums over many numbers: two of them are never done as one."""
BESIDE = ("BatchNormalization", "Add", "Sub", "Mul", "Div")
"""What is done together with a sum before or behind it."""
MOVED = ("Identity", "Neg", "Concat", "Pad", *MOVING)
QUANTISED = ("DequantizedConv", "DequantizedGemm")
FLOATS = ("float", "bfloat")
OFFSETS = ("bias", "running_mean")
"""Weights that are added, through which no error goes."""


@dataclass(frozen=True)
class Tensor:
    """`value` is exact, in float64. `arrived`: the error from before the affine layers that end here.

    `terms`: Σ|terms| of each number over these layers, each of which meets at most `roundings` roundings; `summed`: one of them is a sum.
    """

    value: Array
    terms: Array
    arrived: Array
    dtype: str
    roundings: int = 0
    summed: bool = False

    @property
    def reach(self) -> Array:
        """Σ|terms| as a runtime may have them."""
        return self.terms + self.arrived

    @property
    def error(self) -> Array:
        """|runtime − exact| is at most this."""
        return self.arrived + bound(self.dtype, self.roundings, self.reach)

    def ended(self) -> Tensor:
        """The same where nothing behind it is rounded as one with what is before it."""
        return Tensor(self.value, np.abs(self.value), self.error, self.dtype)


def derived(
    graph: Graph, weights: Weights, inputs: Mapping[str, Array], expected: Mapping[str, Array]
) -> dict[str, float]:
    """Of each output of a graph of known sizes, the largest distance of a runtime from what is `expected`.

    That may be off itself, rounded layer by layer, or be of another network. Infinite where nothing is known.
    """
    tensors = {name: _exact(np.asarray(x)) for name, x in inputs.items()}
    last = {name: step for step, node in enumerate(graph.nodes) for name in node.inputs}
    with np.errstate(all="ignore"):
        for step, node in enumerate(graph.nodes):
            w = {role: weights[param] for role, param in node.params}
            tensors[node.output] = _after(node, [tensors[name] for name in node.inputs], w)
            for name in {name for name in node.inputs if last[name] == step} - {*graph.outputs}:
                del tensors[name]
        return {name: _farthest(tensors[name], expected[name]) for name in graph.outputs}


def _farthest(found: Tensor, expected: Array) -> float:
    off = found.error + np.abs(found.value - expected.astype(np.float64))
    return float(np.where(np.isnan(off), np.inf, off).max(initial=0))


def _exact(value: Array) -> Tensor:
    of = value.astype(np.float64)
    return Tensor(of, np.abs(of), np.zeros_like(of), value.dtype.name)


def _after(node: Node, xs: Sequence[Tensor], w: Mapping[str, Array]) -> Tensor:
    """A layer's output, of its inputs."""
    y = apply(node, [x.value for x in xs], w)
    if node.op.kind == "Constant":
        return _exact(y.astype(node.type.dtype))
    affine = DTYPES[node.type.dtype].family == "float" and all(x.dtype == node.type.dtype for x in xs)
    if affine and node.op.kind in MOVED:
        return _moved(node, xs, y)
    if affine and node.op.kind in (*SUMS, *BESIDE) and (node.op.kind != "Div" or not xs[1].error.any()):
        return _summed(node, xs, w, y)
    if node.op.kind in (*SUMS, *BESIDE) and not any(x.dtype.startswith(FLOATS) or x.error.any() for x in xs):
        return _exact(y.astype(node.type.dtype))
    signals = [Signal(x.value, 0, x.terms, x.error) for x in xs]
    terms = magnitude(node, [np.abs(x.value) + x.error for x in xs], w) if node.op.kind in QUANTISED else np.abs(y)
    return Tensor(y, np.abs(y), error_after(node, signals, w, y, terms), node.type.dtype)


def _summed(node: Node, xs: Sequence[Tensor], w: Mapping[str, Array], y: Array) -> Tensor:
    """With the roundings of the layers before it; where these hold a sum, and so does it, with its own."""
    kind = node.op.kind
    if kind in SUMS:
        xs = [x.ended() if x.summed else x for x in xs]
    if kind in ("Mul", "MatMul"):
        read = [np.abs(x.value) for x in xs]
        arrived = magnitude(node, [v + x.arrived for v, x in zip(read, xs, strict=True)], w) - magnitude(node, read, w)
    else:
        factors = {role: np.zeros_like(a) if role in OFFSETS else a for role, a in w.items()}
        arrived = magnitude(node, [xs[0].arrived, xs[1].value] if kind == "Div" else [x.arrived for x in xs], factors)
    own = node.op.roundings(*(x.value.shape for x in xs))
    arrived += (own + 1) * DTYPES[node.type.dtype].smallest * bool(own)
    terms = magnitude(node, [x.terms for x in xs], w)
    met = own + sum(x.roundings for x in xs)
    return Tensor(y, terms, arrived, node.type.dtype, met, kind in SUMS or any(x.summed for x in xs))


def _moved(node: Node, xs: Sequence[Tensor], y: Array) -> Tensor:
    """Numbers arrive as they were; those of a pad, which may be infinite, are rounded once."""
    padding = node.op.kind == "Pad"
    arrived = np.abs(apply(node, [x.arrived for x in xs], {}))
    terms = np.abs(apply(node, [x.terms for x in xs], {}))
    if padding:
        inside = apply(node, [np.ones_like(x.value) for x in xs], {}) == 1
        arrived, terms = np.where(inside, arrived, 0.0), np.where(np.isfinite(terms), terms, 0.0)
    met = max(x.roundings for x in xs) + padding
    return Tensor(y, terms, arrived, node.type.dtype, met, any(x.summed for x in xs))
