"""Transposed convolutions phase by phase: the outputs that lie a stride apart are an ordinary convolution of the input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from onnxconv.execute.fast.block import Block, Call, cuts
from onnxconv.execute.fast.conv import ConvKernel, conv_kernel
from onnxconv.geometry import Array, Axis, TransposedAxis
from onnxconv.ops import Conv, ConvTranspose

__all__ = ["TransposedKernel", "transposed_kernel"]

FILTERS = 1 << 20
"""Elements of a block of filters, all positions of each."""


@dataclass(frozen=True, slots=True)
class AxisPhase:
    """Every `stride`-th output from `first` on: the taps that reach them, from the last to the first, over part of the input."""

    first: int
    outs: int
    taps: tuple[int, ...]
    source: slice
    axis: Axis


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase along each axis, as a convolution; None: no tap reaches it. `apart`: what it reads is to be copied first.

    A convolution whose columns are its input takes rows that follow one another in memory.
    """

    axes: tuple[AxisPhase, ...]
    conv: ConvKernel | None
    apart: bool


@dataclass(frozen=True, slots=True)
class Filters(Block):
    """All positions of some filters of one image, `phases` as convolutions of the channels `source`, and their bias [M, 1 …]."""

    source: slice
    phases: tuple[Phase, ...]
    bias: Array


@dataclass(frozen=True, slots=True)
class TransposedKernel:
    """The phases of each block, spread over the output `outs` with the strides."""

    outs: tuple[int, ...]
    strides: tuple[int, ...]
    blocks: tuple[Filters, ...]
    scratch: int

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        assert isinstance(block, Filters), "a transposed convolution is asked for its own blocks"
        x = xs[0][block.images, block.source]
        made = out.reshape(-1, *self.outs)
        for phase in block.phases:
            places = tuple(slice(a.first, None, stride) for a, stride in zip(phase.axes, self.strides, strict=True))
            if phase.conv is None:
                yield partial(np.copyto, made[(slice(None), *places)], block.bias)
                continue
            shape = (len(made), *(a.outs for a in phase.axes))
            size = math.prod(shape)
            dense = scratch[:size].reshape(1, len(made), -1)
            seen, room = x[(slice(None), slice(None), *(a.source for a in phase.axes))], scratch[size:]
            if phase.apart:
                held, room = room[: seen.size].reshape(seen.shape), room[seen.size :]
                yield partial(np.copyto, held, seen)
                seen = held
            for tile in phase.conv.blocks:
                yield from phase.conv.calls(tile, (seen,), tile.of(dense), room)
            yield partial(np.add, dense.reshape(shape), block.bias, out=made[(slice(None), *places)])


def transposed_kernel(op: ConvTranspose, shape: Sequence[int], weight: Array, bias: Array | None) -> TransposedKernel:
    """A transposed convolution of x[N, C, *S]; weight [C, M/g, *K] and bias [M] are of the data type to compute in."""
    outs = tuple(int(axis.out_size(n)) for axis, n in zip(op.window, shape[2:], strict=True))
    along = [tuple(_phases(axis, n)) for axis, n in zip(op.window, shape[2:], strict=True)]
    column = (np.zeros(op.out_channels, weight.dtype) if bias is None else bias).reshape(-1, *[1] * len(outs))
    phases = tuple(itertools.product(*along))
    found = tuple(
        Filters(slice(image, image + 1), mine, slice(0, math.prod(outs)), source, made, column[mine])
        for source, mine, kernel in _filters(op, weight, math.prod(outs))
        for made in [tuple(_phase(axes, kernel, shape[2:]) for axes in phases)]
        for image in range(shape[0])
    )
    scratch = max(_scratch(phase, block) for block in found for phase in block.phases)
    return TransposedKernel(outs, tuple(axis.stride for axis in op.window), found, scratch)


def _filters(op: ConvTranspose, weight: Array, positions: int) -> Iterator[tuple[slice, slice, Array]]:
    """For each block of filters the input's channels, the output's, and the kernel [M, C/g, *K]; at least two for two threads."""
    each, channels = op.out_channels // op.groups, len(weight) // op.groups
    most = max(1, min(-(-each // 2), FILTERS // positions))
    for group in range(op.groups):
        source = slice(group * channels, (group + 1) * channels)
        for filters in cuts(each, most):
            mine = slice(group * each + filters.start, group * each + filters.stop)
            yield source, mine, np.swapaxes(weight[source, filters], 0, 1)


def _scratch(phase: Phase, block: Filters) -> int:
    if phase.conv is None:
        return 0
    channels = block.source.stop - block.source.start
    held = channels * math.prod(a.source.stop - a.source.start for a in phase.axes) if phase.apart else 0
    return phase.conv.scratch + held + len(block.bias) * math.prod(a.outs for a in phase.axes)


def _phases(axis: TransposedAxis, n: int) -> Iterator[AxisPhase]:
    """Output first + j·stride reads input j + (first + begin − k·dilation) ÷ stride by tap k, where that is whole."""
    outs, apart = int(axis.out_size(n)), axis.dilation // math.gcd(axis.stride, axis.dilation)
    for first in range(min(axis.stride, outs)):
        offset = first + axis.pad[0]
        taps = [k for k in reversed(range(axis.size)) if (offset - k * axis.dilation) % axis.stride == 0]
        count = -(-(outs - first) // axis.stride)
        low = (offset - taps[0] * axis.dilation) // axis.stride if taps else 0
        stop = low + count + apart * (len(taps) - 1)
        source = slice(min(max(low, 0), n), max(0, min(stop, n)))
        reached = bool(taps) and source.start < source.stop
        pad = (source.start - low, stop - source.stop) if reached else (0, 0)
        yield AxisPhase(first, count, tuple(taps) if reached else (), source, Axis(max(1, len(taps)), 1, apart, pad))


def _phase(axes: tuple[AxisPhase, ...], kernel: Array, sizes: Sequence[int]) -> Phase:
    conv = _conv(axes, kernel)
    whole = all(a.source == slice(0, n) for a, n in zip(axes[1:], sizes[1:], strict=True))
    return Phase(axes, conv, conv is not None and conv.direct and not whole)


def _conv(axes: Sequence[AxisPhase], kernel: Array) -> ConvKernel | None:
    """The convolution of one phase with kernel [M, C, *K]."""
    if not all(a.taps for a in axes):
        return None
    filters, channels = kernel.shape[:2]
    taps = kernel[np.ix_(range(filters), range(channels), *(a.taps for a in axes))]
    shape = (1, channels, *(a.source.stop - a.source.start for a in axes))
    return conv_kernel(Conv(tuple(a.axis for a in axes), filters, bias=False), shape, taps, None)
