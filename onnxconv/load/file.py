"""An ONNX file as a checked protobuf message, and its constant tensors as arrays. Nothing in the file is trusted."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from onnxconv.dtypes import DTYPES, numpy_dtype
from onnxconv.errors import Diagnostic, ModelError, Where
from onnxconv.geometry import Array

__all__ = ["array_of", "dtype_name", "message", "refuse"]

_LIMIT = 2**31 - 1
"""Bytes; no protobuf message is longer."""


def refuse(file: Path, code: str, what: str, why: str = "", fix: str = "") -> ModelError:
    """The error to raise about a model as a whole."""
    return ModelError(Diagnostic(Where(str(file)), code, what, why, fix))


def message(file: Path) -> onnx.ModelProto:
    """The file parsed, external tensors left alone. Raises `ModelError` for anything but an ONNX model."""
    try:
        if file.stat().st_size > _LIMIT:
            raise refuse(
                file, "too-large", f"it has {file.stat().st_size} bytes", f"an ONNX file ends at {_LIMIT} bytes"
            )
        model = onnx.load_model_from_string(file.read_bytes())
    except OSError as reason:
        raise refuse(file, "not-readable", f"it cannot be read: {reason.strerror or reason}") from reason
    except (DecodeError, ValueError) as reason:
        raise refuse(file, "not-onnx", "this is not an ONNX model", "", "export it again") from reason
    if not _is_text(model):
        raise refuse(file, "not-onnx", "it holds text that is not UTF-8", "", "export it again")
    if not model.HasField("graph"):
        raise refuse(file, "not-onnx", "this is not an ONNX model: it has no graph", "", "export it again")
    return model


def _is_text(message: Any) -> bool:
    """All strings within a message are text; protobuf 7 gives bytes for those that are not."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            if not all(isinstance(part, str) for part in ((value,) if isinstance(value, str | bytes) else value)):
                return False
        elif field.type == field.TYPE_MESSAGE and not all(
            map(_is_text, (value,) if hasattr(value, "ListFields") else value)
        ):
            return False
    return True


def dtype_name(number: int) -> str:
    """Our name of one of ONNX's data types, or words for one that we do not have."""
    known: dict[int, str] = {n: name.lower() for name, n in onnx.TensorProto.DataType.items()}
    renamed = {"float": "float32", "double": "float64"}
    return renamed.get(known.get(number, ""), known.get(number, f"of unknown type {number}"))


def array_of(tensor: onnx.TensorProto, file: Path) -> Array:
    """The array of a constant tensor; external ones are mapped, not read. Raises `ModelError` for malformed ones."""
    try:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            return _mapped(tensor, file)
        if tensor.data_type == onnx.TensorProto.BFLOAT16:
            return _halves(tensor)
        array: Array = onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, LookupError, OverflowError, OSError) as reason:
        raise refuse(file, "tensor", f"tensor {tensor.name!r} is malformed: {reason}") from reason
    return array


def _halves(tensor: onnx.TensorProto) -> Array:
    """bfloat16 numbers from their bits: onnx 1.17 makes others of them."""
    held = tensor.HasField("raw_data")
    bits = np.frombuffer(tensor.raw_data, "<u2") if held else np.array(tensor.int32_data, np.int64).astype("<u2")
    return bits.astype(np.uint16).view(numpy_dtype("bfloat16")).reshape(tuple(tensor.dims))


def _mapped(tensor: onnx.TensorProto, file: Path) -> Array:
    """Only a regular file in the model's own folder or below it is read, reached without symbolic links."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    place = PurePosixPath(entries.get("location", "").replace("\\", "/"))
    if not place.parts or place.is_absolute() or ".." in place.parts or ":" in place.parts[0] or "\0" in str(place):
        why = "external data lie in the model's folder or below it"
        raise refuse(file, "external-data", f"tensor {tensor.name!r} lies in {entries.get('location')!r}", why)
    at = file.parent
    for part in place.parts:
        at = at / part
        if at.is_symlink():
            why = "external data are not followed through symbolic links"
            raise refuse(file, "external-data", f"tensor {tensor.name!r}: {str(place)!r} is a symbolic link", why)
    if not at.is_file():
        fix = "copy it along with the model"
        raise refuse(file, "external-data", f"tensor {tensor.name!r}: there is no file {str(place)!r}", "", fix)
    return _slice(tensor, at, int(entries.get("offset", "0")), entries.get("length"))


def _slice(tensor: onnx.TensorProto, at: Path, offset: int, length: str | None) -> Array:
    if (name := dtype_name(tensor.data_type)) not in DTYPES:
        raise ValueError(f"it is {name}; tensors are of type {', '.join(DTYPES)}")
    shape, dtype = tuple(tensor.dims), numpy_dtype(name).newbyteorder("<")
    size = math.prod(shape) * dtype.itemsize
    has = at.stat().st_size
    if min(shape, default=1) < 0 or offset < 0 or offset + size > has or (length is not None and int(length) != size):
        what = f"shape {list(shape)} needs {size} bytes from {offset}; it says {length}, and {at.name!r} has {has}"
        raise ValueError(what)
    if not size:
        return np.zeros(shape, dtype)
    mapped: Array = np.memmap(at, dtype, "r", offset, shape or (1,))
    return mapped.reshape(shape)
