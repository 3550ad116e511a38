"""Things in their order, while every processor is at work on those that come next."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import TypeVar

__all__ = ["each", "in_order", "processors"]

T = TypeVar("T")

THREADS_AT_MOST = 8
"""More make numbers faster than a disk takes them."""

AHEAD = 32
"""Things that are made, or begun, before the first of them is asked for."""


def each(do: Callable[[int, int], T], size: int, most: int) -> Iterator[Callable[[], T]]:
    """A call of `do` with start and stop for every `most` of so many elements, and for those that remain."""
    return (partial(do, start, min(start + most, size)) for start in range(0, size, most))


def in_order(parts: Iterable[T | Callable[[], T]]) -> Generator[T, None, None]:
    """Each part, or what it returns or raises where it is a call; calls run on threads, ahead of what is asked for.

    Once the iterator is closed or has raised, no call begins any more, and none is still at work.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: deque[T | Future[T]] = deque()

    def first() -> T:
        part = waiting.popleft()
        return part.result() if isinstance(part, Future) else part

    with ThreadPoolExecutor(processors(THREADS_AT_MOST)) as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(part) if callable(part) else part)
                if len(waiting) > AHEAD:
                    yield first()
            while waiting:
                yield first()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def processors(most: int) -> int:
    """How many compute at the same time unless told otherwise: the processors that this process may use, up to so many."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(most, there)
