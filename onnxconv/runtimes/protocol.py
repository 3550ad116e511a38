"""What a runtime is to us, and what can go wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy.typing as npt

from onnxconv.errors import Diagnostic, NotAvailable, OnnxconvError, Where

Array: TypeAlias = npt.NDArray[Any]


class Session(Protocol):
    """A loaded model. It may also have `placement` and `unplaced`, with the meaning they have in `Loaded`.

    One that is made ready anew for other sizes has `prepare(shapes)` too, the shapes of all inputs by name: it is called before
    a run with other shapes than the last, and the time that it takes is that of loading.
    """

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """All outputs of the model by name."""


class Runtime(Protocol):
    """Something that loads ONNX models, living inside a worker process.

    An entry point in the group ``onnxconv.runtimes`` names a callable that takes the options (a mapping of text to
    text) and returns a runtime; a class with these two members is such a callable. It raises `RuntimeAbsent` where it
    cannot work on this machine, and `UsageError` for an option that it does not know.
    """

    version: str

    def load(self, model_path: str) -> Session:
        """The model at an absolute path, ready to run; whatever it raises fails the model, not the process."""


@dataclass(frozen=True, slots=True)
class Available:
    """The runtime can work here."""

    version: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The runtime cannot work here: what is missing, and what to do about it."""

    reason: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that a runtime has accepted.

    `placement`: nodes per execution provider, empty where the runtime does not say. `unplaced`: the nodes that the
    runtime put elsewhere than on the device asked for, in their order in the graph.
    """

    version: str
    placement: dict[str, int]
    unplaced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a run, and the most bytes of memory that the process has held so far; None where the system does not tell."""

    seconds: float
    peak_bytes: int | None


class RuntimeAbsent(NotAvailable):
    """A runtime that cannot work on this machine; nothing was run."""

    def __init__(self, reason: str, fix: str = "") -> None:
        self.reason, self.fix = reason, fix
        super().__init__(Diagnostic(Where(), "runtime-absent", reason, "", fix))

    @property
    def with_fix(self) -> str:
        """What is missing, and what to do about it, as one reason."""
        return f"{self.reason}; fix: {self.fix}" if self.fix else self.reason


class RuntimeFailed(OnnxconvError):
    """A runtime that raised, died, hung or returned something that is no array.

    `reason` says which, without anything that changes from one run to the next; `said` is the end of what the runtime
    wrote to its standard output and error.
    """

    exit_code = 1

    def __init__(self, reason: str, said: str = "") -> None:
        self.reason, self.said = reason, said
        last = said.strip().splitlines()[-1:]
        super().__init__(
            Diagnostic(Where(), "runtime-failed", reason, "".join(f"the runtime's last words: {s}" for s in last))
        )
