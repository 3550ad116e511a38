"""Several who compute a run together: threads, and processes that share memory and nothing else."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import pytest
from execute.single import node

import onnxconv.execute.fast.crew as crew_module
from onnxconv.execute.fast import Program, make_plan
from onnxconv.execute.fast.crew import Alone, Crew, Processes, Threads, crew_of
from onnxconv.geometry import Axis
from onnxconv.graph import Graph, Param, TensorType
from onnxconv.ops import AveragePool, Conv, MaxPool, Sigmoid

forks = pytest.mark.skipif(sys.platform != "linux", reason="processes share memory by fork, on Linux")

WAIT = 10.0
"""Seconds for a process to be gone."""


def network(dtype: str = "float32") -> tuple[Graph, dict[Param, np.ndarray], dict[str, np.ndarray]]:
    window = (Axis(3, 2, pad=(1, 1)),) * 2
    shape: tuple[int, ...] = (1, 5, 101, 90)
    graph_input, nodes = (("x", TensorType(dtype, shape)),), []
    layers = (
        ("c", Conv(window, 160)),
        ("s", Sigmoid()),
        ("d", Conv((Axis(3, 1, pad=(1, 1)),) * 2, 160, 80)),
        ("p", MaxPool(window)),
        ("q", AveragePool((Axis(2),) * 2)),
    )
    before = "x"
    for name, op in layers:
        nodes.append(node(name, op, (before,), shape, dtype=dtype))
        shape, before = nodes[-1].type.shape, name
    graph = Graph("chain", graph_input, tuple(nodes), ("q",))
    rng = np.random.default_rng(0)
    w = {p: rng.standard_normal(p.shape).astype(p.dtype) for p in graph.params()}
    return graph, w, {"x": rng.standard_normal((1, 5, 101, 90)).astype(dtype)}


def program(size: int, *, processes: bool, dtype: str = "float32") -> tuple[Program, dict[str, np.ndarray]]:
    graph, w, inputs = network(dtype)
    return Program(make_plan(graph, w, {"x": inputs["x"].shape}), size, processes=processes), inputs


def crews(size: int, steps: int) -> Iterator[Crew]:
    yield Threads(size, steps)
    if sys.platform == "linux":
        yield Processes(size, steps)


def gone(pid: int) -> bool:
    """Whether a process has ended, within `WAIT`."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{pid}/stat") as file:  # one whose parent never asks stays in the list
            if file.read().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_how_many_compute_changes_no_bit(dtype: str) -> None:
    found = set()
    for size, processes in ((1, False), (2, False), (3, False), (2, True), (3, True)):
        computing, inputs = program(size, processes=processes, dtype=dtype)
        found |= {computing.run(inputs)["q"].tobytes() for _ in range(3)}
    assert len(found) == 1


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("size", "processes"), [(1, False), (2, False), pytest.param(2, True, marks=forks)])
def test_each_run_reads_what_it_is_given_and_hands_out_arrays_of_its_own(
    size: int, processes: bool, dtype: str
) -> None:
    """What was computed once, and all that was kept for later runs, shows in none of them."""
    computing, inputs = program(size, processes=processes, dtype=dtype)
    given = [{"x": inputs["x"] + inputs["x"].dtype.type(i)} for i in (0, 1, 2)]
    fresh = [program(1, processes=False, dtype=dtype)[0].run(one)["q"] for one in given]
    found = [computing.run(given[i])["q"] for i in (0, 1, 1, 2, 0)]
    assert len({one.tobytes() for one in fresh}) == 3
    for i, one in zip((0, 1, 1, 2, 0), found, strict=True):
        assert one.tobytes() == fresh[i].tobytes()


def counting(crew: Crew, taken: np.ndarray, met: np.ndarray) -> Callable[[int], None]:
    """Work that counts the blocks that are taken of each step, taken[step, block], and who met, met[step, number]."""

    def work(number: int) -> None:
        for step in range(len(met)):
            for block in crew.left(step, step % 7):
                taken[step, block] += 1
            met[step, number] += 1
            crew.meet(number)
            assert (met[step] == met[step, number]).all(), "somebody was not there"

    return work


@pytest.mark.parametrize("size", [2, 3])
def test_every_block_is_taken_once_and_all_meet(size: int) -> None:
    for crew in crews(size, 20):
        taken, met = crew.memory(20 * 7).reshape(20, 7), crew.memory(20 * size).reshape(20, size)
        met[...] = 0
        for runs in range(1, 4):
            taken[...] = 0
            crew.run(counting(crew, taken, met))
            assert taken.tolist() == [[1] * (step % 7) + [0] * (7 - step % 7) for step in range(20)]
            assert (met == runs).all()


def failing(crew: Crew, who: int) -> Callable[[int], None]:
    attempts = count()

    def work(number: int) -> None:
        for step in range(3):
            if step == 1 and number == who and next(attempts) == 0:
                raise MemoryError("no room")
            crew.meet(number)

    return work


@pytest.mark.parametrize("who", [0, 1])
def test_a_failure_is_told_and_the_next_run_is_whole(who: int) -> None:
    for crew in crews(2, 3):
        with pytest.raises((MemoryError, RuntimeError), match=r"no room|has ended"):
            crew.run(failing(crew, who))
        crew.run(failing(crew, -1))


@forks
def test_a_process_that_was_killed_is_told_and_replaced() -> None:
    computing, inputs = program(2, processes=True)
    expected = computing.run(inputs)["q"].tobytes()
    (pid,) = computing._crew._others  # type: ignore[attr-defined]
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="one of the processes that compute together has ended"):
        computing.run(inputs)
    assert computing.run(inputs)["q"].tobytes() == expected
    assert pid not in computing._crew._others  # type: ignore[attr-defined]


@forks
def test_processes_end_with_their_program() -> None:
    computing, inputs = program(2, processes=True)
    computing.run(inputs)
    (pid,) = computing._crew._others  # type: ignore[attr-defined]
    del computing
    gc.collect()
    assert gone(pid)


@forks
def test_processes_end_when_who_asks_is_killed() -> None:
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "from execute.test_crew import program\n"
        "one, inputs = program(3, processes=True); one.run(inputs)\n"
        "two, inputs = program(2, processes=True); two.run(inputs)\n"
        "print(*one._crew._others, *two._crew._others, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    tests = os.path.dirname(os.path.dirname(__file__))
    done = subprocess.run([sys.executable, "-c", script, tests], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = [int(text) for text in done.stdout.split()]
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


@forks
@pytest.mark.parametrize("forbidden", [False, True])
def test_a_process_leaves_the_processor_of_those_before_it(forbidden: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it may, and stays allowed on all."""
    allowed, crew = os.sched_getaffinity(0), Processes(2, 1)
    if len(allowed) < 2:
        pytest.skip("there is one processor")
    if forbidden:
        monkeypatch.setattr(os, "sched_setaffinity", refusing)
    for _ in range(10):
        crew._processors[0] = crew_module._processor()
        crew._make_way(1)
        assert forbidden or crew._processors[1] != crew._processors[0]
        assert os.sched_getaffinity(0) == allowed


def refusing(*_: object) -> None:
    raise PermissionError("not here")


def test_one_is_alone_and_a_system_without_semaphores_has_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(crew_of(1, 3, processes=True), Alone)
    assert isinstance(crew_of(2, 3, processes=False), Threads)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert isinstance(crew_of(2, 3, processes=True), Threads)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setitem(sys.modules, "multiprocessing", None)
    assert isinstance(crew_of(2, 3, processes=True), Threads)
