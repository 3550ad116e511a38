"""How many layers a spec has once repeats and blocks are written out, found by arithmetic."""

from __future__ import annotations

from collections.abc import Mapping

from onnxconv.spec.arguments import arguments, repetitions
from onnxconv.spec.form import Scope
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.written import Block, Step, Steps

__all__ = ["MOST_LAYERS", "count_layers"]

MOST_LAYERS = 200_000
"""Layers, repetitions and uses of blocks in one spec, all counted."""


def count_layers(steps: Steps, scope: Scope, blocks: Mapping[str, Block]) -> int:
    """Layers, repetitions and uses of blocks; a number above `MOST_LAYERS` need not be exact."""
    return _Counter(blocks).steps(steps, scope)


class _Counter:
    """Counts each list of layers once per values of the parameters that it mentions."""

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        self._blocks, self._ignored = blocks, Mistakes()
        self._seen: dict[object, int] = {}

    def steps(self, steps: Steps, scope: Scope) -> int:
        key = (id(steps), tuple((name, scope.get(name)) for name in sorted(steps.free)))
        if key not in self._seen:
            total = 0
            for step in steps.steps:
                total += self._step(step, scope)
                if total > MOST_LAYERS:
                    break
            self._seen[key] = total
        return self._seen[key]

    def _step(self, step: Step, scope: Scope) -> int:
        if step.repeat is None:
            return self._once(step, scope)
        times = repetitions(step.repeat, scope, self._ignored)
        if times is None or len(times) > MOST_LAYERS:
            return 0 if times is None else len(times)
        if step.repeat.variable is None or step.repeat.variable not in step.free:
            return len(times) * self._once(step, scope) if times else 0
        total = 0
        for value in times:
            total += self._once(step, {**scope, step.repeat.variable: value})
            if total > MOST_LAYERS:
                break
        return total

    def _once(self, step: Step, scope: Scope) -> int:
        if step.block is not None:
            block = self._blocks[step.block]
            inner = arguments(block, step, scope, self._ignored)
            return 1 if inner is None else 1 + self.steps(block.body, inner)
        if step.body is not None:
            return 1 + self.steps(step.body, scope)
        return 1 + sum(self.steps(branch, scope) for branch in step.branches or () if isinstance(branch, Steps))
