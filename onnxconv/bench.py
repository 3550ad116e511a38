"""Runtimes timed side by side on one network, each in a process of its own that may use as many processors as the others."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxconv.emit import fitting, save
from onnxconv.errors import UsageError
from onnxconv.graph import Graph
from onnxconv.runtimes import RuntimeAbsent, RuntimeFailed, Timing, Worker, start
from onnxconv.runtimes.protocol import Array
from onnxconv.runtimes.registry import split_options
from onnxconv.weights import Weights

__all__ = ["ROUND", "Timed", "bench"]

ROUND = 0.02
"""Seconds that one runtime's turn lasts at least, with as many runs as that takes."""

Progress = Callable[[float, float, str], None]
"""(done, total, what is going on)"""


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of a run in each round, `runs` of them a round, after a warm-up; or the `reason` why there are none.

    `peak_bytes`: the most memory that the process held, its interpreter and the model as it was loaded included.
    """

    runtime: str
    version: str = ""
    seconds: tuple[float, ...] = ()
    runs: int = 0
    peak_bytes: int | None = None
    reason: str = ""

    @property
    def median(self) -> float | None:
        """The median of its times in seconds, None where there are none."""
        return statistics.median(self.seconds) if self.seconds else None

    def ratio(self, other: Timed) -> float | None:
        """The median of the ratios to another's time in the same round, which what else the machine does spares."""
        pairs = tuple(zip(self.seconds, other.seconds, strict=False))
        return statistics.median(mine / theirs for mine, theirs in pairs) if pairs else None


def bench(
    graph: Graph,
    weights: Weights,
    inputs: Mapping[str, Array],
    *,
    runtimes: Sequence[str],
    model: Path | None = None,
    threads: int = 1,
    repeat: int = 10,
    timeout: float = 60.0,
    options: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> tuple[Timed, ...]:
    """Every runtime on the same inputs, in rounds in which each of them has one turn; `model`: the file to time, else one is written.

    `options` goes to each runtime that is asked for, `timeout` is the seconds of one load or one run. A runtime that is
    absent or fails has a reason instead of times. Raises `UsageError` for unknown runtimes and options.
    """
    advance = progress or (lambda done, total, doing: None)
    with contextlib.ExitStack() as stack:
        if model is None:
            model = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onnxconv-"))) / "model.onnx"
            save(graph, weights, model, fitting(graph))
        turns = []
        for place, name in enumerate(runtimes):
            advance(0, repeat, f"{name} warms up ({place + 1} of {len(runtimes)})")
            turns.append(_Turn(name, stack, inputs))
            turns[-1].warm_up(model, threads, timeout, options or {})
        for done in range(repeat):
            for turn in turns:
                advance(done, repeat, f"round {done + 1}: {turn.name}")
                turn.take()
        return tuple(turn.timed() for turn in turns)


class _Turn:
    """A runtime in the course of being timed."""

    def __init__(self, name: str, stack: contextlib.ExitStack, inputs: Mapping[str, Array]) -> None:
        self.name, self.stack, self.inputs = name, stack, inputs
        self.worker: Worker | None = None
        self.runs, self.reason, self.version = 1, "", ""
        self.timings: list[Timing] = []

    def warm_up(self, model: Path, threads: int, timeout: float, options: Mapping[str, object]) -> None:
        """Start, load, and run twice: the first run may make plans, the second tells how many runs make a round."""
        try:
            self.worker = self.stack.enter_context(_started(self.name, threads, timeout, options))
            self.version = self.worker.load(model).version
            self.worker.time(self.inputs)
            self.runs = max(1, round(ROUND / max(1e-6, self.worker.time(self.inputs).seconds)))
        except (RuntimeAbsent, RuntimeFailed) as error:
            self._fail(error.reason)

    def take(self) -> None:
        """One round, unless it has failed."""
        if self.worker is None:
            return
        try:
            self.timings.append(self.worker.time(self.inputs, self.runs))
        except RuntimeFailed as error:
            self._fail(error.reason)

    def timed(self) -> Timed:
        if self.worker is None:
            return Timed(self.name, self.version, reason=self.reason)
        seconds = tuple(timing.seconds for timing in self.timings)
        return Timed(self.name, self.version, seconds, self.runs, self.timings[-1].peak_bytes)

    def _fail(self, reason: str) -> None:
        self.reason, self.worker = reason, None


def _started(name: str, threads: int, timeout: float, options: Mapping[str, object]) -> Worker:
    """The runtime on so many processors, told the number of threads too where it has an option for that."""
    asked = {**split_options(name)[1], **options}
    try:
        return start(name, timeout=timeout, options={"threads": threads, **asked}, processors=threads)
    except UsageError as error:
        if {found.code for found in error.diagnostics} != {"unknown-option"} or "threads" in asked:
            raise
        return start(name, timeout=timeout, options=options, processors=threads)
