"""Arrays for a graph's inputs: checked when given, drawn from a seed when not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from onnxconv.dtypes import DTYPES, rounded
from onnxconv.errors import Diagnostic, UsageError, Where, closest
from onnxconv.geometry import Array, Size, evaluated, inverted, names, solved
from onnxconv.graph import Graph, Initial
from onnxconv.ops import Opaque, Shape, shape_text
from onnxconv.weights.draw import draw

__all__ = ["check_inputs", "seeded_inputs", "shapes_of_inputs"]


def check_understood(graph: Graph) -> None:
    """Raises `UsageError` for a graph that cannot be executed: some of its layers are not understood, or were left out."""
    found = [(node.name, node.op.called, node.op.reason) for node in graph.nodes if isinstance(node.op, Opaque)]
    found += [(node.name, node.op, node.reason) for node in graph.unread]
    if found:
        why = "only networks whose layers are all understood can be executed"
        raise UsageError([_mistake("not-understood", f"layer {n!r} ({op}): {r}", why, "") for n, op, r in found])


def check_inputs(graph: Graph, inputs: Mapping[str, Array]) -> None:
    """Demand an array for every input of the graph, of its data type and shape. Raises `UsageError` with all that is wrong."""
    shapes = {name: tuple(np.shape(array)) for name, array in inputs.items()}
    wrong = list(_shape_mistakes(graph, shapes))
    for name, type in graph.inputs:
        if name not in inputs:
            wrong.append(
                _mistake(
                    "missing-input",
                    f"input {name!r} is missing",
                    f"it is {type.dtype}{shape_text(type.shape)}",
                    "give it an array",
                )
            )
        elif (found := np.asarray(inputs[name]).dtype.name) != type.dtype:
            wrong.append(
                _mistake(
                    "input-dtype",
                    f"input {name!r} is {found}",
                    f"the graph says {type.dtype}",
                    f"convert it: .astype({_spelt(type.dtype)})",
                )
            )
    if wrong:
        raise UsageError(wrong)


def seeded_inputs(graph: Graph, seed: int = 0, shapes: Mapping[str, Shape] = {}) -> dict[str, Array]:
    """Normal numbers of mean 0 and deviation 1 (integers: 16) for all inputs, drawn from `seed` and the input's name.

    A symbolic batch is what `shapes` says, else 1. Raises `UsageError` for any other symbol that `shapes` leaves open.
    """
    wrong = list(_shape_mistakes(graph, shapes))
    if wrong:
        raise UsageError(wrong)
    known = _bindings(graph, shapes)
    for batch in (name for _, type in graph.inputs for n in type.shape[:1] for name in names(n)):
        known.setdefault(batch, 1)
    asked = {name: tuple(evaluated(n, known) for n in type.shape) for name, type in graph.inputs}
    asked |= {name: shape for name, shape in shapes.items() if all(isinstance(n, int) for n in shape)}
    for name, shape in asked.items():
        if open_symbols := [n for n in shape if isinstance(n, str)]:
            example = ",".join(str(n) if isinstance(n, int) else "64" for n in shape)
            wrong.append(
                _mistake(
                    "symbolic-input",
                    f"input {name!r} is {shape_text(shape)}: the size {open_symbols[0]} is not known",
                    "arrays have numbers as sizes; only a symbolic batch is taken to be 1",
                    f"give its shape, such as --input-shape {name}={example}",
                )
            )
    if wrong:
        raise UsageError(wrong)
    return {name: _draw(name, tuple(int(n) for n in asked[name]), type.dtype, seed) for name, type in graph.inputs}


def shapes_of_inputs(graph: Graph, batch: int, size: int) -> dict[str, tuple[int, ...]]:
    """With numbers for all open sizes: `batch` for those of first axes, `size` for the others."""
    known: dict[str, int] = {}
    for _, type in graph.inputs:
        for axis, n in enumerate(type.shape):
            for name in names(n):
                known.setdefault(name, batch if axis == 0 else size)
    return {name: tuple(int(evaluated(n, known)) for n in type.shape) for name, type in graph.inputs}


def _draw(name: str, shape: tuple[int, ...], dtype: str, seed: int) -> Array:
    initial = Initial(f"input {name}", shape, "normal", (0.0, 1.0))
    numbers, of = draw(initial, seed, 0, math.prod(shape)), DTYPES[dtype]
    if of.family != "float":
        numbers = np.clip(np.rint(16 * numbers), of.low, of.high)
    return rounded(numbers, dtype).reshape(shape)


def _spelt(dtype: str) -> str:
    return "ml_dtypes.bfloat16" if dtype == "bfloat16" else repr(dtype)


def _bindings(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Size]:
    """What each open size of the inputs' shapes stands for, as far as `shapes` says."""
    pairs = (pair for name, type in graph.inputs for pair in zip(type.shape, shapes.get(name, ()), strict=False))
    return solved((declared, found) for declared, found in pairs if isinstance(found, int))


def _shape_mistakes(graph: Graph, shapes: Mapping[str, Shape]) -> Iterator[Diagnostic]:
    """Names that are no inputs, and shapes that contradict the graph or one another."""
    declared = dict(graph.inputs)
    known = _bindings(graph, shapes)
    for name, found in shapes.items():
        if name not in declared:
            yield _mistake("unknown-input", f"there is no input {name!r}", "", closest(name, declared))
            continue
        expected = declared[name].shape
        if len(found) != len(expected):
            yield _mistake(
                "input-shape",
                f"input {name!r} has shape {shape_text(found)}, of {len(found)} axes",
                f"the graph says {shape_text(expected)}, of {len(expected)} axes",
                "give one size per axis",
            )
            continue
        for axis, (n, size) in enumerate(zip(expected, found, strict=True)):
            wanted = evaluated(n, known)
            if isinstance(wanted, str) and not inverted(wanted, "size"):  # no one symbol follows from it
                continue
            if size != wanted or (isinstance(size, int) and size < 1 and n != 0):
                meaning = f"{n} is {wanted}" if isinstance(n, str) and n != wanted else f"the graph says {n}"
                yield _mistake(
                    "input-shape",
                    f"input {name!r} has size {size} on axis {axis}, in {shape_text(found)}",
                    meaning if size != wanted else "a size is at least 1",
                    f"use {wanted} on axis {axis}" if size != wanted else "give at least one element",
                )


def _mistake(code: str, what: str, why: str, fix: str) -> Diagnostic:
    return Diagnostic(Where(), code, what, why, fix)
