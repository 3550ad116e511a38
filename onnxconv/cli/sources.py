"""Sources named on the command line, read into networks; all mistakes of all of them are told at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxconv.errors import Diagnostic, OnnxconvError

if TYPE_CHECKING:
    from onnxconv.network import Network

__all__ = ["keep", "networks"]


def networks(sources: Sequence[str], **options: Any) -> list[Network]:
    """The networks, in order; options are those of `onnxconv.read`. Raises `OnnxconvError` with every mistake in every source."""
    from onnxconv.network import read

    if list(sources).count("-") > 1:
        raise click.UsageError("standard input, -, can be read only once")
    found: list[Network] = []
    mistakes: list[Diagnostic] = []
    for source in sources:
        try:
            found.append(read(source, **options))
        except OnnxconvError as error:
            mistakes += error.diagnostics
    if mistakes:
        raise OnnxconvError(dict.fromkeys(mistakes))
    return found


def keep(read: Iterable[str | None], output: str | Path | None) -> None:
    """Refuse to write over what is read. Raises `click.UsageError`."""
    if output is not None and Path(output).resolve() in {Path(file).resolve() for file in read if file is not None}:
        raise click.UsageError(f"{output} is read by this command: write the result somewhere else")
