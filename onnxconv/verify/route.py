"""Weights under which a whole network only moves, scales by powers of two and shifts: nothing is rounded.

Every filter has one tap ±2^-k; a batch norm is ±2^-k times its input, plus a shift. Taps visit the input channels in a
random order, each at a random place of the kernel. k and the shifts follow from the ranges that the reference sees on the
very inputs of the probe, so that values stay where the next activation lets them through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from onnxconv.dtypes import DTYPES, numpy_dtype, rounded
from onnxconv.execute import apply
from onnxconv.graph import Node
from onnxconv.verify.ahead import Ahead
from onnxconv.verify.draw import Stream
from onnxconv.verify.level import PLAIN, Level
from onnxconv.verify.signal import Signal, grid_of, per_channel, scaled, spread
from onnxconv.verify.taps import Kernel, factors, filters_of, middle_of
from onnxconv.verify.words import Array

__all__ = [
    "Routed",
    "bits_of",
    "largest_errors",
    "route_batch_norm",
    "route_matrix",
    "route_prelu",
    "route_products",
    "shift",
    "shrinking",
    "shrinking_to",
]

ATTEMPTS = 3
"""Random taps tried for a filter that sees nothing but padding or zeros, before it gets the middle of its kernel."""


@dataclass(frozen=True)
class Routed:
    """A layer's output under the weights chosen for it.

    `sources`, `taps`: the input channels of each filter and their places in the kernel, [M, taps].
    """

    y: Signal
    weights: dict[str, Array]
    sources: Array | None = None
    taps: Array | None = None
    gain: Array | None = None
    """Powers of two that a batch norm is to take back, per channel."""
    mirrored: bool = False
    """Filters 2i and 2i + 1 have one tap, of one source or of one pair, and give each other's negatives."""


def route_products(node: Node, x: Signal, next: Ahead, stream: Stream, taps: int = 1) -> Routed:
    """One tap per filter of a convolution, a transposed one, or a dense layer; or more, of as many channels."""
    dtype, shapes = node.type.dtype, node.op.weight_shapes(x.value.shape)
    groups = int(getattr(node.op, "groups", 1))
    filters, fan = filters_of(node.op.kind, shapes["weight"], groups)
    pairs = _pairs(filters, groups, fan, x) if next.level.range and next.open else None
    zero = {"bias": np.zeros(shapes["bias"], numpy_dtype(dtype))} if "bias" in shapes else {}
    kernel, y = _alive(
        node, x.value, _drawn(node, shapes["weight"], pairs, stream, taps, x.closed), zero, pairs, stream
    )
    extent = spread(y)
    error = (np.abs(kernel.factor) * largest_errors(x)[kernel.origin]).sum(axis=1)
    next = next.given(error)
    scale = 2.0 ** stream.below(2, filters) if next.normalised else 2.0 ** -shrinking(extent, error, next, dtype)
    scale = _alike(scale, pairs)
    weights = {"weight": rounded(kernel.weight(scale), dtype)}
    y = y * per_channel(scale, y.ndim)
    terms, grid = np.abs(y), grid_of(y)
    if kernel.factor.shape[1] > 1:  # a sum may be coarser than its terms, and smaller
        terms = apply(node, [np.abs(x.value)], {"weight": np.abs(weights["weight"])} | zero)
        grid = int((_grids(x.value)[kernel.origin] - np.log2(np.abs(kernel.factor) * scale[:, None])).max())
    if zero:
        small = Ahead(unit=next.unit) if next.normalised else next
        offset = shift(scaled(extent, scale), error * scale, small, grid, stream)
        weights["bias"] = rounded(_alike(offset, pairs, -1), dtype)
        bias = weights["bias"].astype(np.float64)
        y, terms = y + per_channel(bias, y.ndim), terms + per_channel(np.abs(bias), y.ndim)
        grid = max(grid, grid_of(bias))
    gain = scale if next.normalised else None
    return Routed(Signal(y, grid, terms), weights, kernel.origin, kernel.places, gain, mirrored=pairs is not None)


