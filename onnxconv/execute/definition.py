"""Graphs and single nodes, executed by their operators' definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from onnxconv.dtypes import DTYPES, numpy_dtype, rounded
from onnxconv.errors import Refusal, UsageError
from onnxconv.execute.inputs import check_inputs, check_understood
from onnxconv.execute.parts import Part, each, evaluated, fill
from onnxconv.geometry import Array
from onnxconv.graph import Graph, Node, Param
from onnxconv.ops import Conv, ConvTranspose, Dense, Elementwise, Operator

__all__ = ["Arrays", "apply", "beside", "defined", "magnitude", "otherwise", "run", "shifted"]

SINGLE = 2.0**-24
"""The unit roundoff of float32."""

T = TypeVar("T")


class Arrays(Protocol):
    """Whatever gives the array of a parameter, such as `Weights`; each is asked for when its node runs."""

    def __getitem__(self, param: Param, /) -> Array: ...


def run(
    graph: Graph,
    weights: Arrays,
    inputs: Mapping[str, Array],
    *,
    every_tensor: bool = False,
    arithmetic: str = "float64",
) -> dict[str, Array]:
    """The graph's outputs (or with `every_tensor` every node's) by tensor name, each rounded once to its data type.

    Raises `UsageError` where a layer is not understood, and where inputs are missing, unknown or of the wrong type or shape, or too small for a window.
    """
    check_understood(graph)
    check_inputs(graph, inputs)
    kept = {*graph.outputs} | ({node.output for node in graph.nodes} if every_tensor else set())
    last = {tensor: step for step, node in enumerate(graph.nodes) for tensor in (node.output, *node.inputs)}
    alive = {name: np.asarray(inputs[name]) for name, _ in graph.inputs}
    for step, node in enumerate(graph.nodes):
        xs = tuple(alive[name] for name in node.inputs)
        w = {role: weights[param] for role, param in node.params}
        alive[node.output] = defined(node, xs, w, arithmetic)
        for name in {node.output, *node.inputs} - kept:
            if last[name] == step:
                del alive[name]
    order = [name for name, _ in graph.inputs] + [node.output for node in graph.nodes]
    return {name: alive[name] for name in order if name in kept}


def defined(node: Node, xs: Sequence[Array], w: Mapping[str, Array], arithmetic: str = "float64") -> Array:
    """One node's output, computed in the asked arithmetic and rounded once to its data type. Weights are given by role."""
    return _evaluate(node, xs, w, _define, arithmetic, node.type.dtype)


def apply(node: Node, xs: Sequence[Array], w: Mapping[str, Array], arithmetic: str = "float64") -> Array:
    """One node's output, not rounded: in the asked arithmetic. Weights are given by role."""
    return _evaluate(node, xs, w, _define, arithmetic, arithmetic)


def magnitude(node: Node, xs: Sequence[Array], w: Mapping[str, Array]) -> Array:
    """For each output element the sum of absolute values that its rounding errors are relative to, in float64."""
    return _evaluate(node, xs, w, _magnitude, "float64", "float64")


def beside(
    node: Node, xs: Sequence[Array], w: Mapping[str, Array], got: Array, judge: Callable[[Array, Array, Array], T]
) -> tuple[tuple[tuple[int, ...], T], ...]:
    """What `judge` says of each piece of `got`, an output of floating point numbers: where it begins, and its verdict.

    It is told the piece, the definition there in float64, and what `magnitude` gives, but never less than that: sums of
    float32 products are summed in float32 with n roundings, and their error is added. Nothing is held for the whole output.
    """
    shape = _shape(node, xs)
    assert got.shape == shape, "shapes were compared first"
    seen, n = _aligned(node, xs, shape), node.op.roundings(*(x.shape for x in xs))
    sums = isinstance(node.op, Conv | ConvTranspose | Dense) and n * SINGLE < 2.0**-4
    single = sums and all(DTYPES[a.dtype.name].unit >= SINGLE for a in (*xs, *w.values()))
    # S(1 − γ) ≤ what is computed, γ = nu ÷ (1 − nu), and n products that vanish below 2^-149 each.
    more, lost = (1 - n * SINGLE) / (1 - 2 * n * SINGLE), n * DTYPES["float32"].smallest

    def judged(piece: Part) -> tuple[tuple[int, ...], T]:
        y = evaluated(piece, _define, np.dtype(np.float64))
        size = evaluated(piece, _magnitude, np.dtype(np.float32 if single else np.float64))
        return piece.start, judge(piece.y, y, size.astype(np.float64) * more + lost if single else size)

    return each(Part(node.op, seen, w, got), judged, np.dtype(np.float64).itemsize)


def shifted(node: Node, xs: Sequence[Array], w: Mapping[str, Array], share: float) -> Array:
    """One node's output where what it rounds to integers at last is off by `share` times its magnitude, in float64."""

    def evaluate(op: Operator, xs: Sequence[Array], w: Mapping[str, Array]) -> Array:
        return op.shifted(share, *xs, **w)

    return _evaluate(node, xs, w, evaluate, "float64", "float64")


def otherwise(node: Node, xs: Sequence[Array]) -> Iterator[Array]:
    """Outputs of one node that are as right as its definition's, element by element, in the data types of the inputs."""
    with np.errstate(all="ignore"):
        yield from node.op.otherwise(*xs)


def _define(op: Operator, xs: Sequence[Array], w: Mapping[str, Array]) -> Array:
    return op.define(*xs, **w)


def _magnitude(op: Operator, xs: Sequence[Array], w: Mapping[str, Array]) -> Array:
    return op.magnitude(*xs, **w)


def _evaluate(
    node: Node, xs: Sequence[Array], w: Mapping[str, Array], evaluate: Any, arithmetic: str, dtype: str
) -> Array:
    """An operator without roundings moves or picks values, so that its own data type serves; all else goes in parts.

    Integers are computed with as such: what is too large wraps around, as in every runtime.
    """
    shape = _shape(node, xs)
    if 0 in shape:
        return np.empty(shape, numpy_dtype(dtype))
    xs = _aligned(node, xs, shape)
    with np.errstate(all="ignore"):
        if node.op.roundings(*(x.shape for x in xs)) == 0:
            y: Array = np.asarray(evaluate(node.op, xs, w))
            return rounded(y, dtype)
        y = np.empty(shape, numpy_dtype(dtype))
        whole = DTYPES[node.type.dtype].family == "integer" and all(x.dtype.kind in "iu" for x in (*xs, *w.values()))
        fill(Part(node.op, tuple(xs), w, y), evaluate, np.dtype(node.type.dtype if whole else arithmetic))
    return y


def _shape(node: Node, xs: Sequence[Array]) -> tuple[int, ...]:
    try:
        shape = node.op.out_shape(*(x.shape for x in xs))
    except Refusal as refusal:
        raise UsageError(refusal.at(node.where)) from refusal
    return tuple(int(n) for n in shape)


def _aligned(node: Node, xs: Sequence[Array], shape: tuple[int, ...]) -> tuple[Array, ...]:
    """The inputs so that they can be cut into parts: those of an elementwise operator with as many axes as its output."""
    if not isinstance(node.op, Elementwise):
        return tuple(xs)
    return tuple(x.reshape((1,) * (len(shape) - x.ndim) + x.shape) for x in xs)
