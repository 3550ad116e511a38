"""Convolutions and pools by nested loops over single numbers, and sizes by counting. Plain Python, in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = Sequence[int]


def positions(shape: Ints) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(n) for n in shape))


def inside(at: Ints, shape: Ints) -> bool:
    return all(0 <= i < n for i, n in zip(at, shape, strict=True))


def count_windows(n: int, size: int, stride: int, dilation: int, begin: int, end: int) -> int:
    """Number of places where the whole window lies inside the padded input, found by sliding it."""
    count, start = 0, -begin
    while start + (size - 1) * dilation <= n - 1 + end:
        count, start = count + 1, start + stride
    return count


def conv(
    x: Array, w: Array, b: Array | None, strides: Ints, dilations: Ints, begins: Ints, ends: Ints, groups: int
) -> tuple[Array, int, int]:
    """(y, multiply-adds of one image, those on real pixels)."""
    batch, channels, *sizes = x.shape
    filters, _, *kernel = w.shape
    outs = [count_windows(*a) for a in zip(sizes, kernel, strides, dilations, begins, ends, strict=True)]
    y = np.zeros((batch, filters, *outs))
    macs = valid = 0
    for n, m, o in itertools.product(range(batch), range(filters), positions(outs)):
        group = m // (filters // groups)
        total = 0.0 if b is None else float(b[m])
        for c, k in itertools.product(range(channels // groups), positions(kernel)):
            at = [oo * s - p + kk * d for oo, s, p, kk, d in zip(o, strides, begins, k, dilations, strict=True)]
            macs += 1
            if inside(at, sizes):
                valid += 1
                total += float(w[(m, c, *k)]) * float(x[(n, group * (channels // groups) + c, *at)])
        y[(n, m, *o)] = total
    return y, macs // batch, valid // batch


def conv_transpose(
    x: Array,
    w: Array,
    b: Array | None,
    strides: Ints,
    dilations: Ints,
    begins: Ints,
    ends: Ints,
    output_pads: Ints,
    groups: int,
) -> tuple[Array, int, int]:
    """(y, multiply-adds of one image, those that land on an output that is kept): spread everything, then crop."""
    batch, channels, *sizes = x.shape
    _, per_group, *kernel = w.shape
    spread = [
        (n - 1) * s + (k - 1) * d + 1 + o
        for n, s, k, d, o in zip(sizes, strides, kernel, dilations, output_pads, strict=True)
    ]
    outs = [n - p - q for n, p, q in zip(spread, begins, ends, strict=True)]
    y = np.zeros((batch, per_group * groups, *outs))
    macs = valid = 0
    for n, c, i in itertools.product(range(batch), range(channels), positions(sizes)):
        group = c // (channels // groups)
        for m, k in itertools.product(range(per_group), positions(kernel)):
            at = [ii * s + kk * d - p for ii, s, kk, d, p in zip(i, strides, k, dilations, begins, strict=True)]
            macs += 1
            if inside(at, outs):
                valid += 1
                y[(n, group * per_group + m, *at)] += float(w[(c, m, *k)]) * float(x[(n, c, *i)])
    if b is not None:
        y += b.reshape(-1, *[1] * len(sizes))
    return y, macs // batch, valid // batch


def pool(
    x: Array,
    kernel: Ints,
    strides: Ints,
    dilations: Ints,
    begins: Ints,
    ends: Ints,
    *,
    mode: str,
    count_include_pad: bool = False,
) -> Array:
    """mode "max" or "average"."""
    batch, channels, *sizes = x.shape
    outs = [count_windows(*a) for a in zip(sizes, kernel, strides, dilations, begins, ends, strict=True)]
    y = np.zeros((batch, channels, *outs))
    for n, c, o in itertools.product(range(batch), range(channels), positions(outs)):
        seen = []
        for k in positions(kernel):
            at = [oo * s - p + kk * d for oo, s, p, kk, d in zip(o, strides, begins, k, dilations, strict=True)]
            if inside(at, sizes):
                seen.append(float(x[(n, c, *at)]))
        if mode == "max":
            y[(n, c, *o)] = max(seen)
        else:
            y[(n, c, *o)] = sum(seen) / (math.prod(kernel) if count_include_pad else len(seen))
    return y


def pad(x: Array, begins: Ints, ends: Ints, mode: str, value: float = 0.0) -> Array:
    """Constant, reflect, edge or wrap, pixel by pixel."""
    batch, channels, *sizes = x.shape
    outs = [n + p + q for n, p, q in zip(sizes, begins, ends, strict=True)]
    y = np.full((batch, channels, *outs), value)

    def source(i: int, n: int) -> int | None:
        if 0 <= i < n:
            return i
        if mode == "constant":
            return None
        if mode == "edge":
            return 0 if i < 0 else n - 1
        if mode == "wrap":
            return i % n
        return -i if i < 0 else 2 * (n - 1) - i

    for n, c, o in itertools.product(range(batch), range(channels), positions(outs)):
        at = [source(i - p, size) for i, p, size in zip(o, begins, sizes, strict=True)]
        if all(i is not None for i in at):
            y[(n, c, *o)] = x[(n, c, *at)]
    return y


def same_upper(n: int, size: int, stride: int, dilation: int) -> tuple[int, int]:
    """ONNX's words for auto_pad: output ⌈n ÷ stride⌉, total split evenly, an odd one at the end."""
    total = max(0, (math.ceil(n / stride) - 1) * stride + (size - 1) * dilation + 1 - n)
    return total // 2, total - total // 2


def ceil_windows(n: int, size: int, stride: int, dilation: int, begin: int, end: int) -> int:
    """Places of a pool in ceil mode: windows may run over the padded end, if they start in the input or the begin pad."""
    count, start = 0, -begin
    while start + (size - 1) * dilation <= n - 1 + end:
        count, start = count + 1, start + stride
    overhang = start + (size - 1) * dilation - (n - 1 + end)
    return count + (overhang < stride and start < n)
