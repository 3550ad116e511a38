"""The other process: `main` answers the frames on its standard input; its arguments are TARGET [ARGUMENT…].

TARGET is ``module:object``, what an entry point says. Requests and answers travel on the standard streams that the
process was born with; the runtime itself sees an empty standard input, and both its outputs end in standard error.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxconv.errors import Diagnostic, NotAvailable, OnnxconvError
from onnxconv.runtimes import frames
from onnxconv.runtimes.protocol import Array, Runtime, Session

GRACE = 1.0
"""Seconds that a busy worker lives on after its parent is gone."""

LONGEST_MESSAGE = 400
"""Characters kept of an exception's message."""

Answer = tuple[dict[str, Any], dict[str, Array]]


class NoArraysError(Exception):
    """A runtime returned something other than arrays by name."""


class Host:
    """One runtime and the model it has loaded last."""

    def __init__(self, target: str, argument: tuple[str, ...]) -> None:
        self.target, self.argument = target, argument
        self.runtime: Runtime | None = None
        self.session: Session | None = None

    def open(self, header: Mapping[str, Any]) -> Answer:
        if header["processors"] and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: header["processors"]])
        module, _, path = self.target.partition(":")
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
        self.runtime = found(*self.argument, header["options"])
        return {"version": str(self.runtime.version)}, {}

    def load(self, header: Mapping[str, Any]) -> Answer:
        assert self.runtime is not None, "open comes before load"
        self.session = None
        session = self.session = self.runtime.load(header["model"])
        placement = getattr(session, "placement", {})
        unplaced = getattr(session, "unplaced", ())
        return {
            "version": str(self.runtime.version),
            "placement": {str(provider): int(count) for provider, count in placement.items()},
            "unplaced": [str(node) for node in unplaced],
            "prepares": hasattr(session, "prepare"),
        }, {}

    def prepare(self, shapes: Mapping[str, Sequence[int]]) -> Answer:
        session: Any = self.session
        session.prepare({name: tuple(shape) for name, shape in shapes.items()})
        return {}, {}

    def run(self, inputs: dict[str, Array]) -> Answer:
        assert self.session is not None, "load comes before run"
        return {}, arrays_in(self.session.run(inputs))

    def time(self, runs: int, inputs: dict[str, Array]) -> Answer:
        assert self.session is not None, "load comes before run"
        start = time.perf_counter()
        for _ in range(runs):
            self.session.run(inputs)
        return {"seconds": (time.perf_counter() - start) / runs, "peak_bytes": _peak_bytes()}, {}


def arrays_in(returned: object) -> dict[str, Array]:
    """What a runtime returned, if it is numeric arrays by output name. Raises `NoArraysError`, saying what it is instead."""
    if not isinstance(returned, Mapping):
        raise NoArraysError(f"returned {_kind(returned)} instead of a dict of arrays by output name")
    arrays: dict[str, Array] = {}
    for name, value in returned.items():
        if not isinstance(name, str):
            raise NoArraysError(f"returned an output named {name!r}; a name is a str")
        if not (isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "__array__")):
            raise NoArraysError(f"returned {_kind(value)} instead of an array for output {name!r}")
        array = np.asarray(value)
        if not _travels(array.dtype):
            raise NoArraysError(
                f"returned an array of dtype {array.dtype} for output {name!r}; only numbers and bool compare"
            )
        arrays[name] = array
    return arrays


def answer(host: Host, header: Mapping[str, Any], inputs: dict[str, Array]) -> Answer:
    """Do what a request asks; whatever is raised becomes an answer too."""
    try:
        match header["do"]:
            case "open":
                return host.open(header)
            case "load":
                return host.load(header)
            case "prepare":
                return host.prepare(header["shapes"])
            case "time":
                return host.time(header["runs"], inputs)
            case _:
                return host.run(inputs)
    except NotAvailable as error:
        return {"absent": error.diagnostics[0].what, "fix": error.diagnostics[0].fix}, {}
    except OnnxconvError as error:
        return {"mistake": type(error).__name__, "diagnostics": [_plain(d) for d in error.diagnostics]}, {}
    except NoArraysError as error:
        return {"failed": str(error)}, {}
    except BaseException as error:  # a foreign runtime may raise anything, SystemExit and KeyboardInterrupt too
        return {"failed": raised(error)}, {}


def raised(error: BaseException) -> str:
    """The type of an exception and its message on one line."""
    try:
        message = " ".join(str(error).split())
    except Exception:
        message = "its message cannot be shown"
    short = message if len(message) <= LONGEST_MESSAGE else message[:LONGEST_MESSAGE] + " …"
    kind = "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
    return f"raised {kind}" + (f": {short}" if short else "")


def serve(requests: io.RawIOBase, answers: io.RawIOBase, host: Host) -> None:
    """Answer requests until there are no more."""
    while True:
        try:
            header, inputs = frames.read(requests)
        except EOFError:
            return
        reply, arrays = answer(host, header, inputs)
        del inputs
        frames.write(answers, reply, arrays)
        del arrays


def _peak_bytes() -> int | None:
    """The most memory that this process, or one that it has started, has held; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    children = unit * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):  # ru_maxrss of Linux counts what the parent held when it started us
        own = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, children)


def main() -> None:
    requests, answers = _take_streams()
    _die_with(requests)
    target, *argument = sys.argv[1:]
    serve(requests, answers, Host(target, tuple(argument)))


def _take_streams() -> tuple[io.FileIO, io.FileIO]:
    """Keep the standard streams to ourselves: what a runtime prints, at C level too, goes to standard error."""
    requests, answers = io.FileIO(os.dup(0), "rb"), io.FileIO(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if hasattr(os, "register_at_fork"):
        # A forked child that outlives us must not keep our parent waiting for the end of the answers.
        os.register_at_fork(after_in_child=requests.close)
        os.register_at_fork(after_in_child=answers.close)
    return requests, answers


def _die_with(requests: io.FileIO) -> None:
    """End this process and its children soon after the other end of `requests` is closed, even amid a computation."""
    import select

    if not hasattr(select, "poll"):
        return

    def watch() -> None:
        poll = select.poll()
        poll.register(requests.fileno(), 0)
        poll.poll()
        time.sleep(GRACE)
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _travels(dtype: np.dtype[Any]) -> bool:
    if dtype.kind in "biufc":
        return True
    try:
        return dtype.kind == "V" and frames.dtype_named(dtype.name) == dtype
    except (TypeError, ImportError):
        return False


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _plain(diagnostic: Diagnostic) -> list[Any]:
    where = diagnostic.where
    return [[where.file, where.line, where.column], diagnostic.code, diagnostic.what, diagnostic.why, diagnostic.fix]
