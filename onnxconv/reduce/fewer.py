"""Fewer numbers: a problem on which a runtime still disagrees, with as many zeros and ones as can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from onnxconv.reduce.problem import Disagreement, Problem
from onnxconv.verify.words import Array

__all__ = ["fewer"]

TRIES = 600
"""Problems asked of the runtime."""


@dataclass
class _Asked:
    """The problem that a runtime disagrees on so far, and how often it may still be asked."""

    ask: Callable[[Problem], Disagreement | None]
    kept: Disagreement
    left: int = TRIES

    def take(self, arrays: dict[str, Array], inputs: dict[str, Array]) -> bool:
        """Keep these numbers if the runtime disagrees on them too."""
        if self.left <= 0:
            return False
        self.left -= 1
        found = self.ask(self.kept.problem.changed(arrays, inputs))
        if found is not None:
            self.kept = found
        return found is not None


def fewer(found: Disagreement, ask: Callable[[Problem], Disagreement | None]) -> Disagreement:
    """Zeros for numbers, by halves, then by single ones; then ones for what is left. Deterministic."""
    asked = _Asked(ask, found)
    for make in (np.zeros_like, np.sign):
        for part, name in _parts(asked.kept.problem):
            _replaced(asked, part, name, make)
    return asked.kept


def _parts(problem: Problem) -> Iterator[tuple[str, str]]:
    yield from (("weights", name) for name in problem.arrays)
    yield from (("inputs", name) for name in problem.inputs)


def _replaced(asked: _Asked, part: str, name: str, make: Callable[[Array], Array]) -> None:
    """Replace chunks of an array, halves first, then what they leave."""
    places = np.flatnonzero(_flat(asked, part, name) != make(_flat(asked, part, name)))
    size = len(places)
    while size:
        for start in range(0, len(places), size):
            chunk = places[start : start + size]
            flat = _flat(asked, part, name).copy()
            if (flat[chunk] == make(flat[chunk])).all():
                continue
            flat[chunk] = make(flat[chunk])
            _take(asked, part, name, flat)
        size //= 2


def _flat(asked: _Asked, part: str, name: str) -> Array:
    problem = asked.kept.problem
    return (problem.arrays if part == "weights" else problem.inputs)[name].reshape(-1)


def _take(asked: _Asked, part: str, name: str, flat: Array) -> bool:
    arrays, inputs = dict(asked.kept.problem.arrays), dict(asked.kept.problem.inputs)
    mine = arrays if part == "weights" else inputs
    mine[name] = flat.reshape(mine[name].shape)
    return asked.take(arrays, inputs)
