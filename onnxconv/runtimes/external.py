"""The files that a model keeps its weights in, beside the model and nowhere else."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from onnxconv.errors import Diagnostic, ModelError, Where


def external_files(model: Path) -> tuple[str, ...]:
    """Locations of external data that a model names, sorted; most models have none, and then onnx is not imported.

    Raises `ModelError` for a file that is no model.
    """
    if not _mentions(model, b"location"):
        return ()
    import onnx

    try:
        proto = onnx.load(str(model), load_external_data=False)
    except Exception as error:
        raise ModelError(_diagnostic(model, "not-a-model", "this is no ONNX model", str(error))) from error
    return tuple(sorted({e.value for t in _tensors(proto) for e in t.external_data if e.key == "location"}))


def demand_inside(model: Path) -> None:
    """Refuse a model that refers to files outside its folder (`ModelError`).

    onnxruntime follows hard and symbolic links, and other runtimes read ``../``: a model from a stranger could carry
    any file of this machine into a tensor.
    """
    if not model.is_file():
        raise ModelError(_diagnostic(model, "no-model", "there is no such file"))
    folder = model.parent.resolve()
    rule = "external data lie in the model's folder, in files that are no links"
    mistakes = []
    for location in external_files(model):
        file = folder / location
        inside = not (
            PurePosixPath(location).is_absolute() or PureWindowsPath(location).drive or ".." in _parts(location)
        )
        if not inside or not file.resolve().is_relative_to(folder) or file.is_symlink():
            what, fix = f"external data in {location!r} lie outside the model's folder", "copy the file into the folder"
        elif file.exists() and file.stat().st_nlink > 1:
            what, fix = (
                f"external data in {location!r} are a hard link",
                f"replace it by a copy: cp {location} copy && mv copy {location}",
            )
        else:
            continue
        mistakes.append(Diagnostic(Where(str(model)), "external-data", what, rule, fix))
    if mistakes:
        raise ModelError(mistakes)


def _mentions(path: Path, word: bytes) -> bool:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(word) >= 0


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor within a protobuf message, however deep."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in (value,) if hasattr(value, "ListFields") else value:
            if field.message_type.name == "TensorProto":
                yield part
            else:
                yield from _tensors(part)


def _parts(location: str) -> tuple[str, ...]:
    return (*PurePosixPath(location).parts, *PureWindowsPath(location).parts)


def _diagnostic(model: Path, code: str, what: str, why: str = "") -> Diagnostic:
    return Diagnostic(Where(str(model)), code, what, why)
