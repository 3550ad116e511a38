"""The types of a network's inputs, with the sizes that a user gives for them."""

from __future__ import annotations

from collections.abc import Mapping

from onnxconv.dtypes import DTYPES
from onnxconv.errors import Diagnostic, Refusal, Where, closest
from onnxconv.geometry import Size
from onnxconv.graph import TensorType
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
    bound: dict[str, int] = {}
    types: dict[str, TensorType] = {}
    for given in spec.inputs:
        for symbol, size in zip(given.shape, shapes.get(given.name, ()), strict=False):
            if isinstance(symbol, str) and isinstance(size, int):
                bound.setdefault(symbol, size)
    for given in spec.inputs:
        try:
            types[given.name] = TensorType(given.dtype, _shape(given, shapes.get(given.name), bound))
        except Refusal as refusal:
            wrong.append(refusal.at(given.where))
    return types, wrong


def _shape(given: Input, asked: Shape | None, bound: Mapping[str, int]) -> Shape:
    """The shape of an input with all that is known put in. Raises `Refusal`."""
    for symbol, size in zip(given.shape, asked or (), strict=False):
        if isinstance(symbol, str) and isinstance(size, int) and bound[symbol] != size:
            raise Refusal(
                "symbol",
                f"{symbol} is given both as {bound[symbol]} and as {size}",
                "a symbol is one size wherever it is written",
                "give the same number for both, or use two symbols",
            )
    wanted = given.shape if asked is None else asked
    shape = tuple(bound.get(n, n) if isinstance(n, str) else n for n in wanted)
    _check(given, shape)
    return shape


def _check(given: Input, shape: tuple[Size, ...]) -> None:
    """Refuse an input that no graph can have."""
    if given.dtype not in DTYPES:
        raise Refusal(
            "dtype",
            f"input {given.name!r} is of {given.dtype}",
            f"data types are {', '.join(DTYPES)}",
            closest(given.dtype, DTYPES),
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
