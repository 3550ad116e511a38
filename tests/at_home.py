"""Runtimes in this very process: all of a worker but the process, which takes longer to start than most tests last.

Frames travel through pipes and are answered by the worker's own loop, in a thread. What needs the protection of a process
(a crash, a hang, a choice of processors) is marked ``worker`` and gets one.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from onnxconv.runtimes import process
from onnxconv.runtimes.worker import Answer, Host, serve

ABROAD = ("cuda", "embed", "public", "runtimes")
"""Folders of tests about the processes of runtimes; the fast ones of the others are about what is made of their answers."""


class Guest(Host):
    """A host that leaves the processors of this process alone."""

    def open(self, header: Mapping[str, Any]) -> Answer:
        return super().open({**header, "processors": 0})


class Child:
    """What a `Worker` needs of its child."""

    folder = "/nowhere"

    def __init__(self, command: list[str], _processors: int) -> None:
        target, *argument = command
        theirs, self.requests = _pipe()
        self.answers, back = _pipe()
        self.thread = threading.Thread(target=_serve, args=(theirs, back, Guest(target, tuple(argument))), daemon=True)
        self.thread.start()

    @contextlib.contextmanager
    def mortal_for(self, _seconds: float) -> Iterator[threading.Event]:
        yield threading.Event()

    def kill(self) -> None:
        """A thread cannot be."""

    def end(self) -> int:
        self.requests.close()
        self.thread.join()
        self.answers.close()
        return 0

    def said(self) -> str:
        return ""


@pytest.fixture(autouse=True)
def at_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers without processes, but for slow tests, those of `ABROAD`, and those that are marked ``worker``."""
    item = request.node
    if item.path.parent.name in ABROAD or any(map(item.get_closest_marker, ("slow", "worker"))):
        yield
        return
    monkeypatch.setattr(process, "_Child", Child)
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "prepare", None) and Path(str(sys.modules[name].__file__)).stem == name:
            del sys.modules[name]


def _pipe() -> tuple[io.FileIO, io.FileIO]:
    reading, writing = os.pipe()
    return io.FileIO(reading, "rb"), io.FileIO(writing, "wb")


def _serve(requests: io.FileIO, answers: io.FileIO, host: Host) -> None:
    with requests, answers:
        serve(requests, answers, host)
