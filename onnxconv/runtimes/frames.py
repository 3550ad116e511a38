"""Messages over a pipe: a JSON header, then the raw little-endian bytes of arrays. Nothing is pickled.

A frame is 8 bytes (the header's length, little-endian), the header as JSON in UTF-8, and the bytes of the arrays that
the header's ``arrays`` lists as [name, dtype, shape], in C order. An array is copied once, by the pipe.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from onnxconv.runtimes.protocol import Array

LONGEST_HEADER = 1 << 26
"""Bytes; a longer header is taken for rubbish."""


class FrameError(Exception):
    """Bytes that are no frame."""


def write(stream: io.RawIOBase, header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> None:
    """Write one frame. Raises OSError where nobody reads it."""
    packed = [(name, little_endian(array)) for name, array in (arrays or {}).items()]
    listed = [[name, array.dtype.name, array.shape] for name, array in packed]
    text = json.dumps({**header, "arrays": listed}).encode()
    _write_all(stream, len(text).to_bytes(8, "little") + text)
    for _, array in packed:
        _write_all(stream, _bytes_of(array))


def read(stream: io.RawIOBase) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read one frame: its header and its arrays. Raises EOFError at the end of the stream, `FrameError` on rubbish."""
    length = int.from_bytes(_read_exactly(stream, 8), "little")
    if length > LONGEST_HEADER:
        raise FrameError(f"a header of {length} bytes")
    text = _read_exactly(stream, length)
    try:
        header = json.loads(text)
        arrays = {name: np.empty(shape, dtype_named(dtype)) for name, dtype, shape in header.pop("arrays")}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FrameError(f"an unreadable header: {error}") from error
    for array in arrays.values():
        _read_into(stream, _bytes_of(array))
    return header, arrays


def dtype_named(name: str) -> np.dtype[Any]:
    """The data type of that name, NumPy's own or one of ml_dtypes (bfloat16, float8_e4m3fn, …). Raises TypeError."""
    found: Any
    try:
        found = np.dtype(name)
    except TypeError:
        import ml_dtypes

        scalar = getattr(ml_dtypes, name, None)
        if scalar is None:
            raise
        found = np.dtype(scalar)
    return cast("np.dtype[Any]", found)


def little_endian(array: Array) -> Array:
    """The same numbers contiguous, in C order and little-endian; a copy only where they are not."""
    return np.require(array, array.dtype.newbyteorder("<"), "C")


def _bytes_of(array: Array) -> memoryview:
    return array.reshape(math.prod(array.shape)).view(np.uint8).data


def _write_all(stream: io.RawIOBase, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]


def _read_exactly(stream: io.RawIOBase, count: int) -> bytearray:
    data = bytearray(count)
    _read_into(stream, memoryview(data))
    return data


def _read_into(stream: io.RawIOBase, rest: memoryview) -> None:
    while rest:
        count = stream.readinto(rest)
        if not count:
            raise EOFError("the stream ends within a frame")
        rest = rest[count:]
