"""Shapes with sizes that the network's inputs leave open."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.errors import Refusal, closest
from onnxconv.geometry import evaluated, names
from onnxconv.ops import Shape, place

__all__ = ["over_inputs"]


def over_inputs(shape: Shape, first: str, inputs: Sequence[tuple[str, Shape]]) -> tuple[Shape, tuple[str, ...]]:
    """The shape with formulas over the sizes of tensors in place of the symbols of the `inputs`; and these tensors.

    The first of them is `first`; the others are those inputs that have a symbol first. Raises `Refusal` for a symbol of none.
    """
    read, known = [first], dict[str, str]()
    for symbol in sorted({name for n in shape for name in names(n)}):
        has = [name for name, declared in inputs if symbol in declared]
        if not has:
            symbols = sorted({name for _, declared in inputs for n in declared for name in names(n)})
            fix = closest(symbol, symbols) if symbols else "write a number, or declare a parameter"
            raise Refusal("symbol", f"no input has the size {symbol!r}", "open sizes are those of inputs", fix, "shape")
        name = first if first in has else has[0]
        if name not in read:
            read.append(name)
        known[symbol] = place(read.index(name), dict(inputs)[name].index(symbol))
    return tuple(evaluated(n, known) for n in shape), tuple(read)
