"""Work that is done ahead keeps its order, its bounds and its failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

from onnxconv.graph import Initial, Param
from onnxconv.weights import Weights, given, seeded
from onnxconv.weights.ordered import AHEAD, each, in_order


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_order(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a later call is done first, and where some parts are there already."""
    monkeypatch.setattr("onnxconv.weights.ordered.processors", lambda _most: threads)
    done = threading.Event()

    def waits() -> int:
        assert threads == 1 or done.wait(10)
        return 0

    def frees() -> int:
        done.set()
        return 1

    rest = [n if n % 3 else partial(int, n) for n in range(2, 200)]
    assert list(in_order([waits, frees, *rest])) == list(range(200))
    assert not list(in_order([]))


def test_calls_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for another one; a single thread would wait for ever."""
    monkeypatch.setattr("onnxconv.weights.ordered.processors", lambda _most: 2)
    both = threading.Barrier(2)
    assert sorted(in_order([partial(both.wait, 10)] * 2)) == [0, 1]


def counted(begun: list[int]) -> Iterator[Callable[[], int]]:
    """Endless calls that say when they are asked for."""
    while True:
        begun.append(len(begun))
        yield partial(int, begun[-1])


def test_no_more_is_begun_than_waits() -> None:
    begun: list[int] = []
    for handed_out, number in zip(range(1, 100), in_order(counted(begun)), strict=False):
        assert number == handed_out - 1
        assert len(begun) <= handed_out + AHEAD


def test_a_closed_iterator_begins_nothing() -> None:
    begun: list[int] = []
    numbers = in_order(counted(begun))
    assert next(numbers) == 0
    numbers.close()
    assert len(begun) <= 1 + AHEAD


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_what_a_call_raises_comes_in_its_turn(raised: type[BaseException]) -> None:
    begun: list[int] = []

    def fails() -> int:
        raise raised

    def calls() -> Iterator[Callable[[], int]]:
        for at, call in enumerate(counted(begun)):
            yield fails if at == 50 else call

    got: list[int] = []
    with pytest.raises(raised):
        got.extend(in_order(calls()))
    assert got == list(range(50))
    assert len(begun) <= 51 + AHEAD


def test_each() -> None:
    assert [call() for call in each(lambda start, stop: (start, stop), 7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert not list(each(lambda start, stop: (start, stop), 0, 3))


LARGE, SMALL = (
    Param(f"p{size}", "float32", (size,), Initial(f"w{size}", (size,), "he_normal", (), (9, 9)))
    for size in (300_001, 10)
)


@pytest.mark.parametrize(
    "weights", [seeded(4), given({p.name: seeded(4)[p] for p in (LARGE, SMALL)})], ids=["drawn", "given"]
)
def test_a_stream_is_its_pieces(weights: Weights) -> None:
    parts = (b"before", LARGE, b"", SMALL, SMALL, b"after", LARGE)
    expected = b"".join(part if isinstance(part, bytes) else b"".join(weights.chunks(part)) for part in parts)
    assert b"".join(weights.stream(parts)) == expected
    assert weights[LARGE].tobytes() == b"".join(weights.chunks(LARGE))


def test_numbers_made_at_the_same_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    for threads in (1, 2, 7):
        monkeypatch.setattr("onnxconv.weights.ordered.processors", lambda _most, threads=threads: threads)
        made[threads] = seeded(4)[LARGE]
    np.testing.assert_array_equal(made[1], made[2])
    np.testing.assert_array_equal(made[1], made[7])
