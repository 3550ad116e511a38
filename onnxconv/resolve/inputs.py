"""The types of a network's inputs, with the sizes that a user gives for them."""

from __future__ import annotations

from collections.abc import Mapping

from onnxconv.errors import Diagnostic, Refusal, Where, closest
from onnxconv.geometry import Size
from onnxconv.graph import DTYPES, TensorType
from onnxconv.ops import Shape, shape_text
from onnxconv.resolve.limits import LARGEST_INTEGER, check_tensor
from onnxconv.spec import Input, Spec

__all__ = ["input_types"]


def input_types(spec: Spec, shapes: Mapping[str, Shape]) -> tuple[dict[str, TensorType], list[Diagnostic]]:
    """The type of every input that is in order, and what is wrong with the others.

    `shapes` replace the written ones; a number given for a symbol stands for that symbol in all inputs.
    """
    names = {given.name for given in spec.inputs}
    wrong = [
        Diagnostic(Where(spec.file), "unknown-input", f"there is no input {name!r}", "", closest(name, names))
        for name in shapes
        if name not in names
    ]
    bound, clashes = _bound(spec, shapes)
    types: dict[str, TensorType] = {}
    for given in spec.inputs:
        shape = tuple(bound.get(n, n) if isinstance(n, str) else n for n in shapes.get(given.name, given.shape))
        try:
            _check(given, shape)
        except Refusal as refusal:
            wrong.append(refusal.at(given.where))
        else:
            types[given.name] = TensorType(given.dtype, shape)
    return types, wrong + clashes


def _bound(spec: Spec, shapes: Mapping[str, Shape]) -> tuple[dict[str, int], list[Diagnostic]]:
    """Numbers given for symbols, and the symbols with two different ones."""
    bound: dict[str, int] = {}
    clashes: list[Diagnostic] = []
    for given in spec.inputs:
        for symbol, size in zip(given.shape, shapes.get(given.name, ()), strict=False):
            if not isinstance(symbol, str) or not isinstance(size, int):
                continue
            if bound.setdefault(symbol, size) != size:
                clashes.append(
                    Diagnostic(
                        given.where,
                        "symbol",
                        f"{symbol} is given both as {bound[symbol]} and as {size}",
                        "a symbol is one size wherever it is written",
                        "give the same number for both, or use two symbols",
                    )
                )
    return bound, clashes


def _check(given: Input, shape: tuple[Size, ...]) -> None:
    """Refuse an input that no graph can have."""
    if given.dtype not in DTYPES:
        raise Refusal(
            "dtype",
            f"input {given.name!r} is of {given.dtype}",
            "tensors hold floating-point numbers",
            f"use one of {', '.join(DTYPES)}",
        )
    for n in shape:
        if isinstance(n, int) and not 1 <= n <= LARGEST_INTEGER:
            raise Refusal(
                "size",
                f"input {given.name!r} has the shape {shape_text(shape)}",
                f"a size is a number from 1 to {LARGEST_INTEGER}, or a symbol such as N",
                f"replace {n}",
            )
    if not shape:
        raise Refusal(
            "rank",
            f"input {given.name!r} has no axes",
            "tensors are [N, C, *spatial]",
            "write its shape, such as float32[N, 3, 224, 224]",
        )
    check_tensor(shape)
