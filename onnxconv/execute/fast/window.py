"""What a window reads, as columns of a matrix: gathered a tile at a time, never for a whole image."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from onnxconv.execute.fast.block import Call, cuts
from onnxconv.geometry import Array, Window

__all__ = ["Box", "Reading", "box_cuts", "reading", "slab", "start_of", "windows"]

Box: TypeAlias = tuple[slice, ...]
"""Positions of the output, a slice per spatial axis."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A box of outputs: `source`, what it reads of the input, and `inside`, where that lies in `slab`, the input padded.

    `bare`: there is no padding, so that the input itself is the slab.
    """

    box: Box
    source: Box
    inside: Box
    slab: tuple[int, ...]
    outs: tuple[int, ...]
    bare: bool


def reading(window: Window, sizes: Sequence[int], box: Box) -> Reading:
    """What the outputs of a box read of an input of these sizes."""
    source, inside, slab = [], [], []
    for axis, n, outs in zip(window, sizes, box, strict=True):
        read, slid = axis.slab(n, outs.start, outs.stop)
        begin, count = slid.pad[0], read.stop - read.start
        source.append(read)
        inside.append(slice(begin, begin + count))
        slab.append(sum(slid.pad) + count)
    bare = all(place.stop - place.start == n for place, n in zip(inside, slab, strict=True))
    return Reading(box, tuple(source), tuple(inside), tuple(slab), tuple(s.stop - s.start for s in box), bare)


def slab(x: Array, read: Reading, fill: Array | float, scratch: Array) -> Generator[Call, None, tuple[Array, int]]:
    """What a box reads of x[C, *S], padded with `fill`, and the elements of the scratch memory that this takes.

    Yields the calls that put it there.
    """
    seen: Array = x[(slice(None), *read.source)]
    if read.bare:
        return seen, 0
    shape = (len(x), *read.slab)
    padded = scratch[: math.prod(shape)].reshape(shape)
    if padded.shape[2:] == seen.shape[2:]:
        edges = [padded[:, : read.inside[0].start], padded[:, read.inside[0].stop :]]
    else:
        edges = [padded]
    for edge in edges:
        if edge.size:
            yield partial(np.copyto, edge, fill)
    yield partial(np.copyto, padded[(slice(None), *read.inside)], seen)
    return padded, padded.size


def windows(padded: Array, window: Window, outs: Sequence[int]) -> Array:
    """A view [C, *K, *S'] of a slab [C, *S]: for every tap what the outputs read there."""
    channels, *steps = padded.strides
    shape = (len(padded), *(axis.size for axis in window), *outs)
    apart = (step * axis.dilation for step, axis in zip(steps, window, strict=True))
    moves = (step * axis.stride for step, axis in zip(steps, window, strict=True))
    strides = (channels, *apart, *moves)
    if padded.flags.c_contiguous:  # much faster than as_strided
        return np.ndarray(shape, padded.dtype, padded, 0, strides)
    return as_strided(padded, shape, strides, writeable=False)


def box_cuts(outs: Sequence[int], most: int) -> Iterator[Box]:
    """The positions of an output in boxes of about `most` at a time, each of which is one stretch of memory."""
    if not outs:
        yield ()
        return
    inner = math.prod(outs[1:])
    if inner > most and len(outs) > 1:
        for i in range(outs[0]):
            for rest in box_cuts(outs[1:], most):
                yield (slice(i, i + 1), *rest)
    else:
        for rows in cuts(outs[0], max(1, most // inner)):
            yield (rows, *(slice(0, n) for n in outs[1:]))


def start_of(box: Box, outs: Sequence[int]) -> int:
    """The place of a box's first position, all positions counted in order."""
    return int(np.ravel_multi_index(tuple(s.start for s in box), tuple(outs)))
