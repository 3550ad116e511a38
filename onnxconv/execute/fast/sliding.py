"""Convolutions of few channels over wide images: what neighbouring rows of outputs read in common is gathered once.

A line of the input is laid out with a row for each channel and tap along it. The lines below one another that a row of
outputs reads are then a matrix, which overlaps that of the next row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from onnxconv.execute.fast.block import Block, Call, cuts, shared
from onnxconv.execute.fast.window import Reading, reading, slab, windows
from onnxconv.geometry import Array, Axis, Window
from onnxconv.ops import Conv

__all__ = ["SlidingKernel", "sliding_kernel"]

CHANNELS = 32
"""Channels above which gathering is a small part of the work."""

WIDE = 96
"""Outputs of a row from which on it makes a matrix that is multiplied fast."""

GATHERED = 1 << 18
"""Elements of the lines that are gathered at a time: 1 MiB of float32."""


@dataclass(frozen=True, slots=True)
class Rows(Block):
    """Some rows of outputs of one image, and what they read."""

    read: Reading


@dataclass(frozen=True, slots=True)
class SlidingKernel:
    """A convolution with weight [M, kh · (kw · C)]; with a bias kh · (kw · C + 1), by the last of which ones are multiplied."""

    window: Window
    weight: Array
    blocks: tuple[Rows, ...]
    scratch: int

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        assert isinstance(block, Rows), "a convolution is asked for its own blocks"
        (down, along), (rows, wide), lines = self.window, block.read.outs, block.read.slab[0]
        each = self.weight.shape[1] // down.size
        padded, used = yield from slab(xs[0][block.images.start], block.read, 0.0, scratch)
        gathered = scratch[used : used + lines * each * wide]
        laid = gathered.reshape(lines, each, wide)
        seen = windows(padded, (Axis(1), along), (lines, wide))[:, 0].transpose(2, 1, 0, 3)
        terms = len(padded) * along.size
        yield partial(np.copyto, laid[:, :terms].reshape(seen.shape), seen)
        if terms < each:
            yield partial(np.copyto, laid[:, terms:], 1)
        item = gathered.itemsize
        strides = (down.stride * each * wide * item, wide * item, item)
        matrices = np.ndarray((rows, self.weight.shape[1], wide), gathered.dtype, gathered, 0, strides)
        yield partial(np.matmul, self.weight, matrices, out=out.reshape(-1, rows, wide).transpose(1, 0, 2))


def sliding_kernel(op: Conv, shape: Sequence[int], weight: Array, bias: Array | None) -> SlidingKernel | None:
    """A convolution of x[N, C, H, W]; weight [M, C, kh, kw] and bias [M] are of the data type to compute in. None where it does not pay."""
    outs = tuple(int(axis.out_size(n)) for axis, n in zip(op.window, shape[2:], strict=True))
    if len(outs) != 2 or op.groups > 1 or shape[1] > CHANNELS or outs[1] < WIDE:
        return None
    if op.window[0].size == 1 or op.window[0].dilation > 1:
        return None
    terms = shape[1] * op.window[1].size
    kernel = np.zeros((op.out_channels, op.window[0].size, terms + (bias is not None)), weight.dtype)
    kernel[:, :, :terms] = weight.transpose(0, 2, 3, 1).reshape(op.out_channels, -1, terms)
    if bias is not None:
        kernel[:, 0, terms] = bias
    blocks = tuple(_rows(op, shape, outs, kernel.shape[2]))
    scratch = max(
        (0 if block.read.bare else shape[1] * math.prod(block.read.slab))
        + block.read.slab[0] * kernel.shape[2] * outs[1]
        for block in blocks
    )
    return SlidingKernel(op.window, kernel.reshape(op.out_channels, -1), blocks, scratch)


def _rows(op: Conv, shape: Sequence[int], outs: tuple[int, ...], each: int) -> Iterator[Rows]:
    most = shared(outs[0], max(1, GATHERED // (op.window[0].stride * each * outs[1])), op.out_channels * outs[1])
    for image in range(shape[0]):
        for rows in cuts(outs[0], most):
            positions = slice(rows.start * outs[1], rows.stop * outs[1])
            read = reading(op.window, shape[2:], (rows, slice(0, outs[1])))
            yield Rows(slice(image, image + 1), slice(0, op.out_channels), positions, read)
