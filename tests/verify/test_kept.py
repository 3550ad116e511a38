"""What several runtimes are probed with is made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from verify.sketch import small

from onnxconv.verify import routing, verify
from onnxconv.verify.kept import Kept
from onnxconv.weights import seeded

RUNTIMES = ("onnxruntime:cpu", "numpy")


def counted(patch: pytest.MonkeyPatch, name: str) -> list[int]:
    """The seeds that a function of this name is called with from now on."""
    seeds: list[int] = []
    make: Callable[..., Any] = getattr(routing, name)

    def heard(graph: object, weights: object, seed: int, *rest: Any, **how: Any) -> object:
        seeds.append(seed)
        return make(graph, weights, seed, *rest, **how)

    patch.setattr(routing, name, heard)
    return seeds


def test_routing_is_planned_once_for_all_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small()
    apart = [verify(graph, seeded(0), runtimes=[name], probes=["routing"], trials=2).checks for name in RUNTIMES]
    plans, multiples = counted(monkeypatch, "plan"), counted(monkeypatch, "plan_in_multiples")
    together = verify(graph, seeded(0), runtimes=RUNTIMES, probes=["routing"], trials=2).checks
    assert [check for checks in apart for check in checks] == list(together)
    assert plans == [0, 1]
    assert multiples == [0, 1]


class Numbers:
    def __init__(self, size: int) -> None:
        self.nbytes = size


def test_what_does_not_fit_is_made_again() -> None:
    made: list[int] = []

    def make(size: int) -> Callable[[], Numbers]:
        return lambda: (made.append(size), Numbers(size))[1]

    kept = Kept(100)
    for _ in range(2):
        for key, size in (("a", 60), ("b", 60), ("c", 40)):
            assert kept.get(key, make(size)).nbytes == size
    assert made == [60, 60, 40, 60]


def test_nothing_is_a_thing_too() -> None:
    kept, asked = Kept(1), []
    for _ in range(2):
        assert kept.get("none", lambda: asked.append(1)) is None
    assert asked == [1]


def test_for_one_runtime_nothing_is_kept() -> None:
    kept = Kept()
    first = kept.get("x", lambda: np.zeros(1))
    assert kept.get("x", lambda: np.zeros(1)) is not first
