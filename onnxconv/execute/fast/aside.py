"""Blocks made where they belong, or aside: in memory of their own, from where they are copied when they are done.

NumPy computes elementwise on rows that lie apart at a third of the speed that it has on one piece of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from onnxconv.dtypes import rounded
from onnxconv.execute.fast.block import Block, Call, Kernel, Triple
from onnxconv.execute.fast.memory import ALIGNMENT
from onnxconv.geometry import Array

__all__ = ["Applied", "calls_of", "largest", "needed"]

Applied: TypeAlias = Callable[[Block, Array], Call]
"""A stage with its operands at hand: what it calls for a block, given the output there."""

LONG = 2048
"""Elements of a row from which on it does not matter that the next one lies elsewhere."""


def needed(kernel: Kernel, stages: Sequence[object], y: Triple) -> int:
    """Elements of scratch memory for blocks of y[N, C, S] on which stages are to be fast; 0: they are where they belong."""
    if not stages:
        return 0
    short = (block for block in kernel.blocks if block.counts[2] <= LONG)
    return 0 if all(block.in_one_piece(y) for block in short) else largest(kernel)


def largest(kernel: Kernel) -> int:
    """Elements of the largest block, in whole cache lines."""
    return -(-max(block.size for block in kernel.blocks) // ALIGNMENT) * ALIGNMENT


def calls_of(
    kernel: Kernel, stages: Sequence[Applied], block: Block, xs: Sequence[Array], y: Array, scratch: Array, aside: int
) -> Iterator[Call]:
    """What makes a block of y[N, C, S], aside in so many elements of the scratch memory unless that is 0.

    What is stored in a narrower type than that of the scratch memory is rounded once, at the end.
    """
    place = block.of(y)
    made = scratch[: place.size].reshape(place.shape) if aside else place
    yield from kernel.calls(block, xs, made, scratch[aside:])
    for stage in stages:
        yield stage(block, made)
    if aside:
        yield partial(_stored, made, place)


def _stored(made: Array, place: Array) -> None:
    np.copyto(place, rounded(made, place.dtype.name))
