"""What a kernel is, and the blocks that it computes one at a time.

Kernels see every tensor as [N, C, S], its spatial axes taken together. A block is as large as fits into a processor's own
cache, so that what follows a layer elementwise is done while the block is still there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias

from onnxconv.geometry import Array

__all__ = [
    "BLOCK",
    "SHARED",
    "Block",
    "Call",
    "Kernel",
    "Triple",
    "blocks_of",
    "broadcast_triple",
    "cuts",
    "shared",
    "triple",
    "whole",
]

BLOCK = 1 << 16
"""Elements of a block that is computed elementwise: 256 KiB of float32."""

SHARED = 1 << 17
"""Elements that two compute sooner than one, though each block costs some microseconds beside."""

FEW = 16
"""Blocks above which it does not matter if one is left over."""

_ALL = slice(None)

Triple: TypeAlias = tuple[int, int, int]
"""The shape of a tensor seen as [N, C, S]."""

Call: TypeAlias = Callable[[], object]
"""Part of a computation, with the arrays that it reads and writes: it can be done again when other numbers are there."""


@dataclass(frozen=True, slots=True)
class Block:
    """Part of an output [N, C, S]."""

    images: slice
    channels: slice
    positions: slice

    def of(self, x: Array) -> Array:
        """Its part of a tensor [N, C, S]; an axis of size 1, which is broadcast, stays whole."""
        n, c, s = x.shape
        images = _ALL if n == 1 else self.images
        channels = _ALL if c == 1 else self.channels
        return x[images, channels, _ALL if s == 1 else self.positions]

    @property
    def counts(self) -> Triple:
        """How many images, channels and positions it has."""
        images, channels, positions = (part.stop - part.start for part in (self.images, self.channels, self.positions))
        return images, channels, positions

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.counts)

    def in_one_piece(self, shape: Triple) -> bool:
        """Whether it is one stretch of the memory of an output of that shape."""
        images, channels, positions = self.counts
        return (positions == shape[2] or images == channels == 1) and (channels == shape[1] or images == 1)


class Kernel(Protocol):
    """One operator made ready for one shape and one data type; its blocks do not depend on the number of threads."""

    @property
    def blocks(self) -> Sequence[Block]:
        """Blocks that together are the whole output, none of them twice."""

    @property
    def scratch(self) -> int:
        """Elements of scratch memory that a thread needs."""

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        """What computes one of the blocks, out[N, C, S], from the inputs, each in its own shape, one call after the other.

        What is done outside of a call is done once, for all runs: it looks at memory, and reads no number there.
        """


def triple(shape: Sequence[int]) -> Triple:
    """A shape as [N, C, S]; what has one axis is all positions."""
    if len(shape) < 2:
        return (1, 1, math.prod(shape))
    return (shape[0], shape[1], math.prod(shape[2:]))


def broadcast_triple(x: Sequence[int], y: Sequence[int]) -> Triple | None:
    """x as [N, C, S], each size that of y or 1 where x is broadcast to y; None where a spatial axis alone is."""
    if len(y) < 2:
        return (1, 1, math.prod(x))
    wide = (1,) * (len(y) - len(x)) + tuple(x)
    if wide[2:] != tuple(y[2:]) and math.prod(wide[2:]) != 1:
        return None
    return triple(wide)


def cuts(n: int, most: int) -> Iterator[slice]:
    """0 … n in slices of nearly equal length, at most `most` but at least 1; of few an even number, for two to share."""
    parts = -(-n // max(1, most))
    if 1 < parts < min(FEW, n):
        parts += parts % 2
    bounds = [n * i // parts for i in range(parts + 1)]
    return (slice(a, b) for a, b in pairwise(bounds))


def shared(n: int, most: int, each: float = 1) -> int:
    """At most half of n at a time instead of `most`, where these cost what `each` times as many elements do, for two to share."""
    return min(most, -(-n // 2)) if n * each >= SHARED else most


def blocks_of(shape: Triple, elements: int = BLOCK) -> tuple[Block, ...]:
    """A tensor cut into blocks of at most so many elements: positions last, images first."""
    n, c, s = shape
    return tuple(
        Block(slice(image, image + 1), channels, positions)
        for image in range(n)
        for channels in cuts(c, max(1, elements // max(1, s)))
        for positions in cuts(s, elements)
    )


def whole(shape: Triple) -> tuple[Block, ...]:
    """A tensor as one block."""
    n, c, s = shape
    return (Block(slice(0, n), slice(0, c), slice(0, s)),)
