"""Bytes that are on their way to disk while the next ones are made."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

__all__ = ["write"]

BATCH = 1 << 26
"""Bytes after which what is written is sent to disk; systems wait for gigabytes if they are not asked."""
KEPT = 1 << 30
"""Bytes up to which a file stays in the system's memory for whoever reads it next."""


def write(pieces: Iterable[bytes | memoryview], stream: BinaryIO) -> None:
    """Write all pieces. A thread flushes those before them to disk, without which both would take their time in turn."""
    new, flushing = 0, Future[None]()
    flushing.set_result(None)
    with ThreadPoolExecutor(1) as thread:
        for piece in pieces:
            stream.write(piece)
            new += len(piece)
            if new >= BATCH and flushing.done():
                flushing.result()
                stream.flush()
                flushing, new = thread.submit(_flush, stream.fileno(), stream.tell()), 0
        flushing.result()


def _flush(file: int, size: int) -> None:
    """Send what is written to disk; of a large file it need not be kept, and memory that is used again is quicker than new."""
    os.fsync(file)
    if size > KEPT and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, 0, size, os.POSIX_FADV_DONTNEED)
