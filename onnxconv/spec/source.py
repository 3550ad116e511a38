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

__all__ = ["examine", "parse", "read"]


def parse(text: str, file: str = "<text>", set: Mapping[str, object] = {}) -> Spec:
    """The spec in a text, YAML or, where `file` ends in .json, JSON; `set` overrides its parameters.

    Raises SpecError with every mistake in the text.
    """
    mistakes = Mistakes()
    spec = _parsed(text, file, set, mistakes)
    mistakes.check()
    return spec


def read(source: Path | str | Mapping[str, object], set: Mapping[str, object] = {}) -> Spec:
    """The spec in a file, on standard input (``-``), in a Python mapping of the same form, or a problem of benchdnn's.

    Raises SpecError with every mistake, also where the file cannot be read.
    """
    mistakes = Mistakes()
    spec = _read(source, set, mistakes)
    mistakes.check()
    return spec


def examine(
    source: Path | str | Mapping[str, object], set: Mapping[str, object] = {}
) -> tuple[Spec | None, tuple[Diagnostic, ...]]:
    """What can be made out of a source, and every mistake in it: layers that are wrong are left out of the spec."""
    mistakes = Mistakes()
    try:
        return _read(source, set, mistakes), mistakes.found()
    except SpecError as error:
        return None, error.diagnostics


def _read(source: Path | str | Mapping[str, object], overrides: Mapping[str, object], mistakes: Mistakes) -> Spec:
    if isinstance(source, Mapping):
        return read_document(tree_of(source, mistakes), "", "network", overrides, mistakes)
    if isinstance(source, str) and is_descriptor(source):
        descriptor = source.strip()
        values = read_descriptor(source, mistakes)
        mistakes.check()
        return read_document(
            placed(tree_of(values, mistakes), Where(descriptor)), descriptor, "conv", overrides, mistakes
        )
    if source == "-":
        return _parsed(_decoded(sys.stdin.buffer.read(4 * LARGEST + 4), "<stdin>"), "<stdin>", overrides, mistakes)
    return _parsed(_decoded(_content(Path(source)), str(source)), str(source), overrides, mistakes)


def _parsed(text: str, file: str, overrides: Mapping[str, object], mistakes: Mistakes) -> Spec:
    tree = read_text(text, file, mistakes, strict_json=file.endswith(".json"))
    if tree is None:
        mistakes.check()
    stem = Path(file).stem if not file.startswith("<") else ""
    return read_document(tree, file, stem or "network", overrides, mistakes)


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
