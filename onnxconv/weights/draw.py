"""Numbers for weights, as a function of seed, name and position alone: the same on every machine and NumPy version.

Random bits come from a Philox counter. They are turned into numbers by integer arithmetic and by the correctly rounded
operations + − × ÷ √ in float64, never by NumPy's distributions or a mathematical library, whose last bits vary.
Every element has its own counter, so any range of a tensor can be drawn without the rest.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import cache

from onnxconv.deferred import np
from onnxconv.errors import Diagnostic, WeightsError, Where, closest
from onnxconv.geometry import Array
from onnxconv.graph import Initial

__all__ = ["KINDS", "draw"]

_BLOCK = 4
"""64-bit words per step of the Philox counter."""

_LANES = 0x0000FFFF0000FFFF


def draw(initial: Initial, seed: int, start: int, stop: int) -> Array:
    """Elements [start, stop) of a stored array in row-major order, as float64 before rounding to its data type.

    Raises `WeightsError` for an unknown kind, or arguments that the kind does not take.
    """
    try:
        kind = KINDS[initial.kind]
    except KeyError:
        raise _refused(initial, f"unknown initialiser {initial.kind!r}", closest(initial.kind, KINDS)) from None
    _keep_memory()
    return kind(initial, seed, start, stop)


@cache
def _keep_memory() -> None:
    """Have glibc keep the memory of one call for the next, which else costs more than the arithmetic does.

    It hands back to the system what is free above twice the largest block, up to 32 MiB, that it has unmapped so far, 128 KiB
    to begin with (mallopt(3), M_MMAP_THRESHOLD): this is such a block.
    """
    np.empty(1 << 24, np.uint8)


def _refused(initial: Initial, what: str, fix: str, why: str = "") -> WeightsError:
    return WeightsError(Diagnostic(Where(), "initialiser", f"weight {initial.name!r}: {what}", why, fix))


def _words(initial: Initial, seed: int, start: int, stop: int) -> Array:
    """The 64-bit words [start, stop) of the stream that belongs to the seed and the name."""
    key = int.from_bytes(hashlib.sha256(f"{seed}\n{initial.name}".encode()).digest()[:16], "little")
    first, skipped = divmod(start, _BLOCK)
    words: Array = np.random.Philox(key=key, counter=first).random_raw(stop - first * _BLOCK)
    return words[skipped:]


def _normal(initial: Initial, seed: int, start: int, stop: int, mean: float, std: float) -> Array:
    """Irwin–Hall: the sum of 8 integers of 16 bits, scaled to the exact mean and variance; it stays within 4.9 std.

    One such integer has mean (2¹⁶ − 1) ÷ 2 and variance (2³² − 1) ÷ 12.
    """
    words = _words(initial, seed, 2 * start, 2 * stop)
    low = words & _LANES
    halves = words.view(np.uint32)
    halves >>= 16
    words += low
    lanes = (words[0::2] + words[1::2]).view(np.int32)
    sums = lanes[0::2] + lanes[1::2]
    sums -= 4 * (2**16 - 1)
    y: Array = sums * (std / math.sqrt(8 * (2**32 - 1) / 12))
    return y + mean if mean else y


def _uniform(initial: Initial, seed: int, start: int, stop: int, low: float, high: float) -> Array:
    """53 random bits as a fraction in [0, 1), stretched to [low, high)."""
    words = _words(initial, seed, start, stop)
    words >>= 11
    y: Array = words.view(np.int64) * 2.0**-53
    y *= high - low
    y += low
    return y


def _integers(initial: Initial, seed: int, start: int, stop: int) -> Array:
    """Whole numbers from low to high, both included; at most 2³² different ones."""
    low, high = _two(initial, (-1.0, 1.0))
    if low != int(low) or high != int(high) or not 0 <= high - low < 2**32:
        raise _refused(initial, f"integers from {low:g} to {high:g}", "write two whole numbers, the smaller one first")
    words = _words(initial, seed, start, stop)
    words >>= 32
    words *= int(high - low + 1)
    words >>= 32
    y: Array = words.view(np.int64) + low
    return y


def _two(initial: Initial, default: tuple[float, float]) -> tuple[float, float]:
    if not initial.values:
        return default
    if len(initial.values) != 2:
        what = f"{initial.kind} with {len(initial.values)} argument(s)"
        raise _refused(initial, what, f"{initial.kind} takes two numbers, such as {default[0]:g} and {default[1]:g}")
    first, second = map(float, initial.values)
    return first, second


def _constant(value: float | None) -> _Kind:
    def kind(initial: Initial, _seed: int, start: int, stop: int) -> Array:
        if value is None and len(initial.values) != 1:
            raise _refused(initial, f"constant with {len(initial.values)} arguments", "give it one number")
        return np.full(stop - start, float(initial.values[0]) if value is None else value)

    return kind


def _ramp(initial: Initial, _seed: int, start: int, stop: int) -> Array:
    """From low to high in equal steps, in row-major order; a single element is low."""
    low, high = _two(initial, (0.0, 1.0))
    steps = max(1, math.prod(initial.shape) - 1)
    y: Array = np.arange(start, stop, dtype=np.float64) * (high - low) / steps + low
    return y


def _identity(initial: Initial, _seed: int, start: int, stop: int) -> Array:
    """A kernel that hands each channel on: 1 at tap (size − 1) // 2 of input channel m mod C of filter m, else 0."""
    if len(initial.shape) < 2:
        raise _refused(initial, f"identity of shape {list(initial.shape)}", "use zeros", "an identity has two axes")
    filters, channels, *sizes = initial.shape
    middle = 0
    for size in sizes:
        middle = middle * size + (size - 1) // 2
    taps = math.prod(sizes)
    m = np.arange(filters, dtype=np.int64)
    ones = (m * channels + m % channels) * taps + middle
    y = np.zeros(stop - start)
    y[ones[(ones >= start) & (ones < stop)] - start] = 1.0
    return y


_Kind = Callable[[Initial, int, int, int], Array]


def _random(distribution: Callable[..., Array], arguments: Callable[[Initial], tuple[float, float]]) -> _Kind:
    def kind(initial: Initial, seed: int, start: int, stop: int) -> Array:
        return distribution(initial, seed, start, stop, *arguments(initial))

    return kind


def _even(bound: float) -> tuple[float, float]:
    return -bound, bound


KINDS: dict[str, _Kind] = {
    "he_normal": _random(_normal, lambda i: (0.0, math.sqrt(2 / i.fan[0]))),
    "he_uniform": _random(_uniform, lambda i: _even(math.sqrt(6 / i.fan[0]))),
    "xavier_normal": _random(_normal, lambda i: (0.0, math.sqrt(2 / (i.fan[0] + i.fan[1])))),
    "xavier_uniform": _random(_uniform, lambda i: _even(math.sqrt(6 / (i.fan[0] + i.fan[1])))),
    "uniform": _random(_uniform, lambda i: _two(i, (-1.0, 1.0))),
    "normal": _random(_normal, lambda i: _two(i, (0.0, 1.0))),
    "constant": _constant(None),
    "zeros": _constant(0.0),
    "ones": _constant(1.0),
    "ramp": _ramp,
    "identity": _identity,
    "integers": _integers,
}
"""Initialisers by name. He et al., ICCV 2015 (arXiv 1502.01852); Glorot and Bengio, AISTATS 2010 (Xavier)."""
