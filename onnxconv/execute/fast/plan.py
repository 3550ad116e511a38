"""Everything about a run that is known before there are numbers: kernels, their order, and where each tensor lies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.errors import Refusal, UsageError
from onnxconv.execute.definition import Arrays
from onnxconv.execute.fast.block import Kernel, Triple, broadcast_triple, triple
from onnxconv.execute.fast.chains import Chain, carries, chains, staged
from onnxconv.execute.fast.concat import concat_kernel
from onnxconv.execute.fast.homes import Home, all_in_place, homes, in_place
from onnxconv.execute.fast.kernels import defined_kernel, kernel_of
from onnxconv.execute.fast.memory import Lifetime, placed
from onnxconv.execute.fast.pointwise import Elements, Function, affine, stage
from onnxconv.execute.inputs import check_understood
from onnxconv.geometry import Array
from onnxconv.graph import Graph, Node
from onnxconv.ops import BatchNorm, Concat, Constant, Conv

__all__ = ["Operand", "Plan", "Stage", "Step", "make_plan"]


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor that a stage reads, seen as [N, C, S] with size 1 where it is broadcast."""

    name: str
    shape: Triple


@dataclass(frozen=True, slots=True)
class Stage:
    """An elementwise operator applied to a block. Its values: operands, constants [1, C, 1], and None, the block itself."""

    function: Function
    values: tuple[Operand | Array | None, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel and the stages after it, for the layers `nodes`; `dtype`: what it computes in, None: the tensors' own types."""

    nodes: tuple[str, ...]
    kernel: Kernel
    reads: tuple[str, ...]
    stages: tuple[Stage, ...]
    output: str
    dtype: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run, every tensor's shape, data type and home, and the place of each home in the `arena_bytes`.

    `constants` are the homes that the graph brings along; graph inputs and `fresh` homes, which are handed out, are no
    part of the arena.
    """

    graph: Graph
    steps: tuple[Step, ...]
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    homes: Mapping[str, Home]
    constants: Mapping[str, Array]
    fresh: frozenset[str]
    offsets: Mapping[str, int]
    arena_bytes: int
    outputs: tuple[str, ...]


def make_plan(
    graph: Graph, weights: Arrays, shapes: Mapping[str, tuple[int, ...]], *, every_tensor: bool = False
) -> Plan:
    """The plan for inputs of these shapes. With `every_tensor` no layers are taken together, and all outputs are kept.

    Raises `UsageError` where a layer is not understood, or an input too small for a window.
    """
    check_understood(graph)
    known = _known_shapes(graph, shapes)
    kept = frozenset(graph.outputs) | (frozenset(n.output for n in graph.nodes) if every_tensor else frozenset())
    dtypes = {name: type.dtype for name, type in graph.types().items()}
    at = homes(graph, known)
    found = tuple(chain for chain in chains(graph, known, kept) if not all_in_place(chain.head, at, known))
    steps = tuple(_step(chain, known, dtypes, at, weights) for chain in found)
    constants = {n.output: np.asarray(weights[n.params[0][1]]) for n in graph.nodes if isinstance(n.op, Constant)}
    fresh = frozenset(name for name in kept if at[name].root == name and name not in constants) - set(shapes)
    lives = _lives(found, at, known, dtypes, kept)
    offsets, total = placed(
        {
            name: life
            for name, life in lives.items()
            if name not in fresh and name not in constants and name not in shapes
        }
    )
    order = [name for name in graph.types() if name in kept]
    return Plan(graph, steps, known, dtypes, at, constants, fresh, offsets, total, tuple(order))


def _known_shapes(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor, in numbers."""
    known = {name: tuple(shape) for name, shape in shapes.items()}
    for node in graph.nodes:
        try:
            shape = node.op.out_shape(*(known[name] for name in node.inputs))
        except Refusal as refusal:
            raise UsageError(refusal.at(node.where)) from refusal
        known[node.output] = tuple(int(n) for n in shape)
    return known


def _lives(
    found: Sequence[Chain],
    at: Mapping[str, Home],
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, str],
    kept: Set[str],
) -> dict[str, Lifetime]:
    """From the first step that writes into a home to the last that reads from it."""
    spans: dict[str, tuple[int, int]] = {}

    def touch(name: str, step: int) -> None:
        root = at[name].root
        first, last = spans.get(root, (step, step))
        spans[root] = (min(first, step), max(last, step))

    for step, chain in enumerate(found):
        for name in (*chain.inputs, chain.output):
            touch(name, step)
    for name in kept:
        if at[name].root in spans:
            touch(name, len(found))
    return {root: Lifetime(math.prod(shapes[root]) * DTYPES[dtypes[root]].bytes, *span) for root, span in spans.items()}


