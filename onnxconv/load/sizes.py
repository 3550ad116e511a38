"""Shapes that depend on sizes left open, as formulas over the sizes of tensors that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnxconv.errors import Refusal
from onnxconv.geometry import Size, divided, evaluated, names, product
from onnxconv.load.step import Reading
from onnxconv.ops import Shape, place, shape_text
from onnxconv.ops.broadcast import aligned

__all__ = ["Sources", "expanded", "reshaped"]


class Sources:
    """The tensors whose sizes formulas are written over: that of a node's first input, then whichever hold a size.

    `inputs`: the names of those that were needed, the first input first.
    """

    def __init__(self, at: Reading) -> None:
        self.at, self.inputs = at, [at.operand(0)]
        self.own = {n: place(0, axis) for axis, n in reversed(tuple(enumerate(at.type(0).shape))) if isinstance(n, str)}

    def formula(self, n: Size) -> Size:
        """A size over the names that `onnxconv.ops.sizes` gives to those of the inputs. Raises `Refusal` where none tells it."""
        if isinstance(n, int):
            return n
        if (found := self._over(n, self.own)) is None:
            found = self._over(n, self._placed(n))
        if found is None:
            raise Refusal(
                "symbolic-size", f"no tensor has the size {n}", "it cannot be computed from others", self.at.pin
            )
        return found

    def owns(self, n: Size) -> bool:
        """It follows from the first input's sizes."""
        return isinstance(n, int) or self._over(n, self.own) is not None

    def _over(self, n: str, known: Mapping[str, str]) -> Size | None:
        found = evaluated(n, known)
        return found if names(found).issubset(known.values()) else None

    def _placed(self, n: str) -> dict[str, str]:
        """The first tensor that has this size, else those that have the sizes it is made of."""
        first = self._first((n,))
        return first or self._first((*self.own, *sorted(names(n))))

    def _first(self, sizes: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for n in sizes:
            for name, type in self.at.types.items():
                if n in type.shape:
                    found[n] = self.own.get(n) or place(self._index(name), type.shape.index(n))
                    break
        return found

    def _index(self, name: str) -> int:
        if name not in self.inputs:
            self.inputs.append(name)
        return self.inputs.index(name)


def reshaped(at: Reading, asked: Shape) -> tuple[Shape, tuple[str, ...]]:
    """A shape for the first input in which 0 and -1 say all open sizes but those that take formulas; and the inputs of these.

    Raises `Refusal` where the number of elements is not known to stay the same.
    """
    x, sources = at.type(0).shape, Sources(at)
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
        raise Refusal("symbolic-size", what, "that both have as many elements depends on sizes left open", at.pin)
    if rest:
        target[next((axis for axis in rest if not sources.owns(target[axis])), rest[-1])] = -1
    return tuple(map(sources.formula, target)), tuple(sources.inputs)


def expanded(at: Reading, asked: Shape) -> tuple[Shape, tuple[str, ...]]:
    """A shape for the first input with 1 where it has that size itself, and the inputs of the formulas in it."""
    sources = Sources(at)
    mine = aligned(at.type(0).shape, len(asked))[-len(asked) :] if asked else ()
    kept = (1 if isinstance(n, str) and n == own else n for n, own in zip(asked, mine, strict=True))
    return tuple(map(sources.formula, kept)), tuple(sources.inputs)
