"""Everything about a run that is known before there are numbers: kernels, their order, and where each tensor lies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.errors import Refusal, UsageError
from onnxconv.execute.definition import Arrays
from onnxconv.execute.fast.bands import banded, together
from onnxconv.execute.fast.chains import chains
from onnxconv.execute.fast.conv import ColumnsKernel
from onnxconv.execute.fast.homes import Home, all_in_place, homes
from onnxconv.execute.fast.memory import Lifetime, placed
from onnxconv.execute.fast.order import cheapest_order
from onnxconv.execute.fast.steps import Step, make_steps
from onnxconv.execute.inputs import check_understood
from onnxconv.geometry import Array
from onnxconv.graph import Graph
from onnxconv.ops import Constant

__all__ = ["Plan", "make_plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run, every tensor's shape, data type and home, and the place of each home in the `arena_bytes`.

    `scratch`: for each step the place there of what one thread needs beside; it lies where tensors lie at other times.
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
    scratch: tuple[int, ...]
    arena_bytes: int
    outputs: tuple[str, ...]


def make_plan(
    graph: Graph, weights: Arrays, shapes: Mapping[str, tuple[int, ...]], *, every_tensor: bool = False
) -> Plan:
    """The plan for inputs of these shapes. With `every_tensor` no layers are taken together, and all outputs are kept.

    Raises `UsageError` where a layer is not understood, or an input too small for a window.
    """
    check_understood(graph)
    kept = frozenset(graph.outputs) | (frozenset(n.output for n in graph.nodes) if every_tensor else frozenset())
    graph = cheapest_order(graph, _known_shapes(graph, shapes), kept)
    known = _known_shapes(graph, shapes)
    dtypes = {name: type.dtype for name, type in graph.types().items()}
    at = homes(graph, known)
    constants = {n.output: np.asarray(weights[n.params[0][1]]) for n in graph.nodes if isinstance(n.op, Constant)}
    made = (chain for chain in chains(graph, known, kept) if 0 not in known[chain.output])
    left = (chain for chain in made if not all_in_place(chain.head, at, known))
    found = tuple(together(tuple(left), known, dtypes, kept))
    steps = tuple(
        step
        for run in found
        for step in (
            make_steps(run[0], known, dtypes, at, weights, constants)
            if len(run) == 1
            else (banded(run, known, dtypes, weights),)
        )
    )
    for step in steps:
        if isinstance(step.kernel, ColumnsKernel):
            known[step.output], dtypes[step.output] = step.kernel.shape, step.dtype or "float32"
            at[step.output] = Home(step.output)
    fresh = frozenset(name for name in kept if at[name].root == name and name not in constants) - set(shapes)
    lives = _lives(steps, at, known, dtypes, kept)
    tensors: dict[str | int, Lifetime] = {
        name: life for name, life in lives.items() if name not in fresh and name not in constants and name not in shapes
    }
    for number, step in enumerate(steps):
        tensors[number] = Lifetime(step.scratch_bytes(dtypes), number, number)
    offsets, total = placed(tensors)
    where = {name: offset for name, offset in offsets.items() if isinstance(name, str)}
    scratch = tuple(offsets[number] for number in range(len(steps)))
    order = [name for name in graph.types() if name in kept]
    return Plan(graph, steps, known, dtypes, at, constants, fresh, where, scratch, total, tuple(order))


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
    steps: Sequence[Step],
    at: Mapping[str, Home],
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, str],
    kept: Set[str],
) -> dict[str, Lifetime]:
    """From the first step that writes into a home to the last that reads from it. What passes within a run has none."""
    spans: dict[str, tuple[int, int]] = {}

    def touch(name: str, step: int) -> None:
        root = at[name].root
        first, last = spans.get(root, (step, step))
        spans[root] = (min(first, step), max(last, step))

    for number, step in enumerate(steps):
        for name in (*step.operands, step.output):
            touch(name, number)
    for name in kept:
        if at[name].root in spans:
            touch(name, len(steps))
    return {root: Lifetime(math.prod(shapes[root]) * DTYPES[dtypes[root]].bytes, *span) for root, span in spans.items()}
