"""The data types of tensors: one table that every room reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from onnxconv.deferred import np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["DTYPES", "FLOATS", "DataType", "numpy_dtype", "rounded", "shortest", "stored"]

Family: TypeAlias = Literal["float", "integer", "boolean"]


@dataclass(frozen=True, slots=True)
class DataType:
    """A data type by its NumPy name. Its numbers lie from `low` to `high`, infinities and NaN aside.

    `significand`: p bits, the leading one included, so that all integers up to 2^p are numbers and the unit roundoff is
    2^-p; of an integer all its bits but the sign's. `smallest`: the least positive number, subnormal where there are such.
    """

    name: str
    bytes: int
    family: Family
    significand: int
    smallest: float
    low: float
    high: float

    @property
    def unit(self) -> float:
        """u, half the distance from 1 to the next larger number; 0 of an integer, whose sums are exact."""
        return 2.0**-self.significand if self.family == "float" else 0.0

    @property
    def normal(self) -> float:
        """The least positive number with a full significand."""
        return self.smallest * 2.0 ** (self.significand - 1)


def _float(name: str, size: int, significand: int, exponent: int) -> DataType:
    """IEEE 754 binary interchange formats, and bfloat16 alike: `exponent` is emax, and emin = 1 − emax."""
    high = (2 - 2.0 ** (1 - significand)) * 2.0**exponent
    return DataType(name, size, "float", significand, 2.0 ** (2 - exponent - significand), -high, high)


def _integer(name: str, size: int) -> DataType:
    bits = 8 * size - (not name.startswith("u"))
    low = 0 if name.startswith("u") else -(2**bits)
    return DataType(name, size, "integer", bits, 1, low, 2**bits - 1)


_TABLE = (
    _float("float32", 4, 24, 127),
    _float("float64", 8, 53, 1023),
    _float("float16", 2, 11, 15),
    _float("bfloat16", 2, 8, 127),
    _integer("int8", 1),
    _integer("uint8", 1),
    _integer("int16", 2),
    _integer("uint16", 2),
    _integer("int32", 4),
    _integer("uint32", 4),
    _integer("int64", 8),
    _integer("uint64", 8),
    DataType("bool", 1, "boolean", 1, 1, 0, 1),
)

DTYPES: Mapping[str, DataType] = MappingProxyType({dtype.name: dtype for dtype in _TABLE})
"""Every data type that a tensor may have, by name."""

FLOATS = ("float32", "float64", "float16", "bfloat16")
"""The types that networks compute in."""


def numpy_dtype(name: str) -> np.dtype[Any]:
    """NumPy's data type of that name. bfloat16 is that of ml_dtypes, which is imported for it and for nothing else."""
    if name != "bfloat16":
        return np.dtype(name)
    import ml_dtypes

    found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return found


def rounded(values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Values rounded once to the data type, to the nearest, ties to even; what is too large for it becomes infinite."""
    target = numpy_dtype(name)
    if values.dtype == target:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        if name == "bfloat16" and values.dtype.itemsize > 4:
            values = _on_grid(values, DTYPES[name])
        return values.astype(target)


def _on_grid(values: npt.NDArray[Any], dtype: DataType) -> npt.NDArray[Any]:
    """Values rounded to the numbers of a narrower type. ml_dtypes 0.6 rounds float64 twice, to float32 first."""
    quantum = np.ldexp(1.0, np.frexp(values)[1] - dtype.significand)
    quantum = np.maximum(quantum, dtype.smallest)
    whole: npt.NDArray[Any] = np.where(np.isfinite(values), np.rint(values / quantum) * quantum, values)
    return whole


def shortest(value: float, name: str) -> float:
    """The decimal of fewest digits that rounds to the same number of a float type: 0.01, not 0.009999999776482582."""

    def near(number: float) -> bytes:
        return rounded(np.array(number), name).tobytes()

    tried = (float(f"{value:.{digits}g}") for digits in range(1, 18))
    return next(number for number in tried if near(number) == near(value))


def stored(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array as it comes out of an .npy file: NumPy writes bfloat16 as raw pairs of bytes, which are given their type."""
    if array.dtype.kind == "V" and array.dtype.itemsize == 2 and array.dtype.names is None:
        return array.view(numpy_dtype("bfloat16"))
    return array
