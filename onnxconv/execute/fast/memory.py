"""Where tensors lie in one stretch of memory, so that those alive at the same time never overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["ALIGNMENT", "Lifetime", "placed"]

ALIGNMENT = 64
"""Bytes: a cache line."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A tensor's bytes, and the steps from the one that makes it to the last that reads it, both included."""

    bytes: int
    first: int
    last: int

    def meets(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last


def placed(tensors: Mapping[K, Lifetime]) -> tuple[dict[K, int], int]:
    """Offsets by name, and the bytes in all.

    The largest tensor first, each at the lowest place that is free throughout its life (Pisarchyk and Lee, Efficient
    Memory Management for Deep Neural Net Inference, arXiv 2001.03288, greedy by size).
    """
    offsets: dict[K, int] = {}
    done: list[tuple[int, int, Lifetime]] = []
    for name, life in sorted(tensors.items(), key=lambda item: (-item[1].bytes, item[1].first, str(item[0]))):
        size = -(-life.bytes // ALIGNMENT) * ALIGNMENT
        at = _gap([(start, stop) for start, stop, other in done if life.meets(other)], size)
        offsets[name] = at
        done.append((at, at + size, life))
    return offsets, max((stop for _, stop, _ in done), default=0)


def _gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The lowest place where so many bytes are free."""
    at = 0
    for start, stop in sorted(taken):
        if start - at >= size:
            break
        at = max(at, stop)
    return at