def _drawn(
    node: Node, shape: tuple[int, ...], pairs: int | None, stream: Stream, taps: int, closed: Array | None
) -> Kernel:
    """Half of the taps are in the middle: each shift moves padding inwards, where it takes the place of information.

    Filters that have no channel to read get zeros.
    """
    groups = int(getattr(node.op, "groups", 1))
    filters, fan = filters_of(node.op.kind, shape, groups)
    taps, size = 1 if pairs else taps, math.prod(shape[2:])
    shut = np.zeros((groups, fan), bool) if closed is None else closed.reshape(groups, fan)
    opened = [np.arange(fan) if row.all() else np.flatnonzero(~row) for row in shut]
    visits = [_visits(filters // groups * taps, row, stream, 2 if pairs == -1 else 1) for row in opened]
    place = np.where(stream.below(2, filters) == 0, middle_of(shape), stream.below(size, filters))
    sign = _alike(stream.signs(filters), pairs, pairs)
    source = np.concatenate(visits).reshape(filters, taps)
    reading = np.repeat(~shut.all(axis=1), filters // groups)
    factor = (sign * reading)[:, None] * factors(taps, size)
    return Kernel(node.op.kind, shape, groups, source, _alike(place, pairs), factor)


def _alive(
    node: Node, x: Array, kernel: Kernel, zero: dict[str, Array], pairs: int | None, stream: Stream
) -> tuple[Kernel, Array]:
    """The kernel with other places where a filter sees nothing but padding or zeros, and the layer's output."""
    filters, middle = len(kernel.source), middle_of(kernel.shape)
    for attempt in range(ATTEMPTS + 1):
        y = apply(node, [x], {"weight": rounded(kernel.weight(np.ones(filters)), node.type.dtype)} | zero)
        dead = (spread(y) == 0).all(axis=0) & (kernel.first != middle) & kernel.factor.any(axis=1)
        if not dead.any():
            break
        others = stream.below(kernel.size, filters) if attempt + 1 < ATTEMPTS else np.full(filters, middle)
        kernel = replace(kernel, first=_alike(np.where(dead, others, kernel.first), pairs))
    return kernel, y


def route_matrix(like: Array, x: Signal, next: Ahead, stream: Stream) -> Array:
    """A matrix [K, M] for x[*B, K]: one ±2^-k a column."""
    rows, columns = like.shape
    pairs = -1 if next.level.range and next.open and columns % 2 == 0 else None
    source = _visits(columns, np.arange(rows), stream, 2 if pairs else 1)
    sign = _alike(stream.signs(columns), pairs, pairs)
    seen = Signal(np.moveaxis(x.value, -1, 1), 0, x.terms, np.moveaxis(x.slack(), -1, 1))
    extent, error = spread(seen.value)[:, source], largest_errors(seen)[source]
    scale = _alike(2.0 ** -shrinking(extent, error, next.given(error), like.dtype.name), pairs)
    matrix = np.zeros(like.shape)
    matrix[source, np.arange(columns)] = sign * scale
    return rounded(matrix, like.dtype.name)


def _pairs(filters: int, groups: int, fan: int, x: Signal) -> int | None:
    """The sign of every second filter relative to the one before: −1 where both have one source, 1 where that are channels
    which mirror each other already; None where filters cannot be paired.
    """
    if filters // groups % 2 == 0:
        return -1
    alone = filters == groups and fan == 1 and filters % 2 == 0
    return 1 if alone and x.pairs is not None and x.pairs.axis == 1 else None


def _alike(numbers: Array, pairs: int | None, sign: int | None = 1) -> Array:
    """Every second number as the one before, times a sign, where there are pairs."""
    if pairs is None or sign is None:
        return numbers
    return np.stack([numbers[::2], sign * numbers[::2]], axis=1).reshape(-1)


def route_batch_norm(node: Node, x: Signal, next: Ahead, gain: Array | None, stream: Stream) -> Routed:
    """y = ±2^-k·(x − mean) + bias, with variances that make the factor exact."""
    dtype = node.type.dtype
    extent = spread(x.value)
    channels = extent.shape[1]
    error = largest_errors(x)
    next = next.given(error)
    scale = 2.0 ** -shrinking(extent, error, next, dtype, gain)
    factor = scale * stream.signs(channels)
    unit = next.unit * 2.0 ** -max(0, min(x.grid, 4 + bits_of(next.unit)))
    mean = (1 + stream.below(3, channels)) * stream.signs(channels) * unit
    grid = grid_of(x.value * per_channel(factor, x.value.ndim))
    if x.grid > grid_of(x.value):  # of sums, whose terms are finer
        grid = max(grid, x.grid + int(-np.log2(scale).min()))
    offset = rounded(shift(scaled(extent, factor), error * scale, next, grid, stream) + factor * mean, dtype)
    bias = offset.astype(np.float64)
    rank = x.value.ndim
    f, m, b = (per_channel(a, rank) for a in (factor, mean, bias))
    # 2^60 + epsilon is 2^60 in float32 and float64, and √2^60 = 2^30; float16 has no such room, and is not exact here.
    variance, root = (4.0, 2.0) if dtype == "float16" else (2.0**60, 2.0**30)
    weights = {
        "weight": rounded(factor * root, dtype),
        "bias": offset,
        "running_mean": rounded(mean, dtype),
        "running_var": rounded(np.full(channels, variance), dtype),
    }
    y = Signal(
        apply(node, [x.value], weights),
        max(grid, grid_of(factor * mean), grid_of(bias), grid_of(mean), x.grid),
        np.abs(f) * (x.terms + np.abs(m)) + np.abs(b),
    )
    return Routed(y, weights)


def route_prelu(node: Node, x: Signal, stream: Stream) -> Routed:
    """Slopes ±½, ±¼."""
    ((role, param),) = node.params
    count = math.prod(param.shape)
    slopes = 2.0 ** -(1 + stream.below(2, count)) * stream.signs(count)
    weights = {role: rounded(slopes, param.dtype).reshape(param.shape)}
    y = apply(node, [x.value], weights)
    return Routed(Signal(y, grid_of(y), np.abs(y)), weights)


def _visits(filters: int, channels: Array, stream: Stream, each: int = 1) -> Array:
    """A channel for `each` filters in turn: all channels before any comes again, in random order."""
    count = len(channels)
    rounds = [channels[stream.order(count)] for _ in range(-(-filters // (count * each)))]
    return np.repeat(np.concatenate(rounds), each)[:filters]


def _grids(x: Array) -> Array:
    """The grid of each channel."""
    return np.array([grid_of(x[:, channel]) for channel in range(x.shape[1])])


def largest_errors(x: Signal) -> Array:
    """Per channel, how far a runtime may be off."""
    largest: Array = x.slack().max(axis=(0, *range(2, x.value.ndim)))
    return largest


def shrinking(spread: Array, error: Array, next: Ahead, dtype: str, gain: Array | None = None) -> Array:
    """k per channel, so that 2^-k times its range fits the live range of the next activation, or half the significand.

    A live range that ends on both sides holds an error 2^(p/2) times: differences smaller than that (of means, which
    are much the same for all images) are not magnified. Only before a curve are all channels magnified alike.
    """
    extent, half = spread[-1] - spread[0], 2.0 ** (DTYPES[dtype].significand // 2)
    if next.open and next.level != PLAIN:
        return shrinking_to(spread, error, next.level)
    live = (next.high - next.low) or 1.0  # where nothing can pass, any range will do
    if math.isfinite(live) and next.unit > 1:  # half of the values may be cut off below
        extent = np.maximum(spread[-1] - spread[2], spread[2] - spread[0])
    if math.isfinite(live):
        extent = np.maximum(extent, error * half)
    exponent = np.frexp(extent / (live if math.isfinite(live) else half))[1]
    fitting = np.where(extent > 0, exponent, 0)
    if math.isfinite(live):
        return np.clip(fitting, -8, 60)
    if next.curved:
        return np.maximum(fitting, min(0, fitting.max()))
    taken = np.zeros_like(fitting) if gain is None else np.frexp(gain)[1] - 1
    return np.maximum(fitting, taken)


def shrinking_to(spread: Array, error: Array, level: Level) -> Array:
    """k per channel, so that 2^-k times its range, or its one value, is what is wanted of it; where that is open, as it is.

    A range that is close to the error is not magnified to what is wanted: it has room for 1024 errors.
    """
    extent = spread[-1] - spread[0]
    size = np.maximum(np.where(extent > error, extent, np.abs(spread).max(axis=0)), 1024 * error)
    wanted = level.faint * (level.range or size)
    exponent = np.frexp(size / np.where(size > 0, wanted, 1))[1]
    return np.where(size > 0, exponent, 0)


def shift(spread: Array, error: Array, next: Ahead, grid: int, stream: Stream) -> Array:
    """A shift per channel, never 0. A ReLU cuts a quarter, or half, of the range or of the values, whichever is less.

    In whole multiples no value is cut to an upper limit, which is none of them.
    """
    low, first, median, third, high = spread
    extent, centre = high - low, (high + low) / 2
    if next.unit > 1 and math.isfinite(next.high):
        wanted = next.high - high
    elif math.isfinite(next.low) and math.isfinite(next.high):
        wanted = (next.low + next.high) / 2 - centre
    elif math.isfinite(next.low):
        cut = np.minimum(median, low + extent / 2) if next.halved else np.minimum(first, low + extent / 4)
        wanted = next.low - error - cut
        lone = (error > 0) & (extent <= error)  # nothing can be cut of one value: it stays, above all that is flat
        wanted = np.where(lone, next.low + np.maximum(np.abs(centre), -2 * next.low) - centre, wanted)
    elif math.isfinite(next.high):
        wanted = next.high - np.maximum(third, high - extent / 4)
    else:
        wanted = np.where(extent > error, -centre, 0.0)  # what is one value but for errors would vanish in them
    digits = np.where(error > 0, 10, 4) + bits_of(next.unit)
    fine = np.clip(digits - np.frexp(np.where(extent > 0, extent, 1))[1], min(0, grid), max(0, grid))
    beside = np.where(extent > 0, stream.signs(len(low)), 1)
    step = next.unit * np.ldexp(1.0, -fine)
    steps = np.rint(wanted / step) + beside
    steps = np.where(steps == 0, 1, steps)
    if next.unit > 1 and math.isfinite(next.high):
        steps = np.minimum(steps, np.floor((next.high - high) / step))
        steps = np.where(steps == 0, -1, steps)
    found: Array = steps * step
    return found


def bits_of(unit: int) -> int:
    """By how many bits multiples of a unit are longer than what they are multiples of."""
    return (unit - 1).bit_length()
