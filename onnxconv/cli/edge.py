"""The edge between the library and the shell: every way to end becomes text on standard error and an exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import click

from onnxconv.cli.output import forgotten
from onnxconv.errors import OnnxconvError

__all__ = ["BUG", "DISAGREED", "INTERRUPTED", "NOT_HERE", "USAGE", "guarded"]

USAGE = 2
DISAGREED = 1
NOT_HERE = 3
BUG = 70
"""EX_SOFTWARE of sysexits.h: an error in onnxconv itself, told apart from every verdict."""
INTERRUPTED = 130


def guarded(command: Callable[[], Any]) -> int:
    """Run a command; the exit status of whatever happens, after saying so on standard error, if that can be written."""
    status = _status(command)
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        forgotten(sys.stderr)
    return status


def _status(command: Callable[[], Any]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _terminated_as_interrupted():
            result = command()
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return INTERRUPTED
    except click.ClickException as mistake:
        with contextlib.suppress(OSError):
            mistake.show()
        return USAGE
    except OnnxconvError as error:
        _say(str(error))
        return error.exit_code
    except MemoryError as error:
        _say(f"not enough memory: {error}" if str(error) else "not enough memory")
        return NOT_HERE
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return USAGE
    except SystemExit as end:
        if "PacifyFlush" in type(sys.stdout).__name__:
            # The reader of what click printed, such as help, has gone away: click wraps the stream and exits with 1.
            return 0
        return end.code if isinstance(end.code, int) else BUG
    except Exception as bug:
        return _bug(bug)
    return result if isinstance(result, int) else 0


def _bug(bug: Exception) -> int:
    if os.environ.get("ONNXCONV_DEBUG"):
        traceback.print_exc()
    else:
        _say(f"this is a bug in onnxconv: {type(bug).__name__}: {bug}")
        _say("    fix: set ONNXCONV_DEBUG=1 to see where, and report it with the spec and the command")
    return BUG


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the reader, or the terminal, has gone away
        click.echo(text, err=True)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Meanwhile SIGTERM, and a terminal that is closed, unwind like Ctrl-C: half-written files and workers go away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as under nohup, which means it
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
