"""Families of positions that operators read which move values: every n-th, each one several times, blocks, lists."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.geometry.reach import Field

__all__ = ["MOST_PHASES", "blocks", "cycled", "listed", "repeated", "strided"]

MOST_PHASES = 1024
"""Phases of a family, or positions of a block, beyond which it is not followed position by position."""


def strided(first: int, step: int = 1) -> Field:
    """Output o reads first + o·step."""
    return Field(step, ((first, 1),))


def repeated(times: int) -> Field:
    """Output o reads o ÷ times, rounded down."""
    return Field(1, ((0, 1),) * times)


def cycled(size: int, times: int = 1) -> Field:
    """Output o reads (o ÷ times) mod size: each of `size` positions `times` times, over and over."""
    return Field(0, tuple((position, 1) for position in range(size) for _ in range(times)))


def blocks(size: int, stride: int | None = None, *, apart: int = 1) -> Field:
    """Output o reads `size` positions from o·stride on, `apart` from one another; without a stride, block after block."""
    mask = sum(1 << apart * i for i in range(size))
    return Field(size if stride is None else stride, ((0, mask),))


def listed(sets: Sequence[tuple[int, int]]) -> Field | None:
    """Output o reads the o-th (first, mask), continued by the shortest period that all of them show.

    None where that has more than `MOST_PHASES` phases.
    """
    for period in range(1, min(len(sets) - 1, MOST_PHASES) + 1):
        advance = sets[period][0] - sets[0][0]
        if all(_moved(sets[i], advance) == sets[i + period] for i in range(len(sets) - period)):
            return Field(advance, tuple(sets[:period]))
    return Field(0, tuple(sets)) if len(sets) <= MOST_PHASES else None


def _moved(seen: tuple[int, int], by: int) -> tuple[int, int]:
    first, mask = seen
    return (first + by, mask) if mask else seen
