"""Files that appear whole or not at all: written beside their destination, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from onnxconv.errors import Diagnostic, UsageError, Where

__all__ = ["whole_files", "whole_folder"]

ARRAYS = (".data", ".safetensors")
"""Endings of files that another one gives a meaning to."""


@contextlib.contextmanager
def whole_files(*paths: Path) -> Iterator[tuple[BinaryIO, ...]]:
    """Open streams that become the files `paths` when the block ends, in their order; if it fails, none of them.

    The last one makes sense of the others: while those are replaced, an older last one is not there. So at every
    moment, a kill included, the last file is absent, or belongs to the others. SIGTERM cleans up as SIGINT does; a kill
    without notice (SIGKILL) may leave hidden temporary files, or others without the last.
    Raises `UsageError` where nothing can be written.
    """
    try:
        with _terminating_politely(), contextlib.ExitStack() as opened:
            streams = tuple(opened.enter_context(_beside(path)) for path in paths)
            yield streams
            for stream in streams:
                stream.flush()
                os.fsync(stream.fileno())
            if len(paths) > 1:
                paths[-1].unlink(missing_ok=True)
            for stream, path in zip(streams, paths, strict=True):
                _sync_folder(path.parent)
                os.replace(stream.name, path)
            _sync_folder(paths[-1].parent)
    except OSError as reason:
        what = f"{paths[-1]} cannot be written: {reason.strerror or reason}"
        fix = "choose a path in an existing folder that you may write to, with enough space"
        raise UsageError(Diagnostic(Where(), "cannot-write", what, "", fix)) from reason


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder whose files move to `folder`, which need not exist, when the block ends; if it fails, none of them.

    What refers to others comes last: arrays are there before the model or spec that needs them, and an older model never
    meets newer data. Raises `UsageError` where nothing can be written.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".onnxconv-", dir=there) as hidden:
            yield Path(hidden)
            folder.mkdir(parents=True, exist_ok=True)
            for made in sorted(Path(hidden).iterdir(), key=lambda file: file.suffix not in ARRAYS):
                if made.suffix == ".data":
                    (folder / made.stem).unlink(missing_ok=True)
                os.replace(made, folder / made.name)
    except OSError as reason:
        what = f"{folder} cannot be written to: {reason.strerror or reason}"
        fix = "choose a folder that you may write to, with enough space"
        raise UsageError(Diagnostic(Where(), "cannot-write", what, "", fix)) from reason


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    """A temporary file in the same folder, gone at the end unless it was renamed. Created with the usual permissions."""
    if path.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        with temporary.open("xb") as stream:
            yield stream
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the system can."""
    if sys.platform != "win32":
        at = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(at)
        finally:
            os.close(at)


@contextlib.contextmanager
def _terminating_politely() -> Iterator[None]:
    """Turn SIGTERM into `SystemExit` meanwhile, unless the program handles it itself."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not ours:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
