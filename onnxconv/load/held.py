"""Constants of a model by name, each turned into an array when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx

from onnxconv.geometry import Array
from onnxconv.load.file import array_of
from onnxconv.load.step import Constant

__all__ = ["Held"]


class Held(Mapping[str, Constant]):
    """What initializers and Constant nodes hold, and what was computed from them. Malformed tensors raise on access."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, Constant | onnx.TensorProto] = {}

    def tensor(self, name: str, tensor: onnx.TensorProto) -> None:
        self._known[name] = tensor

    def array(self, name: str, array: Array) -> None:
        self._known[name] = Constant(name, array)

    def alias(self, name: str, of: str) -> None:
        """Another name for the same weight."""
        self._known[name] = self._known[of]

    def __getitem__(self, name: str) -> Constant:
        found = self._known[name]
        if isinstance(found, onnx.TensorProto):
            found = Constant(found.name or name, array_of(found, self._file))
            self._known[name] = found
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
