"""Results: to standard output, or to a file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from onnxconv.report import Style

__all__ = ["colourful", "deliver", "forgotten", "present", "remark", "style", "width", "written"]

ANSI: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "heading": {"bold": True},
    "rule": {"dim": True},
    "faint": {"dim": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "doubt": {"fg": "yellow"},
}


def colourful(stream: IO[Any] | None) -> bool:
    """Whether colours are welcome there: only on a terminal, and not against https://no-color.org."""
    return terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal(stream: IO[Any] | None) -> bool:
    """Whether a stream is a terminal; None is one that the shell has closed."""
    return stream is not None and stream.isatty()


def style(output: str | None = None) -> Style:
    """Colours for standard output, none for a file."""
    from onnxconv.report import plain

    if output is not None or not colourful(sys.stdout):
        return plain
    return lambda text, role: click.style(text, **ANSI[role])


def width(output: str | None = None) -> int:
    """Characters in a line: those of the terminal, else `WIDTH`, so that files do not depend on who makes them."""
    from onnxconv.report import WIDTH

    if output is not None or not terminal(sys.stdout):
        return WIDTH
    return max(60, shutil.get_terminal_size((WIDTH, 24)).columns)


def deliver(text: str, output: str | None = None) -> None:
    """Write a result to a file, or print it. A reader of standard output that has gone away is no error."""
    if output is not None:
        with written(output) as stream:
            stream.write(text.encode())
        return
    shell: IO[str] | None = sys.stdout
    if shell is None:
        raise click.ClickException("standard output is closed: there is nowhere to write to")
    try:
        click.echo(text, nl=False)
        shell.flush()
    except OSError as reason:
        forgotten(shell)
        if not isinstance(reason, BrokenPipeError):
            raise click.ClickException(f"standard output cannot be written: {reason.strerror}") from reason


@contextlib.contextmanager
def written(output: str) -> Iterator[Any]:
    """A stream that becomes the file when the block ends, or leaves nothing. A device or a pipe is written as it is."""
    path = Path(output)
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as stream:
            yield stream
        return
    from onnxconv.files import whole_files

    with whole_files(path) as (stream,):
        yield stream
    present(path)


def remark(text: str) -> None:
    """Say something about what was done on standard error, lines of it; it was done, whoever reads of it."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True, nl=False)


def present(path: str | Path) -> None:
    """Say on standard error that a file has appeared."""
    remark(f"wrote {path}\n")


def forgotten(stream: IO[str]) -> None:
    """What is left in the buffer of a stream that cannot be written is not tried again when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
