"""Shapes that depend on sizes left open, as formulas over the sizes of tensors that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnxconv.errors import Refusal
from onnxconv.geometry import Size, divided, evaluated, inverted, names, product
from onnxconv.load.step import Constant, Reading
from onnxconv.ops import Shape, place, shape_text
from onnxconv.ops.broadcast import aligned

__all__ = ["Sources", "expanded", "reshaped"]


class Sources:
    """The tensors whose sizes formulas are written over: that of an operator's first input, then whichever hold a size.

    `inputs`: that and those that were needed.
    """

    def __init__(self, at: Reading, first: str | Constant, shape: Shape) -> None:
        self.at, self.inputs = at, [first]
        self.own = _told(shape, 0)

    def formula(self, n: Size) -> Size:
        """A size over the names that `onnxconv.ops.sizes` gives to those of the inputs. Raises `Refusal` where none tells it."""
        if isinstance(n, int):
            return n
        found = _over(n, self.own)
        if found is None:
            found = _over(n, self._first((n,)) or self._first(sorted({*self.own, *names(n)})))
        if found is None:
            raise Refusal("symbolic-size", f"no tensor tells the size {n}", "it is computed from sizes", self.at.pin)
        return found

    def owns(self, n: Size) -> bool:
        """It follows from the first input's sizes."""
        return isinstance(n, int) or _over(n, self.own) is not None

    def _first(self, sizes: Iterable[str]) -> dict[str, Size]:
        """What tells these sizes: the first input, or the first tensor that does."""
        found: dict[str, Size] = {}
        for n in sizes:
            name = next((name for name, type in self.at.types.items() if n in _told(type.shape, 0)), None)
            if n in self.own:
                found[n] = self.own[n]
            elif name is not None:
                found[n] = _told(self.at.types[name].shape, self._index(name))[n]
        return found

    def _index(self, name: str) -> int:
        if name not in self.inputs:
            self.inputs.append(name)
        return self.inputs.index(name)


def _told(shape: Shape, index: int) -> dict[str, Size]:
    """The sizes that a shape tells, over the names of those of the input of this index."""
    found: dict[str, Size] = {}
    for axis, n in enumerate(shape):
        if isinstance(n, str):
            found = inverted(n, place(index, axis)) | found
    return found | {n: place(index, axis) for axis, n in reversed(tuple(enumerate(shape))) if isinstance(n, str)}


def _over(n: str, known: Mapping[str, Size]) -> Size | None:
    """A size over what is known; None where that does not tell it."""
    if n in known:
        return known[n]
    found, there = evaluated(n, known), {name for told in known.values() for name in names(told)}
    return found if names(found) <= there else None


def reshaped(at: Reading, asked: Shape) -> tuple[Shape, tuple[str | Constant, ...]]:
    """A shape for the first input in which 0 and -1 say all open sizes but those that take formulas; and the inputs of these.

    Raises `Refusal` where the number of elements is not known to stay the same.
    """
    x = at.type(0).shape
    sources = Sources(at, at.operand(0), x)
    if all(isinstance(n, int) for n in asked):
        return asked, tuple(sources.inputs)
    sizes = [x[axis] if n == 0 and axis < len(x) else n for axis, n in enumerate(asked)]
    if -1 in sizes:
        left = divided(x, (n for n in sizes if n != -1))
        sizes[sizes.index(-1)] = -1 if left is None else left
    target = [0 if isinstance(n, str) and x[axis : axis + 1] == (n,) else n for axis, n in enumerate(sizes)]
    rest = [axis for axis, n in enumerate(target) if isinstance(n, str)]
    follows = len(rest) == 1 and divided(x, (n for axis, n in enumerate(sizes) if axis != rest[0])) == sizes[rest[0]]
    if not follows and product(sizes) != product(x):
        what = f"it reshapes {shape_text(x)} to {shape_text(asked)}"
        why = "that both have as many elements depends on sizes left open"
        raise Refusal("symbolic-size", what, why, f"{at.pin}, or a formula, such as 4*k for a size that 4 divides")
    if rest:
        target[next((axis for axis in rest if not sources.owns(target[axis])), rest[-1])] = -1
    return tuple(map(sources.formula, target)), tuple(sources.inputs)


def expanded(at: Reading, first: str | Constant, x: Shape, asked: Shape) -> tuple[Shape, tuple[str | Constant, ...]]:
    """A shape for a tensor of shape x with 1 where it has that size itself, and the inputs of the formulas in it."""
    sources = Sources(at, first, x)
    mine = aligned(x, len(asked))[-len(asked) :] if asked else ()
    kept = (1 if isinstance(n, str) and n == own else n for n, own in zip(asked, mine, strict=True))
    return tuple(map(sources.formula, kept)), tuple(sources.inputs)
