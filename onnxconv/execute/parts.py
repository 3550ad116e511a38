"""An operator on arrays, halved until a part fits into memory: every part is the same definition on slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from onnxconv.dtypes import rounded
from onnxconv.geometry import Array, Axis, TransposedAxis
from onnxconv.ops import BROADCAST, POINT, BatchNorm, Conv, ConvTranspose, Dense, Operator, PRelu, Step, To
from onnxconv.weights.ordered import processors

__all__ = ["PROCESSORS_AT_MOST", "WORKING_BYTES", "Part", "each", "evaluated", "fill", "one_blas_thread", "pieces_of"]

WORKING_BYTES = 64 << 20
"""Bytes that evaluation may take beside inputs, weights and output. Less makes matrix products small, and twice as slow."""

SHARED = 16
"""What takes more than this part of `WORKING_BYTES` is cut once, for two processors."""

PROCESSORS_AT_MOST = 4
"""Pieces, or blocks, computed at the same time, where there are so many processors."""

WORTH_CUTTING = 0.85
"""A cut is made where the larger half takes at most this share of the whole."""

Evaluate = Callable[[Operator, Sequence[Array], Mapping[str, Array]], Array]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """An operator, its inputs and weights by role, and the array that its output goes to. All arrays may be views.

    `start`: where in the whole output it begins, one index an axis; empty for the whole.
    """

    op: Operator
    xs: tuple[Array, ...]
    w: Mapping[str, Array]
    y: Array
    start: tuple[int, ...] = ()

    def working_bytes(self, itemsize: int) -> int:
        """Inputs and weights converted, inputs padded and gathered; the output, a product and a sum."""
        return itemsize * (
            3 * sum(x.size for x in self.xs) + 3 * self.y.size + 2 * sum(a.size for a in self.w.values())
        )

    def within(self, axis: int, outs: slice) -> tuple[Array, tuple[int, ...]]:
        """The output between two positions of an axis, and where that begins in the whole."""
        start = list(self.start or (0,) * self.y.ndim)
        start[axis] += outs.start
        return self.y[(slice(None),) * axis + (outs,)], tuple(start)


def fill(part: Part, evaluate: Evaluate, dtype: np.dtype[np.generic]) -> None:
    """Put what `evaluate` makes of a part, its arrays converted to `dtype`, into the part's output."""

    def put(piece: Part) -> None:
        piece.y[...] = rounded(evaluated(piece, evaluate, dtype), piece.y.dtype.name)

    each(part, put, dtype.itemsize)


def evaluated(piece: Part, evaluate: Evaluate, dtype: np.dtype[np.generic]) -> Array:
    """What `evaluate` makes of a piece, its arrays converted to `dtype`."""
    xs = tuple(x.astype(dtype, copy=False) for x in piece.xs)
    w = {role: a.astype(dtype, copy=False) for role, a in piece.w.items()}
    return evaluate(piece.op, xs, w)


def each(part: Part, do: Callable[[Part], T], itemsize: int) -> tuple[T, ...]:
    """What is done with each of a part's pieces.

    Where to cut depends on shapes alone, and the matrix products of one piece run on one thread: as many pieces at a
    time as there are processors give the same bytes as one after the other.
    """

    def done(piece: Part) -> T:
        with np.errstate(all="ignore"):
            return do(piece)

    pieces = tuple(pieces_of(part, itemsize))
    with one_blas_thread():
        if len(pieces) == 1:
            return (done(part),)
        with ThreadPoolExecutor(min(processors(PROCESSORS_AT_MOST), len(pieces))) as pool:
            return tuple(pool.map(done, pieces))


def pieces_of(part: Part, itemsize: int, whole: bool = True) -> Iterator[Part]:
    """The part, cut for as long as that makes it smaller and it takes more than a thread's share of `WORKING_BYTES`."""
    most = WORKING_BYTES // (SHARED if whole else PROCESSORS_AT_MOST)
    halves = halve(part, itemsize) if part.working_bytes(itemsize) > most else None
    if halves is None:
        yield part
    else:
        for half in halves:
            yield from pieces_of(half, itemsize, whole=False)


def one_blas_thread() -> AbstractContextManager[object]:
    """A context in which every matrix product runs on the thread that asks for it."""
    limited: AbstractContextManager[object] = _blas().limit(limits=1, user_api="blas")
    return limited


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

    if part.y.ndim < 2:
        return None
    if (images := _batch(part)) is not None:
        return images
    halves = min(filter(None, (_space(part), _channels(part))), key=larger, default=None)
    return halves if halves is not None and larger(halves) <= WORTH_CUTTING * part.working_bytes(itemsize) else None


