"""Seeded data by exact integer arithmetic on random bits: the same on every machine and with every NumPy."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from onnxconv.dtypes import DTYPES, DataType, numpy_dtype, rounded
from onnxconv.verify.words import Array

__all__ = ["KINDS", "Stream", "real"]

CHUNK = 1 << 20
KINDS = ("normal", "heavy", "uniform", "constant", "ramp")
"""Kinds of real-valued data, the most telling first: constants and ramps use up the most of a bound."""


class Stream:
    """Random bits that depend on nothing but the keys given (Philox, keyed by their hash)."""

    def __init__(self, *keys: object) -> None:
        digest = hashlib.sha256("\0".join(map(str, keys)).encode()).digest()
        self._source = np.random.Philox(key=int.from_bytes(digest[:16], "little"))

    def below(self, limit: int, count: int) -> Array:
        """`count` integers from 0 to limit − 1, limit ≤ 2^31, by the upper half of a 64-bit product."""
        wide = self._source.random_raw((count + 1) // 2).astype("<u8", copy=False).view("<u4")[:count]
        return ((wide.astype(np.uint64) * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)

    def bits(self, bits: int, count: int) -> Array:
        """`count` integers of `bits` ≤ 62 random bits."""
        return (self._source.random_raw(count) >> np.uint64(64 - bits)).astype(np.int64)

    def signs(self, count: int) -> Array:
        return 2 * self.below(2, count) - 1

    def order(self, count: int) -> Array:
        """A permutation of 0 … count − 1."""
        return np.argsort(self.bits(62, count), kind="stable")

    def filled(self, shape: tuple[int, ...], limit: int, dtype: str) -> Array:
        """Integers from −limit to limit without 0."""
        y = np.empty(math.prod(shape), numpy_dtype(dtype))
        for start in range(0, y.size, CHUNK):
            stop = min(start + CHUNK, y.size)
            drawn = self.below(2 * limit, stop - start) - limit
            y[start:stop] = drawn + (drawn >= 0)
        return y.reshape(shape)

    def long(self, shape: tuple[int, ...], bits: int, dtype: str) -> Array:
        """Integers that need exactly `bits` bits: the leading and the last one are set, the sign is random."""
        count = math.prod(shape)
        if bits == 1:
            return rounded(self.signs(count), dtype).reshape(shape)
        drawn = (1 << (bits - 1)) | self.bits(bits - 1, count) | 1
        return rounded(drawn * self.signs(count), dtype).reshape(shape)


def real(kind: str, shape: tuple[int, ...], dtype: str, stream: Stream) -> Array:
    """Data of a kind, of order 1.

    normal: a sum of 12 uniform numbers less 6, which has mean 0 and variance 1. heavy: uniform with a random sign, times
    2^k with probability 2^-(k+1), k ≤ 12. uniform: from 0 to below 1. constant: one value. ramp: rising in memory order.
    """
    count, of = math.prod(shape), DTYPES[dtype]
    if of.family != "float":
        return _whole(kind, count, of, stream).reshape(shape)
    match kind:
        case "normal":
            y = np.zeros(count)
            for _ in range(12):
                y += stream.bits(16, count)
            y = y / 2.0**16 - 6
        case "heavy":
            tail = stream.bits(12, count) | 1 << 12
            y = np.ldexp(stream.bits(24, count) / 2.0**24, np.frexp(tail & -tail)[1] - 1) * stream.signs(count)
        case "uniform":
            y = stream.bits(24, count) / 2.0**24
        case "constant":
            y = np.full(count, 1 + float(stream.bits(20, 1)[0]) / 2.0**20)
        case "ramp":
            y = np.arange(count) / max(1, count) + float(stream.bits(20, 1)[0]) / 2.0**24
        case _:
            raise AssertionError(f"{kind} is not a kind of data")
    return rounded(y, dtype).reshape(shape)


def _whole(kind: str, count: int, of: DataType, stream: Stream) -> Array:
    """Integers over the range of their type, or of 24 bits where that is wider; one of them where the kind is constant."""
    low, high = max(int(of.low), -(1 << 23)), min(int(of.high), (1 << 23) - 1)
    match kind:
        case "constant":
            y = np.full(count, low + stream.below(high - low + 1, 1)[0])
        case "ramp":
            y = low + np.arange(count) * (high - low) // max(1, count - 1)
        case _:
            y = low + stream.below(high - low + 1, count)
    return rounded(y, of.name)
