"""The table of data types says what NumPy and ml_dtypes say; rounding is that of exact fractions."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from onnxconv.dtypes import DTYPES, numpy_dtype, rounded, stored


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES.keys())
def test_the_table(dtype: object) -> None:
    of = DTYPES[dtype.name]  # type: ignore[attr-defined]
    known = numpy_dtype(of.name)
    assert (known.name, known.itemsize) == (of.name, of.bytes)
    if of.family == "float":
        info = ml_dtypes.finfo(known)
        found = info.max, info.min, info.smallest_subnormal, info.smallest_normal, info.nmant + 1, info.epsneg
        assert tuple(map(float, found)) == (of.high, of.low, of.smallest, of.normal, of.significand, of.unit)
    elif of.family == "integer":
        limits = np.iinfo(known)
        assert (limits.min, limits.max, limits.bits - (limits.min < 0)) == (of.low, of.high, of.significand)


def nearest(value: float) -> float:
    """The bfloat16 nearest to a number, ties to even, by exact fractions: every other one has an even last bit."""
    upper = int(np.array([value], np.float32).view(np.uint32)[0]) >> 16
    near = {
        bits: float(np.array([bits << 16], np.uint32).view(np.float32)[0]) for bits in (upper - 1, upper, upper + 1)
    }
    return min((abs(Fraction(number) - Fraction(value)), bits % 2, number) for bits, number in near.items())[2]


def test_bfloat16_is_rounded_once() -> None:
    draw = np.random.default_rng(5)
    plain = draw.standard_normal(3000) * 2.0 ** draw.integers(-120, 120, 3000)
    ties = (1 + (2 * draw.integers(0, 128, 500) + 1) / 256) * 2.0 ** draw.integers(-100, 100, 500)
    values = np.concatenate([plain, ties, ties * (1 + 2.0**-40), ties * (1 - 2.0**-40)])
    expected = [nearest(value) for value in values]
    np.testing.assert_array_equal(rounded(values, "bfloat16").astype(np.float64), expected)
    assert (values.astype(ml_dtypes.bfloat16).astype(np.float64) != expected).any(), "else the library would do"


def test_the_ends_of_bfloat16() -> None:
    most = DTYPES["bfloat16"].high
    values = np.array([most, most + 2.0**119, most + 2.0**118, 1e300, -np.inf, np.nan, 2.0**-134, 2.0**-133.9])
    expected = [most, np.inf, most, np.inf, -np.inf, np.nan, 0, 2.0**-133]
    np.testing.assert_array_equal(rounded(values, "bfloat16").astype(np.float64), expected)
    assert np.signbit(rounded(np.array([-0.0, -1e-300]), "bfloat16")).all()


@pytest.mark.parametrize("name", ["float16", "float32"])
def test_ieee_types_are_rounded_once(name: str) -> None:
    p = DTYPES[name].significand
    tie = 1 + 2.0**-p
    values = np.array([tie, tie + 2.0**-50, tie - 2.0**-50, tie + 2.0 ** (1 - p)])
    expected = [1, 1 + 2.0 ** (1 - p), 1, 1 + 2.0 ** (2 - p)]
    np.testing.assert_array_equal(rounded(values, name).astype(np.float64), expected)


def test_arrays_from_files_get_their_type_back(tmp_path: object) -> None:
    array = rounded(np.array([[1.5, -0.1]]), "bfloat16")
    np.save(f"{tmp_path}/a.npy", array)
    read = np.load(f"{tmp_path}/a.npy")
    assert read.dtype.kind == "V"
    np.testing.assert_array_equal(stored(read), array, strict=True)
    assert stored(np.zeros(2, np.int16)).dtype == np.int16


def test_bfloat16_alone_needs_ml_dtypes() -> None:
    program = (
        "import sys\nfrom onnxconv.dtypes import numpy_dtype\nnumpy_dtype('float16')\n"
        "assert not {'numpy', 'ml_dtypes'} <= set(sys.modules)\nnumpy_dtype('bfloat16')\nassert 'ml_dtypes' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
