"""A runtime in a process of its own, seen from ours: it may crash or hang, we do not."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from onnxconv import errors
from onnxconv.errors import Diagnostic, OnnxconvError, UsageError, Where
from onnxconv.runtimes import frames
from onnxconv.runtimes.external import demand_inside
from onnxconv.runtimes.protocol import Array, Loaded, RuntimeAbsent, RuntimeFailed, Timing

START_TIMEOUT = 120.0
"""Seconds for a process to start and to import its runtime; not counted in the timeout of a load or a run."""

BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
from onnxconv.runtimes.worker import main
main()
"""
"""What the process runs. It sees the modules that we see; PYTHONPATH stays the user's, for programs of another Python."""

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What the usual pools of threads read their size from, when they are loaded."""

SAID = 8192
"""Bytes kept of the end of what a runtime prints."""


class Worker:
    """A runtime in a separate process, with the model that it has loaded last.

    `timeout`: seconds for one load or one run; `processors`: how many it may use, 0 for all. A process that died or was killed is replaced when it is needed again,
    with its model. Use it as a context manager, from one thread at a time.
    """

    def __init__(
        self,
        name: str,
        target: str,
        argument: tuple[str, ...] = (),
        *,
        timeout: float = 60.0,
        options: Mapping[str, str] | None = None,
        processors: int = 0,
    ) -> None:
        self.name, self.timeout, self.version, self.processors = name, timeout, "", processors
        self._command = [target, *argument]
        self._options = dict(options or {})
        self._model: Path | None = None
        self._prepares = False
        self._prepared: dict[str, list[int]] | None = None
        self._child: _Child | None = None
        self._open()

    def load(self, model_path: str | Path) -> Loaded:
        """Load the model at a path, in place of the one before.

        Raises `RuntimeFailed`; `ModelError` for a model that refers to files outside its folder.
        """
        self._model = None
        model = Path(model_path).absolute()
        demand_inside(model)
        header = self._load(model)
        self._model = model
        return Loaded(header["version"], header["placement"], tuple(header["unplaced"]))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, as the runtime returned them. Raises `RuntimeFailed`."""
        assert self._model is not None, "a model is loaded before it is run"
        self._prepare(self._model, inputs)
        return self._ask({"do": "run"}, inputs, self.timeout, "running the model")[1]

    def time(self, inputs: Mapping[str, Array], runs: int = 1) -> Timing:
        """How long a run takes inside the process, the mean of so many one after the other. Raises `RuntimeFailed`."""
        assert self._model is not None, "a model is loaded before it is timed"
        self._prepare(self._model, inputs)
        header, _ = self._ask({"do": "time", "runs": runs}, inputs, self.timeout * runs, "running the model")
        return Timing(header["seconds"], header["peak_bytes"])

    def close(self) -> None:
        """End the process, and whatever it has started."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        self._child = _Child(self._command, self.processors)
        request = {"do": "open", "options": self._options, "processors": self.processors}
        try:
            header, _ = self._ask(request, {}, START_TIMEOUT, "starting")
        except BaseException:
            self.close()
            raise
        self.version = header["version"]

    def _load(self, model: Path) -> dict[str, Any]:
        if self._child is None:
            self._open()
        self._prepared = None
        header = self._ask({"do": "load", "model": str(model)}, {}, self.timeout, "loading the model", model)[0]
        self._prepares = header["prepares"]
        return header

    def _prepare(self, model: Path, inputs: Mapping[str, Array]) -> None:
        """Have a process with the model, ready for inputs of these shapes."""
        if self._child is None:
            self._load(model)
        shapes = {name: list(array.shape) for name, array in inputs.items()}
        if self._prepares and shapes != self._prepared:
            self._ask({"do": "prepare", "shapes": shapes}, {}, self.timeout, "loading the model")
            self._prepared = shapes

    def _ask(
        self,
        request: Mapping[str, Any],
        arrays: Mapping[str, Array],
        seconds: float,
        doing: str,
        model: Path | None = None,
    ) -> tuple[dict[str, Any], dict[str, Array]]:
        """One request and its answer. A child that gives none is gone afterwards."""
        child = self._child
        assert child is not None, "somebody is there to be asked"
        try:
            with child.mortal_for(seconds) as expired:
                frames.write(child.requests, request, arrays)
                header, outputs = frames.read(child.answers)
        except (OSError, EOFError, frames.FrameError) as error:
            self._child = None
            status = child.end()
            if expired.is_set():
                reason = f"timed out after {seconds:g} s"
            elif isinstance(error, frames.FrameError):
                reason = "wrote rubbish into the worker's answers"
            else:
                reason = _last_act(status)
            raise RuntimeFailed(f"{reason} while {doing}", child.said()) from None
        except BaseException:
            child.kill()
            self.close()
            raise
        if expired.is_set():
            self.close()
        if "failed" in header:
            reason = _without_paths(header["failed"], child.folder, model or self._model)
            raise RuntimeFailed(f"{reason} while {doing}", child.said())
        if "absent" in header:
            raise RuntimeAbsent(header["absent"], header["fix"])
        if "mistake" in header:
            raise _mistake(header)
        return header, outputs


class _Child:
    """The process itself, in a process group and with a scratch folder of its own."""

    def __init__(self, command: list[str], processors: int) -> None:
        threads = dict.fromkeys(POOLS, str(processors)) if processors else {}
        self.folder = tempfile.mkdtemp(prefix="onnxconv-")
        seen = json.dumps([path or os.getcwd() for path in sys.path])
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", BOOT, seen, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **threads, "TMPDIR": self.folder},
            start_new_session=True,
        )
        self.requests: Any = self.process.stdin
        self.answers: Any = self.process.stdout
        self._said = b""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @contextlib.contextmanager
    def mortal_for(self, seconds: float) -> Iterator[threading.Event]:
        """Kill the group after so many seconds; yields the event that says it was done."""
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.kill()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield expired
        finally:
            timer.cancel()
            timer.join()

    def kill(self) -> None:
        """Kill the process and all in its group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except AttributeError:  # Windows has no process groups
            self.process.kill()
        except (ProcessLookupError, PermissionError):
            pass

    def end(self) -> int:
        """Close the pipes, give it a moment to leave by itself, kill what is left; its exit status."""
        with contextlib.suppress(OSError):
            self.requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2.0)
        self.kill()
        status = self.process.wait()
        self.answers.close()
        self._listener.join(0.5)
        shutil.rmtree(self.folder, ignore_errors=True)
        return status

    def said(self) -> str:
        """The end of what the process has printed."""
        return self._said.decode(errors="replace")

    def _listen(self) -> None:
        stream = self.process.stderr
        assert stream is not None, "standard error is a pipe"
        with stream:
            while chunk := stream.read(SAID):
                self._said = (self._said + chunk)[-SAID:]


def _mistake(header: Mapping[str, Any]) -> OnnxconvError:
    """The user's mistake that the worker has found, as an error of the same class."""
    kind = getattr(errors, header["mistake"], UsageError)
    found: OnnxconvError = kind(Diagnostic(Where(*where), *said) for where, *said in header["diagnostics"])
    return found


def _last_act(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"died with {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _without_paths(reason: str, folder: str, model: Path | None) -> str:
    """The reason without places that differ from one run to the next."""
    for long, short in ((str(model), model.name if model else ""), (folder, "…")):
        reason = reason.replace(long, short)
    return reason
