"""Sizes that a finished network leaves open, and the numbers that a user gives for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from onnxconv.errors import Diagnostic, UsageError, Where, closest
from onnxconv.geometry import Size, evaluated, solved
from onnxconv.graph import TensorType
from onnxconv.ops import Shape, shape_text

__all__ = ["opened"]

Inputs = Sequence[tuple[str, TensorType]]


def opened(inputs: Inputs, shapes: Mapping[str, Shape], source: str) -> dict[str, Size]:
    """What each open size of the inputs' shapes becomes, by name. Raises `UsageError` for shapes that contradict them or each other."""
    known = solved(pair for name, type in inputs for pair in zip(type.shape, shapes.get(name, ()), strict=False))
    mistakes = [*_contradictions(dict(inputs), known, shapes, Where(source))]
    if mistakes:
        raise UsageError(mistakes)
    return known


def _contradictions(
    inputs: Mapping[str, TensorType], known: Mapping[str, Size], shapes: Mapping[str, Shape], where: Where
) -> Iterator[Diagnostic]:
    for name, shape in shapes.items():
        if name not in inputs:
            yield Diagnostic(where, "unknown-input", f"there is no input {name!r}", "", closest(name, inputs))
            continue
        declared = inputs[name].shape
        wanted = tuple(evaluated(n, known) for n in declared)
        if shape != wanted:
            yield Diagnostic(
                where,
                "input-shape",
                f"input {name!r} is {shape_text(declared)}, and cannot become {shape_text(shape)}",
                "in a finished network only sizes that are open can be given, and each symbol is one size",
                f"give {name}={','.join(map(str, wanted))}, or change the spec that it was built from",
            )
