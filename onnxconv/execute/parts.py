"""An operator on arrays, halved until a part fits into memory: every part is the same definition on slices."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from onnxconv.geometry import Array, Axis, TransposedAxis
from onnxconv.ops import BROADCAST, WHOLE_AXIS, Conv, ConvTranspose, Dense, Operator, Softmax

__all__ = ["WORKING_BYTES", "Part", "fill", "pieces_of"]

WORKING_BYTES = 16 << 20
"""Bytes that evaluation may take beside inputs, weights and output; little, so that each thread's share stays in the cache."""

PROCESSORS_AT_MOST = 4
PROCESSORS = min(
    PROCESSORS_AT_MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)
"""Pieces evaluated at the same time."""

WORTH_CUTTING = 0.85
"""A cut is made where the larger half takes at most this share of the whole."""

Evaluate = Callable[[Operator, Sequence[Array], Mapping[str, Array]], Array]


@dataclass(frozen=True, slots=True)
class Part:
    """An operator, its inputs and weights by role, and the array that its output goes to. All arrays may be views."""

    op: Operator
    xs: tuple[Array, ...]
    w: Mapping[str, Array]
    y: Array

    def working_bytes(self, itemsize: int) -> int:
        """Inputs and weights converted, inputs padded and gathered; the output, a product and a sum."""
        return itemsize * (
            3 * sum(x.size for x in self.xs) + 3 * self.y.size + 2 * sum(a.size for a in self.w.values())
        )


def fill(part: Part, evaluate: Evaluate, dtype: np.dtype[np.generic]) -> None:
    """Put what `evaluate` makes of a part, its arrays converted to `dtype`, into the part's output.

    Where to cut depends on shapes alone, and the matrix products of one piece run on one thread: as many pieces at a
    time as there are processors give the same bytes as one after the other.
    """

    def put(piece: Part) -> None:
        xs = tuple(x.astype(dtype, copy=False) for x in piece.xs)
        w = {role: a.astype(dtype, copy=False) for role, a in piece.w.items()}
        with np.errstate(all="ignore"):
            piece.y[...] = evaluate(piece.op, xs, w)

    pieces = tuple(pieces_of(part, dtype.itemsize))
    with _blas().limit(limits=1, user_api="blas"):
        if len(pieces) == 1:
            put(part)
            return
        with ThreadPoolExecutor(min(PROCESSORS, len(pieces))) as pool:
            for _ in pool.map(put, pieces):
                pass


def pieces_of(part: Part, itemsize: int) -> Iterator[Part]:
    """The part, cut for as long as that makes it smaller and it takes more than a thread's share of `WORKING_BYTES`."""
    halves = halve(part, itemsize) if part.working_bytes(itemsize) > WORKING_BYTES // PROCESSORS_AT_MOST else None
    if halves is None:
        yield part
    else:
        for half in halves:
            yield from pieces_of(half, itemsize)


@cache
def _blas() -> ThreadpoolController:
    """The matrix libraries of this process; looking for them takes a millisecond."""
    return ThreadpoolController()


def halve(part: Part, itemsize: int) -> tuple[Part, Part] | None:
    """Two parts that together are this one, each of which takes less; None where no cut helps.

    The batch is cut first, then whichever of space and channels leaves less: halves of space share what their windows
    overlap, halves of the channels share the input.
    """

    def larger(halves: tuple[Part, Part]) -> int:
        return max(half.working_bytes(itemsize) for half in halves)

    if (images := _batch(part)) is not None:
        return images
    halves = min(filter(None, (_space(part), _channels(part))), key=larger, default=None)
    return halves if halves is not None and larger(halves) <= WORTH_CUTTING * part.working_bytes(itemsize) else None


def _batch(part: Part) -> tuple[Part, Part] | None:
    if len(part.y) < 2 or (isinstance(part.op, Softmax) and part.op.axis == 0):
        return None
    first, second = (Part(part.op, tuple(x[s] for x in part.xs), part.w, part.y[s]) for s in _two_slices(len(part.y)))
    return first, second


def _space(part: Part) -> tuple[Part, Part] | None:
    """Cut across the longest spatial axis; a window's half reads the slab of the input that its outputs need."""
    footprints = part.op.footprint(*(x.shape for x in part.xs))
    local = [at for at, n in enumerate(part.y.shape[2:]) if n > 1 and all(f[at] != WHOLE_AXIS for f in footprints)]
    if not local:
        return None
    at = max(local, key=lambda at: part.y.shape[2 + at])
    steps = [footprint[at] for footprint in footprints]
    first, second = (_slab(part, at, steps, s) for s in _two_slices(part.y.shape[2 + at]))
    return first, second


def _slab(part: Part, at: int, steps: Sequence[Axis | TransposedAxis | str], outs: slice) -> Part:
    op, xs, before = part.op, [], (slice(None),) * (2 + at)
    for x, step in zip(part.xs, steps, strict=True):
        if step == BROADCAST:
            xs.append(x)
        elif isinstance(step, str):
            xs.append(x[(*before, outs)])
        else:
            read, axis = step.slab(x.shape[2 + at], outs.start, outs.stop)
            xs.append(x[(*before, read)])
            op = replace(op, window=(*op.window[:at], axis, *op.window[at + 1 :]))  # type: ignore[type-var, attr-defined]
    return Part(op, tuple(xs), part.w, part.y[(*before, outs)])


def _channels(part: Part) -> tuple[Part, Part] | None:
    """Cut along the output channels: between groups where there are several, else between the filters of the one."""
    op, channels = part.op, part.y.shape[1]
    if channels < 2 or (isinstance(op, Softmax) and op.axis == 1):
        return None
    match op:
        case Conv() | ConvTranspose() if op.groups > 1:
            first, second = (_groups_between(part, op, s) for s in _two_slices(op.groups))
        case Conv() | ConvTranspose() | Dense():
            first, second = (_filters_between(part, op, s) for s in _two_slices(channels))
        case _:
            first, second = (
                Part(
                    op,
                    tuple(x if x.shape[1] == 1 else x[:, s] for x in part.xs),
                    {role: _share(a, s) for role, a in part.w.items()},
                    part.y[:, s],
                )
                for s in _two_slices(channels)
            )
    return first, second


def _groups_between(part: Part, op: Conv | ConvTranspose, groups: slice) -> Part:
    def share(n: int) -> slice:
        return slice(groups.start * n // op.groups, groups.stop * n // op.groups)

    (x,), outs = part.xs, share(op.out_channels)
    half = replace(op, out_channels=outs.stop - outs.start, groups=groups.stop - groups.start)
    w = {role: a[share(len(a))] for role, a in part.w.items()}
    return Part(half, (x[:, share(x.shape[1])],), w, part.y[:, outs])


def _filters_between(part: Part, op: Conv | ConvTranspose | Dense, outs: slice) -> Part:
    count = outs.stop - outs.start
    half = replace(op, out_features=count) if isinstance(op, Dense) else replace(op, out_channels=count)
    filters_second = isinstance(op, ConvTranspose)  # its weight is [C, M, *K]
    w = {role: a[:, outs] if filters_second and role == "weight" else a[outs] for role, a in part.w.items()}
    return Part(half, part.xs, w, part.y[:, outs])


def _share(weight: Array, channels: slice) -> Array:
    """The channels' own of a weight; one number for all channels stays whole."""
    return weight if len(weight) == 1 else weight[channels]


def _two_slices(n: int) -> Iterator[slice]:
    yield slice(0, n // 2)
    yield slice(n // 2, n)
