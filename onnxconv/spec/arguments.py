"""Values that a use of a block or a repeat gives to names."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.spec.form import Scope, whole_number, work_out
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.value import Value
from onnxconv.spec.written import Block, Repeat, Step

__all__ = ["arguments", "repetitions"]


class _Counting(Sequence[Value]):
    """The values 0, 1, … made as they are asked for, so that a huge repeat costs nothing."""

    def __init__(self, count: int, like: Value) -> None:
        self._count, self._where = count, like.where

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: object) -> Value:  # type: ignore[override]
        assert isinstance(index, int), "repetitions are taken one by one"
        if not 0 <= index < self._count:
            raise IndexError(index)
        return Value(index, self._where)


def repetitions(repeat: Repeat, scope: Scope, mistakes: Mistakes) -> Sequence[Value] | None:
    """The value of the loop variable in each repetition; None where they cannot be worked out."""
    value = work_out(repeat.values, scope, mistakes)
    if value is None:
        return None
    items = value.items()
    if items is not None and repeat.variable is not None:
        return items
    count = whole_number(value, "repeat", mistakes, most=2**62)
    return None if count is None else _Counting(count, value)


def arguments(block: Block, step: Step, scope: Scope, mistakes: Mistakes) -> Scope | None:
    """What the block's layers see: the file's parameters and the block's own, given or by default."""
    given = {entry.key: work_out(entry.value, scope, mistakes) for entry in step.entries}
    inner: dict[str, Value] = dict(block.outside)
    for name, default in block.parameters:
        value = given.get(name)
        if name not in given and default is not None:
            value = work_out(default, inner, mistakes)
        if value is None:
            return None
        inner[name] = value
    return inner
