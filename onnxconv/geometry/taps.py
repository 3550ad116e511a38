"""Windows over arrays, as strided views: nothing is copied but the padding."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from onnxconv.deferred import np
from onnxconv.geometry.axis import TransposedWindow, Window

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"


def taps(x: Array, window: Window, fill: float = 0.0) -> Iterator[tuple[tuple[int, ...], Array]]:
    """For every tap of the window: its index [*K] and what all outputs read there, x[N, C, *S] → view[N, C, *S']."""
    padded = (
        np.pad(x, ((0, 0), (0, 0), *(a.pad for a in window)), constant_values=fill)
        if any(any(a.pad) for a in window)
        else x
    )
    outs = [int(a.out_size(n)) for a, n in zip(window, x.shape[2:], strict=True)]
    for tap in itertools.product(*(range(a.size) for a in window)):
        index: list[Any] = [...]
        for k, out, axis in zip(tap, outs, window, strict=True):
            start = k * axis.dilation
            index.append(slice(start, start + (out - 1) * axis.stride + 1, axis.stride))
        yield tap, padded[tuple(index)]


def transposed_taps(
    window: TransposedWindow, n: tuple[int, ...], outs: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]]:
    """For every tap: its index, the inputs [*n] that land inside the outputs [*outs], and where they land."""
    for tap in itertools.product(*(range(a.size) for a in window)):
        sources, targets = [], []
        for k, a, size, out in zip(tap, window, n, outs, strict=True):
            offset = k * a.dilation - a.pad[0]
            first = max(0, -(offset // a.stride))
            last = min(size - 1, (out - 1 - offset) // a.stride)
            count = max(0, last - first + 1)
            at = offset + first * a.stride
            sources.append(slice(first, first + count))
            targets.append(slice(at, at + (count - 1) * a.stride + 1, a.stride) if count else slice(0, 0))
        yield tap, tuple(sources), tuple(targets)
