"""Concatenation: the parts that were not made in place are copied."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from onnxconv.execute.fast.block import Block, Call, triple, whole
from onnxconv.geometry import Array

__all__ = ["ConcatKernel", "concat_kernel"]


@dataclass(frozen=True, slots=True)
class ConcatKernel:
    """Seen as [lead, n], each part goes into its columns; None: it is there already."""

    lead: int
    columns: tuple[slice | None, ...]
    blocks: tuple[Block, ...]
    scratch: int = 0

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        made = out.reshape(self.lead, -1)
        for x, columns in zip(xs, self.columns, strict=True):
            if columns is not None:
                yield partial(np.copyto, made[:, columns], x.reshape(self.lead, -1))


def concat_kernel(
    axis: int, shapes: Sequence[tuple[int, ...]], y: Sequence[int], there: Sequence[bool]
) -> ConcatKernel:
    """Parts of these shapes along an axis; `there` says which are in place."""
    at, columns = 0, []
    for shape, placed in zip(shapes, there, strict=True):
        size = math.prod(shape[axis:])
        columns.append(None if placed else slice(at, at + size))
        at += size
    return ConcatKernel(math.prod(y[:axis]), tuple(columns), whole(triple(y)))
