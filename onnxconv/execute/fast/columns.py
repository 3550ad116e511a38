"""What windows read, as the columns of a matrix: a row for each channel and tap, a column for each output of a box."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from onnxconv.execute.fast.block import Call
from onnxconv.execute.fast.window import Box, Reading, reading, slab, windows
from onnxconv.geometry import Array, Axis, Window

__all__ = ["Columns", "columns_of"]

SHORT = 64
"""Pixels of a row up to which rows are not copied one by one."""

WHOLE = Axis(1)
"""An axis that is read as it is."""

Part = tuple[int | slice, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """What a window reads for a box of outputs.

    `edges`, unless None: rows of pixels are short, and there are as many outputs as inputs along all axes but the first, so
    that a row of the matrix is a stretch of the input, seen as one row of numbers, with `before` and `after` what lies
    beyond it. What a tap reads there of the next row of pixels instead of the padding are these parts [*K, *S'] of the
    matrix: zeros belong there.
    """

    window: Window
    read: Reading
    edges: tuple[Part, ...] | None
    before: int
    after: int

    @property
    def taps(self) -> int:
        """Rows of the matrix for each channel."""
        return math.prod(axis.size for axis in self.window)

    @property
    def positions(self) -> int:
        """Columns of the matrix."""
        return math.prod(self.read.outs)

    def scratch(self, channels: int) -> int:
        """Elements of scratch memory that gathering so many channels takes."""
        return 0 if self.read.bare else self.before + channels * math.prod(self.read.slab) + self.after

    def gather(self, x: Array, out: Array, scratch: Array, zero: Array | float = 0.0) -> Iterator[Call]:
        """What makes out[groups, C/groups · taps, positions] from x[C, *S] less `zero`, which is 0 unless `read` is copied."""
        groups, taps, outs = len(out), tuple(axis.size for axis in self.window), self.read.outs
        padded, _ = yield from slab(x, self.read, zero, scratch[self.before :])
        if zero:
            yield partial(np.subtract, padded, zero, out=padded)
        if self.edges is None or self.read.bare:
            view = windows(padded, self.window, outs)
        else:
            view = self._stretches(padded, scratch)
        yield partial(np.copyto, out.reshape(groups, -1, *view.shape[1:]), view.reshape(groups, -1, *view.shape[1:]))
        cells = out.reshape(groups, -1, *taps, *outs)
        for part in self.edges or ():
            yield partial(np.copyto, cells[(..., *part)], 0)

    def _stretches(self, padded: Array, scratch: Array) -> Array:
        """A view [C, *K, positions] of a slab [C, *S] in the scratch memory, with what is before it and after it."""
        channels, *steps = padded.strides
        shape = (len(padded), *(axis.size for axis in self.window), math.prod(self.read.outs))
        apart = (step * axis.dilation for step, axis in zip(steps, self.window, strict=True))
        strides = (channels, *apart, padded.itemsize)
        return np.ndarray(shape, scratch.dtype, scratch, 0, strides)


def columns_of(window: Window, sizes: Sequence[int], box: Box, *, copied: bool = False) -> Columns:
    """How the columns of a box of outputs are gathered from an input of these sizes, `copied`: even if there is no padding."""
    whole = all(axis.stride == 1 for axis in window) and all(
        out == slice(0, n) == slice(0, int(axis.out_size(n)))
        for axis, n, out in zip(window[1:], sizes[1:], box[1:], strict=True)
    )
    if not whole or len(window) == 1 or sizes[-1] > SHORT:
        read = reading(window, sizes, box)
        return Columns(window, replace(read, bare=read.bare and not copied), None, 0, 0)
    read = reading((window[0], *(WHOLE for _ in window[1:])), sizes, box)
    steps = [math.prod(sizes[place + 1 :]) for place in range(1, len(window))]
    before = sum(step * axis.pad[0] for step, axis in zip(steps, window[1:], strict=True))
    after = sum(step * axis.pad[1] for step, axis in zip(steps, window[1:], strict=True))
    bare = read.bare and not copied and not before + after
    return Columns(window, replace(read, bare=bare), tuple(_edges(window, sizes)), before, after)


def _edges(window: Window, sizes: Sequence[int]) -> Iterator[Part]:
    """For every tap the outputs that it would read beyond an end of an inner axis."""
    for place, (axis, n) in enumerate(zip(window, sizes, strict=True)):
        for tap in range(axis.size if place else 0):
            shift = axis.position(0, tap)
            if shift:
                part: list[int | slice] = [slice(None)] * (2 * len(window))
                part[place] = tap
                part[len(window) + place] = slice(0, -shift) if shift < 0 else slice(max(0, n - shift), n)
                yield tuple(part)