def _step(
    chain: Chain,
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, str],
    at: Mapping[str, Home],
    weights: Arrays,
) -> Step:
    head, y = chain.head, shapes[chain.output]
    names = tuple(node.name for node in (head, *chain.tail))
    if isinstance(head.op, Concat):
        parts = [shapes[name] for name in head.inputs]
        kernel: Kernel = concat_kernel(head.op.axis, parts, y, in_place(head, at, shapes))
    elif not carries(head, shapes, dtypes):
        w = {role: weights[param] for role, param in head.params}
        kernel = defined_kernel(head, y, w, [dtypes[name] for name in head.inputs])
    else:
        dtype = "float64" if head.type.dtype == "float64" else "float32"
        kernel, stages = _computed(chain, shapes, dtype, weights)
        reads = () if isinstance(kernel, Elements) else head.inputs
        return Step(names, kernel, reads, tuple(stages), chain.output, dtype)
    return Step(names, kernel, head.inputs, (), chain.output, None)


def _computed(
    chain: Chain, shapes: Mapping[str, tuple[int, ...]], dtype: str, weights: Arrays
) -> tuple[Kernel, Iterator[Stage]]:
    """The kernel and the stages of a chain. A batch norm right after a convolution is multiplied into its weights."""
    head, tail, before = chain.head, chain.tail, chain.head.output
    if staged(head, shapes):
        return Elements(triple(shapes[chain.output])), _stages((head, *tail), None, shapes, dtype, weights)
    op, w = head.op, _weights(head, weights, dtype)
    if isinstance(op, Conv) and tail and isinstance(tail[0].op, BatchNorm):
        op, w = replace(op, bias=True), _folded(w, tail[0].op, _weights(tail[0], weights, "float64"), dtype)
        before, tail = tail[0].output, tail[1:]
    kernel = kernel_of(op, [shapes[name] for name in head.inputs], w, dtype)
    return kernel, _stages(tail, before, shapes, dtype, weights)


def _weights(node: Node, weights: Arrays, dtype: str) -> dict[str, Array]:
    return {role: np.asarray(weights[param]).astype(dtype, copy=False) for role, param in node.params}


def _folded(w: Mapping[str, Array], norm: BatchNorm, statistics: Mapping[str, Array], dtype: str) -> dict[str, Array]:
    """A convolution's weights with the batch norm after it multiplied in: in float64, and rounded once."""
    factor, shift = affine(norm, statistics)
    bias = shift if "bias" not in w else w["bias"].astype(np.float64) * factor + shift
    weight = w["weight"] * factor.reshape(-1, *[1] * (w["weight"].ndim - 1))
    return {"weight": weight.astype(dtype), "bias": bias.astype(dtype)}


def _stages(
    nodes: Sequence[Node],
    before: str | None,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: str,
    weights: Arrays,
) -> Iterator[Stage]:
    """The stages of nodes one after the other, the first of which reads the block made `before` it, if one is."""
    for node in nodes:
        function, constants = stage(node.op, _weights(node, weights, dtype), np.dtype(dtype))
        values: list[Operand | Array | None] = []
        for name in node.inputs:
            seen = broadcast_triple(shapes[name], shapes[node.output])
            assert seen is not None, "a stage's operands are broadcast as a whole"
            values.append(None if name == before else Operand(name, seen))
        yield Stage(function, (*values, *constants))
        before = node.output
