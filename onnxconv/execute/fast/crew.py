"""Who computes a run: one, or several at a time, who take blocks that nobody else has taken and meet after each step.

Threads of one interpreter wait for its lock and wake each other up for longer than many a step takes. Processes share
nothing but the memory that tensors lie in, and wait by asking again and again: where the system can fork, they are as
many times as fast as they are, threads hardly are.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache, partial
from itertools import count
from typing import Any, Protocol, TypeAlias

import numpy as np

from onnxconv.execute.fast.memory import ALIGNMENT
from onnxconv.execute.parts import one_blas_thread
from onnxconv.geometry import Array

__all__ = ["Crew", "crew_of"]

EAGER = 0.002
"""Seconds for which a process that waits for the others does not sleep: steps take less."""

CHECKED = 0.5
"""Seconds after which a process that sleeps looks whether the others are still there."""

ENDED = "one of the processes that compute together has ended"

Work: TypeAlias = Callable[[int], None]
"""What each of a crew does, told its number from 0; number 0 is who asks for the run."""


class Crew(Protocol):
    """So many workers. `apart`: they see only the memory that the crew made, and do what they were told first."""

    count: int
    apart: bool

    def memory(self, size: int) -> Array:
        """So many bytes that all of them see, from the start of a cache line on."""

    def run(self, work: Work) -> None:
        """Each of them does the work."""

    def left(self, step: int, blocks: int) -> Iterator[int]:
        """Those of so many blocks of a step that nobody has taken, taken one by one."""

    def meet(self, number: int) -> None:
        """Wait until everybody is here."""


def crew_of(size: int, steps: int, *, processes: bool) -> Crew:
    """So many workers for runs of so many steps: processes if they are asked for and the system has what they need."""
    if size == 1:
        return Alone()
    if processes and sys.platform == "linux":
        try:
            return Processes(size, steps)
        except (ImportError, OSError):  # no semaphores, as where there is no /dev/shm
            pass
    return Threads(size, steps)


def _aligned(room: Array) -> Array:
    """The memory from the start of a cache line on."""
    return room[-room.ctypes.data % ALIGNMENT :]


class Alone:
    """Nobody but who asks."""

    count, apart = 1, False

    def memory(self, size: int) -> Array:
        return _aligned(np.empty(size + ALIGNMENT, np.uint8))[:size]

    def run(self, work: Work) -> None:
        work(0)

    def left(self, step: int, blocks: int) -> Iterator[int]:
        return iter(range(blocks))

    def meet(self, number: int) -> None:
        return None


class Threads(Alone):
    """Threads of this process."""

    def __init__(self, size: int, steps: int) -> None:
        self.count, self.steps = size, steps
        self._pool = ThreadPoolExecutor(size - 1)
        self._everybody = threading.Barrier(size)
        self._taken: list[Iterator[int]] = []

    def run(self, work: Work) -> None:
        self._everybody.reset()
        self._taken = [count() for _ in range(self.steps)]

        def done(number: int) -> None:
            try:
                work(number)
            except BaseException:
                self._everybody.abort()
                raise

        others = [self._pool.submit(done, number) for number in range(1, self.count)]
        try:
            done(0)
        except threading.BrokenBarrierError:  # another one tells why
            pass
        except BaseException:
            wait(others)
            raise
        for other in others:
            if not isinstance(failure := other.exception(), threading.BrokenBarrierError | None):
                raise failure

    def left(self, step: int, blocks: int) -> Iterator[int]:
        while (place := next(self._taken[step])) < blocks:
            yield place

    def meet(self, number: int) -> None:
        self._everybody.wait()


class Processes:
    """This process and forks of it, which end when it does, or when nobody holds the crew any more."""

    apart = True

    def __init__(self, size: int, steps: int) -> None:
        from multiprocessing import get_context

        self._context = get_context("fork")
        self.count = size
        self._taken = self.memory(8 * steps).view(np.int64)
        self._processors = self.memory(8 * size).view(np.int64)
        self._meetings = 0
        self._renew()
        self._asking = os.getpid()
        self._others: list[int] = []
        self._end: Callable[[], Any] = lambda: None

    def memory(self, size: int) -> Array:
        return _aligned(np.frombuffer(mmap.mmap(-1, size + ALIGNMENT), np.uint8))[:size]

    def run(self, work: Work) -> None:
        if not self._others:
            self._fork(work)
        self._taken[...] = 0
        try:
            self._processors[0] = _processor()
            for _ in self._others:
                self._asked.release()
            work(0)
        except BaseException:  # the others may be anywhere in it: the next run has new ones
            self._end()
            self._others = []
            self._renew()
            raise

    def left(self, step: int, blocks: int) -> Iterator[int]:
        while True:
            self._wait(self._lock)
            place = int(self._taken[step])
            self._taken[step] = place + 1
            self._lock.release()
            if place >= blocks:
                return
            yield place

    def meet(self, number: int) -> None:
        arrived = self._arrived[self._meetings % 2]
        self._meetings += 1
        for other in range(self.count):
            if other != number:
                arrived[other].release()
        for _ in range(self.count - 1):
            self._wait(arrived[number])

    def _wait(self, semaphore: Any) -> None:
        """Acquire a semaphore: awake at first, as a rule it takes microseconds."""
        if semaphore.acquire(False):
            return
        until = time.perf_counter() + EAGER
        while time.perf_counter() < until:
            for _ in range(64):
                if semaphore.acquire(False):
                    return
        self._sleep(semaphore)

    def _sleep(self, semaphore: Any) -> None:
        while not semaphore.acquire(True, CHECKED):
            self._check()

    def _check(self) -> None:
        """Raises `RuntimeError` where one of the crew is gone; without who asks, there is nobody to tell."""
        if os.getpid() != self._asking:
            if os.getppid() != self._asking:
                os._exit(1)
            return
        if not all(_lives(pid) for pid in self._others):
            raise RuntimeError(ENDED)

    def _renew(self) -> None:
        """Semaphores that nobody has touched. Steps take turns with two of each: who is fast arrives at the next one while
        who is slow still leaves this one.
        """
        semaphore: Callable[[], Any] = partial(self._context.Semaphore, 0)
        self._lock, self._asked = self._context.Lock(), semaphore()
        self._arrived = [[semaphore() for _ in range(self.count)] for _ in range(2)]

    def _fork(self, work: Work) -> None:
        for number in range(1, self.count):
            with warnings.catch_warnings():  # of other threads: what the fork does asks for none of their locks
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                self._serve(number, work)
            self._others.append(pid)
        self._end = weakref.finalize(self, _ended, self._asking, self._others)

    def _serve(self, number: int, work: Work) -> None:
        """What a fork does: the work, whenever it is asked to, until nobody is left to ask."""
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells who asks, too
            with one_blas_thread():
                while True:
                    self._wait(self._asked)
                    self._make_way(number)
                    work(number)
        finally:
            os._exit(1)

    def _make_way(self, number: int) -> None:
        """Leave the processor of those before: Linux wakes a process there at times, and leaves it there for tens of milliseconds."""
        mine, taken, allowed = _processor(), set(self._processors[:number].tolist()), os.sched_getaffinity(0)
        if mine in taken and (free := allowed - taken):
            with suppress(OSError):  # a sandbox may forbid it
                os.sched_setaffinity(0, free)
                os.sched_setaffinity(0, allowed)
            mine = _processor()
        self._processors[number] = mine


def _ended(asking: int, others: Sequence[int]) -> None:
    """End the forks, if this is the process that made them."""
    if os.getpid() != asking:
        return
    for pid in others:
        if _lives(pid):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@cache
def _getcpu() -> Callable[[], int]:
    found: Callable[[], int] = getattr(ctypes.CDLL(None), "sched_getcpu", lambda: -1)
    return found


def _processor() -> int:
    """The number of the processor that this runs on, -1 where the C library does not tell."""
    return _getcpu()()


def _lives(pid: int) -> bool:
    """Whether a child has not ended; its number is nobody else's as long as nobody has heard that it did."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False
