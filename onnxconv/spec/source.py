"""The doors of the room: text, a file, standard input, or a Python mapping."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from onnxconv.errors import Diagnostic, SpecError, Where
from onnxconv.spec.descriptor import is_descriptor, read_descriptor
from onnxconv.spec.document import read_document
from onnxconv.spec.mapping import placed, tree_of
from onnxconv.spec.mistakes import Mistakes
from onnxconv.spec.text import LARGEST, read_text
from onnxconv.spec.value import Spec

__all__ = ["parse", "read"]


def parse(text: str, file: str = "<text>", set: Mapping[str, object] = {}) -> Spec:
    """The spec in a text, YAML or, where `file` ends in .json, JSON; `set` overrides its parameters.

    Raises SpecError with every mistake in the text.
    """
    mistakes = Mistakes()
    tree = read_text(text, file, mistakes, strict_json=file.endswith(".json"))
    if tree is None:
        mistakes.check()
    stem = Path(file).stem if not file.startswith("<") else ""
    return read_document(tree, file, stem or "network", set, mistakes)


def read(source: Path | str | Mapping[str, object], set: Mapping[str, object] = {}) -> Spec:
    """The spec in a file, on standard input (``-``), in a Python mapping of the same form, or a problem of benchdnn's.

    Raises SpecError with every mistake, also where the file cannot be read.
    """
    if isinstance(source, Mapping):
        mistakes = Mistakes()
        return read_document(tree_of(source, mistakes), "", "network", set, mistakes)
    if isinstance(source, str) and is_descriptor(source):
        return _described(source, set)
    if source == "-":
        return parse(_decoded(sys.stdin.buffer.read(4 * LARGEST + 4), "<stdin>"), "<stdin>", set)
    return parse(_decoded(_content(Path(source)), str(source)), str(source), set)


def _described(descriptor: str, overrides: Mapping[str, object]) -> Spec:
    mistakes = Mistakes()
    values = read_descriptor(descriptor, mistakes)
    mistakes.check()
    tree = placed(tree_of(values, mistakes), Where(descriptor.strip()))
    return read_document(tree, descriptor.strip(), "conv", overrides, mistakes)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4 * LARGEST + 4)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        what = f"cannot be read: {reason}"
        raise SpecError(
            Diagnostic(Where(str(path)), "unreadable", what, "", "give the path of a .yaml or .json file")
        ) from error


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        where = Where(file, before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1)
        what = f"the byte 0x{content[error.start]:02x} is no UTF-8"
        raise SpecError(Diagnostic(where, "encoding", what, "a spec is UTF-8 text", "save it as UTF-8")) from error
