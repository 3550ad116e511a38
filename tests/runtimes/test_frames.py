"""Messages between the processes."""

from __future__ import annotations

import io

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxconv.runtimes import frames

DTYPES = st.one_of(
    arrays.integer_dtypes(endianness="?"), arrays.floating_dtypes(endianness="?"), st.just(np.dtype("bool"))
)


class Trickle(io.BytesIO):
    """A stream that takes and gives at most three bytes at once, as a pipe may."""

    def write(self, data: object) -> int:
        return super().write(memoryview(data)[:3])

    def readinto(self, buffer: object) -> int:
        return super().readinto(memoryview(buffer)[:3])


def sent(header: dict[str, object], given: dict[str, np.ndarray]) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    stream = Trickle()
    frames.write(stream, header, given)
    stream.seek(0)
    received = frames.read(stream)
    assert stream.read() == b""
    return received


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(max_size=3), arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, min_side=0)), max_size=3)
)
def test_arrays_arrive_bit_for_bit(given: dict[str, np.ndarray]) -> None:
    header, received = sent({"do": "é"}, given)
    assert header == {"do": "é"}
    assert list(received) == list(given)
    for name, array in given.items():
        got = received[name]
        assert (got.dtype.name, got.shape) == (array.dtype.name, array.shape)
        assert got.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "int4"])
def test_small_types_arrive(dtype: str) -> None:
    array = np.array([[1, 2, 3]], getattr(ml_dtypes, dtype))[:, ::2]
    got = sent({}, {"a": array})[1]["a"]
    assert got.dtype == array.dtype
    assert got.tolist() == array.tolist()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff" * 64,
        (3).to_bytes(8, "little") + b"abc",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}",
        (29).to_bytes(8, "little") + b'{"arrays":[["a","none",[1]]]}',
        (31).to_bytes(8, "little") + b'{"arrays":[["a","float32",-1]]}',
        (4).to_bytes(8, "little") + b"\xff\xff\xff\xff",
    ],
)
def test_rubbish_is_no_frame(rubbish: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.read(io.BytesIO(rubbish))


def test_a_cut_frame_is_an_end() -> None:
    stream = io.BytesIO()
    frames.write(stream, {}, {"a": np.zeros(5)})
    whole = stream.getvalue()
    for length in (0, 4, 8, 20, len(whole) - 1):
        with pytest.raises(EOFError):
            frames.read(io.BytesIO(whole[:length]))