def _batch(part: Part) -> tuple[Part, Part] | None:
    if (steps := _steps(part, 0)) is None:
        return None
    first, second = (_slab(part, 0, steps, s) for s in _two_slices(len(part.y)))
    return first, second


def _steps(part: Part, axis: int) -> Sequence[Step] | None:
    """What the output sees of each input along an axis that they all have in common; None where it cannot be cut."""
    if axis >= part.y.ndim or part.y.shape[axis] < 2:
        return None
    footprints = part.op.footprint(*(x.shape for x in part.xs))
    steps = [entry for footprint in footprints for entry in footprint[axis : axis + 1] if not isinstance(entry, To)]
    if not steps or len(steps) < len(footprints) or any(map(_moves, footprints)):
        return None
    local = all(step in (POINT, BROADCAST) or isinstance(step, Axis | TransposedAxis) for step in steps)
    windowed = any(not isinstance(step, str) for step in steps)
    return steps if local and (not windowed or hasattr(part.op, "window")) else None


def _moves(footprint: Sequence[Step | To]) -> bool:
    return any(isinstance(entry, To) for entry in footprint)


def _space(part: Part) -> tuple[Part, Part] | None:
    """Cut across the longest spatial axis; a window's half reads the slab of the input that its outputs need."""
    local = {axis: steps for axis in range(2, part.y.ndim) if (steps := _steps(part, axis)) is not None}
    if not local:
        return None
    axis = max(local, key=lambda axis: part.y.shape[axis])
    first, second = (_slab(part, axis, local[axis], s) for s in _two_slices(part.y.shape[axis]))
    return first, second


def _slab(part: Part, axis: int, steps: Sequence[Step], outs: slice) -> Part:
    op, xs, before, at = part.op, [], (slice(None),) * axis, axis - 2
    for x, step in zip(part.xs, steps, strict=True):
        if step == BROADCAST:
            xs.append(x)
        elif isinstance(step, Axis | TransposedAxis):
            read, slid = step.slab(x.shape[axis], outs.start, outs.stop)
            xs.append(x[(*before, read)])
            op = replace(op, window=(*op.window[:at], slid, *op.window[at + 1 :]))  # type: ignore[type-var, attr-defined]
        else:
            xs.append(x[(*before, outs)])
    return Part(op, tuple(xs), part.w, *part.within(axis, outs))


def _channels(part: Part) -> tuple[Part, Part] | None:
    """Cut along the output channels: between groups where there are several, else between the filters of the one."""
    op, channels = part.op, part.y.shape[1]
    if channels < 2:
        return None
    match op:
        case Conv() | ConvTranspose() if op.groups > 1:
            first, second = (_groups_between(part, op, s) for s in _two_slices(op.groups))
        case Conv() | ConvTranspose() | Dense():
            first, second = (_filters_between(part, op, s) for s in _two_slices(channels))
        case _:
            steps = _steps(part, 1) if isinstance(op, BatchNorm | PRelu) or not part.w else None
            if steps is None:
                return None
            first, second = (
                replace(_slab(part, 1, steps, s), w={role: _share(a, s) for role, a in part.w.items()})
                for s in _two_slices(channels)
            )
    return first, second


def _groups_between(part: Part, op: Conv | ConvTranspose, groups: slice) -> Part:
    def share(n: int) -> slice:
        return slice(groups.start * n // op.groups, groups.stop * n // op.groups)

    (x,), outs = part.xs, share(op.out_channels)
    half = replace(op, out_channels=outs.stop - outs.start, groups=groups.stop - groups.start)
    w = {role: a[share(len(a))] for role, a in part.w.items()}
    return Part(half, (x[:, share(x.shape[1])],), w, *part.within(1, outs))


def _filters_between(part: Part, op: Conv | ConvTranspose | Dense, outs: slice) -> Part:
    count = outs.stop - outs.start
    half = replace(op, out_features=count) if isinstance(op, Dense) else replace(op, out_channels=count)
    filters_second = isinstance(op, ConvTranspose)  # its weight is [C, M, *K]
    w = {role: a[:, outs] if filters_second and role == "weight" else a[outs] for role, a in part.w.items()}
    return Part(half, part.xs, w, *part.within(1, outs))


def _share(weight: Array, channels: slice) -> Array:
    """The channels' own of a weight; one number for all channels stays whole."""
    return weight if len(weight) == 1 else weight[channels]


def _two_slices(n: int) -> Iterator[slice]:
    yield slice(0, n // 2)
    yield slice(n // 2, n)
