"""Files of named arrays, .npz and .safetensors: what they hold is known before any of it is read."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from onnxconv.deferred import np
from onnxconv.dtypes import FLOATS, stored
from onnxconv.errors import Diagnostic, WeightsError, Where
from onnxconv.geometry import Array

__all__ = ["Stored", "contents"]

_SAFETENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "|b1", "U8": "|u1", "I8": "|i1"} | {
    f"{kind}{bits}": f"<{kind.lower()}{bits // 8}" for kind in "UI" for bits in (16, 32, 64)
}
_HEADER_LIMIT = 100_000_000
"""Bytes; the safetensors format allows no larger header."""


_DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, ValueError, LookupError, TypeError, EOFError, RuntimeError)
"""What zipfile, json and NumPy raise on files that were tampered with."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One array of a file, described by its header and read only on demand."""

    file: Path
    name: str
    dtype: str
    """As the file calls it."""
    shape: tuple[int, ...]
    holds: str
    """Its data type by NumPy's name, where it has one."""
    offset: int = -1
    """Byte at which a safetensors array begins; −1 for a member of an .npz."""

    @property
    def number(self) -> bool:
        """It holds floating-point numbers."""
        return self.holds in FLOATS or self.holds.startswith("float")

    def read(self) -> Array:
        """The array; that of a safetensors file is mapped, not read. Raises `WeightsError` if the file is damaged."""
        if self.offset < 0:
            return _npz_member(self)
        mapped: Array = np.memmap(self.file, _SAFETENSORS[self.dtype], "r", self.offset, self.shape)
        if self.dtype != "BF16":
            return mapped
        # bfloat16 is the upper half of a float32.
        return (mapped.astype(np.uint32) << np.uint32(16)).view(np.float32)


def contents(file: Path) -> dict[str, Stored]:
    """What the file holds, by name. Raises `WeightsError` for a file that is neither .npz nor .safetensors."""
    suffixes = {".npz": _npz, ".safetensors": _safetensors}
    reader = suffixes.get(file.suffix.lower())
    if reader is None:
        raise _damaged(file, f"weights cannot be read from {file.name!r}", "use a .npz or a .safetensors file")
    try:
        return reader(file)
    except _DAMAGED as reason:
        said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise _damaged(file, f"this is not a readable {file.suffix} file: {said}") from reason


def _damaged(file: Path, what: str, fix: str = "") -> WeightsError:
    return WeightsError(Diagnostic(Where(str(file)), "weights-file", what, "", fix))


def _npz(file: Path) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename:
                raise ValueError(f"{name!r} in it is not an array")
            with archive.open(member) as stream:
                shape, _, dtype, header = _npy_header(stream)
            if member.file_size != header + math.prod(shape) * dtype.itemsize and dtype.kind != "O":
                raise ValueError(f"{name!r} says shape {list(shape)} of {dtype}, which is not its length")
            found[name] = Stored(file, name, str(dtype), shape, stored(np.empty(0, dtype)).dtype.name)
    return found


def _npy_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """(shape, in Fortran order, data type, bytes of header)"""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"it is written in version {version} of the .npy format")
    shape, fortran, dtype = readers[version](stream)
    return shape, fortran, dtype, stream.tell()


def _npz_member(one: Stored) -> Array:
    try:
        with np.load(one.file, allow_pickle=False) as archive:
            array: Array = archive[one.name]
    except _DAMAGED as reason:
        raise _damaged(one.file, f"{one.name!r} cannot be read: {reason}") from reason
    return stored(array)


def _safetensors(file: Path) -> dict[str, Stored]:
    """The format: 8 bytes of header length, a header in JSON, then the arrays, all little-endian."""
    with file.open("rb") as stream:
        header, start = _safetensors_header(stream)
        length = stream.seek(0, 2) - start
    found: dict[str, Stored] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype, (begin, end) = str(entry["dtype"]), entry["data_offsets"]
        shape = tuple(int(n) for n in entry["shape"])
        if dtype in _SAFETENSORS:
            size = math.prod(shape) * np.dtype(_SAFETENSORS[dtype]).itemsize
            if not 0 <= begin <= end <= length or min(shape, default=1) < 0 or end - begin != size:
                raise ValueError(
                    f"{name!r} says shape {list(shape)} of {dtype} in bytes {begin} to {end} of {length}, which do not match"
                )
        holds = "bfloat16" if dtype == "BF16" else np.dtype(_SAFETENSORS.get(dtype, object)).name
        found[name] = Stored(file, name, dtype, shape, holds, start + begin)
    return found


def _safetensors_header(stream: BinaryIO) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(stream.read(8), "little")
    if length > _HEADER_LIMIT:
        raise ValueError(f"its header claims {length} bytes")
    text = stream.read(length)
    if len(text) < length:
        raise ValueError("its header is cut off")
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header, 8 + length
