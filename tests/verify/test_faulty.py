"""Faulty runtimes of every family on small networks: what changes anything is noticed, and a right one is not blamed."""

from __future__ import annotations

import numpy as np
import pytest
from faulty import MUTANTS, Mutant
from faulty.machine import Machine
from faulty.pinned import trials
from faulty.recipes import RECIPES, agrees
from faulty.specs import SPECS, graph, weights
from faulty.trial import Answers, caught, equivalent, found, told

from onnxconv.verify import Verdict

SOME = {"conv 2-D, everything": 5, "transposed 2-D, groups": 7, "residual 1-D": 9, "average pool 2-D, ceil": 11}
"""Networks, and of how many mutants each sees the first."""


def missed(name: str, mutants: tuple[Mutant, ...]) -> tuple[int, list[str]]:
    """(mutants that are not equivalent, those of them that no probe noticed)"""
    network, arrays = graph(name), weights(graph(name), 0, quiet="quiet" in name)
    usual = told(network, arrays)
    telling = [mutant for mutant in mutants if not equivalent(network, arrays, mutant)]
    return len(telling), [m.name for m in telling if not caught(network, arrays, Machine(m.fault), usual)]


def test_there_are_enough() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 60
    assert len(SPECS) >= 24


@pytest.mark.parametrize("name", SOME)
def test_some_mutants_are_noticed(name: str) -> None:
    telling, unseen = missed(name, MUTANTS[:: SOME[name]])
    assert telling >= 3
    assert not unseen


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_nearly_all_mutants_are_noticed(part: int) -> None:
    counts = [missed(name, MUTANTS[part::20]) for name in list(SPECS)[part % 2 :: 2]]
    telling, unseen = sum(n for n, _ in counts), [name for _, names in counts for name in names]
    assert telling > 30
    assert len(unseen) <= 0.01 * telling, unseen


@pytest.mark.parametrize("name", ["conv 2-D, everything", "residual 1-D", "branches 2-D"])
def test_the_machine_without_a_fault_is_right(name: str) -> None:
    network, arrays = graph(name), weights(graph(name), 5)
    for probe, finding in found(network, arrays, Machine()):
        assert finding.verdict is Verdict.PASS, (probe, finding.reason)


def test_a_fault_that_does_not_apply_is_equivalent() -> None:
    by = {mutant.name: mutant for mutant in MUTANTS}
    network, arrays = graph("conv 1-D"), weights(graph("conv 1-D"), 0)
    assert equivalent(network, arrays, by["groups in reverse order"])
    assert equivalent(network, arrays, by["ReLU6 for ReLU"])
    assert not equivalent(network, arrays, by["kernel flipped"])


def test_recipes_tell_wrong_from_right() -> None:
    network, arrays = graph("conv 2-D"), weights(graph("conv 2-D"), 0)
    answers = Answers(network, arrays)
    for recipe in RECIPES:
        right = answers.wanted[recipe.data]
        assert agrees(recipe, right, right)
        assert not agrees(recipe, {name: -y for name, y in right.items()}, right)
        assert not agrees(recipe, {name: np.full_like(y, np.nan) for name, y in right.items()}, right)


@pytest.mark.slow
def test_faults_are_pinned_to_their_layer() -> None:
    seen = list(trials(range(1000, 1030)))
    assert len(seen) == 30
    assert not [trial for trial in seen if not trial.pinned]
