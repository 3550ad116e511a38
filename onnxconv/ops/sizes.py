"""Sizes that follow from those of tensors: formulas over ``x0.2``, the size of axis 2 of input 0, and the like."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

from onnxconv.errors import Refusal
from onnxconv.geometry import Atom, Polynomial, Quotient, evaluated, formula
from onnxconv.ops.protocol import UNSEEN, Const, Footprint, Form, Shape, shape_text

__all__ = ["measured", "place", "unseen", "vector"]


def place(index: int, axis: int) -> str:
    """The name of the size of an input's axis in a formula."""
    return f"x{index}.{axis}"


def measured(shape: Shape, xs: Sequence[Shape]) -> Shape:
    """A shape with numbers, or open sizes, for its formulas. Raises `Refusal` for one that is less than 1."""
    known = {place(index, axis): n for index, x in enumerate(xs) for axis, n in enumerate(x)}
    found = tuple(evaluated(n, known) for n in shape)
    for n, size in zip(shape, found, strict=True):
        if isinstance(n, str) and isinstance(size, int) and size < 1:
            what = f"the size {n} is {size} for inputs of shape {' and '.join(map(shape_text, xs))}"
            raise Refusal("empty-output", what, "a size is at least 1", "make the input larger")
    return found


def unseen(xs: Sequence[Shape]) -> tuple[Footprint, ...]:
    """The footprints of inputs of which only the shapes matter."""
    return tuple((UNSEEN,) * len(x) for x in xs)


def vector(shape: Shape, xs: Sequence[Shape]) -> tuple[list[Form], str | Const]:
    """The ONNX nodes that compute a shape where sizes are open, and the operand that holds it."""
    sizes = measured(shape, xs)
    if all(isinstance(n, int) for n in sizes):
        return [], Const(tuple(int(n) for n in sizes), "int64")
    nodes = _Nodes(xs)
    parts = tuple(Const((n,), "int64") if isinstance(n, int) else nodes.sum(formula(n)) for n in shape)
    whole = parts[0] if len(parts) == 1 else nodes.node("Concat", parts, len(parts), axis=0)
    return nodes.forms, whole


class _Nodes:
    """Nodes on vectors of one integer, each written once."""

    def __init__(self, xs: Sequence[Shape]) -> None:
        self.forms: list[Form] = []
        self.ranks = {f"x{index}": len(x) for index, x in enumerate(xs)}
        self.made: dict[tuple[object, ...], str] = {}

    def sum(self, p: Polynomial) -> str | Const:
        parts = [self._product(monomial, factor) for monomial, factor in p.terms]
        return reduce(partial(self._joined, "Add"), parts)

    def _product(self, monomial: Sequence[Atom], factor: int) -> str | Const:
        factors: list[str | Const] = [self._atom(atom) for atom in monomial]
        if factor != 1 or not factors:
            factors.append(Const((factor,), "int64"))
        return reduce(partial(self._joined, "Mul"), factors)

    def _atom(self, atom: Atom) -> str:
        """A quotient is of numbers that are not negative: ONNX's Div, which rounds towards 0, rounds it down."""
        if isinstance(atom, Quotient):
            return self._joined("Div", self.sum(atom.above), Const((atom.below,), "int64"))
        x, axis = atom.split(".")
        shape = self.node("Shape", (x,), count=self.ranks[x])
        return self.node("Gather", (shape, Const((int(axis),), "int64")), axis=0)

    def _joined(self, op_type: str, a: str | Const, b: str | Const) -> str:
        return self.node(op_type, (a, b))

    def node(self, op_type: str, operands: tuple[str | Const, ...], count: int = 1, **attributes: int) -> str:
        key = (op_type, *operands)
        if key not in self.made:
            self.made[key] = name = f"t:size{len(self.made)}"
            self.forms.append(Form(op_type, operands, attributes, name, (count,), dtype="int64"))
        return self.made[key]
