"""ONNX's own test vectors: loaded, executed, and compared within the case's own tolerance.

Cases that do not pass are listed by name in `listed.py`. One that is not listed must pass; one that is outside what is
read must be refused in so many words, never computed wrongly; one whose vector is at fault must differ from it. So the
lists can only become shorter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from nodes.cases import OPERATORS, STORED, Case, cases
from nodes.listed import FAULTY, OUTSIDE
from oracles.hand_models import saved

from onnxconv.errors import OnnxconvError
from onnxconv.execute import run
from onnxconv.execute.fast import Program, make_plan
from onnxconv.load import load

LISTED = {name for names in OUTSIDE.values() for name in names.split()}


def difference(
    expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray], rtol: float, atol: float
) -> str | None:
    """The first thing in which outputs differ: names, data types, shapes, values beyond the tolerance."""
    if list(expected) != list(found):
        return f"outputs {list(found)} instead of {list(expected)}"
    for name, wanted in expected.items():
        array = found[name]
        if array.dtype != wanted.dtype or array.shape != wanted.shape:
            return f"{name} is {array.dtype}{array.shape} instead of {wanted.dtype}{wanted.shape}"
        exact = wanted.dtype.kind not in "fV"
        try:
            np.testing.assert_allclose(
                *((array, wanted) if exact else (array.astype(np.float64), wanted.astype(np.float64))),
                rtol=max(rtol, 2**-6) if wanted.dtype.name == "bfloat16" else rtol,
                atol=atol,
            )
        except AssertionError as reason:
            return f"{name}: " + "; ".join(str(reason).split("\n")[3:6])
    return None


def refusal_or_difference(case: Case, folder: Path) -> tuple[str | None, str | None]:
    """(what it is refused with, in what the outputs differ)."""
    try:
        graph, weights = load(saved(case.model, folder))
        found = run(graph, weights, case.inputs)
    except OnnxconvError as refusal:
        return str(refusal).split("\n", 1)[0], None
    declared = {name: (t.dtype, t.shape) for name, t in graph.types().items()}
    for name, array in found.items():
        if declared[name] != (array.dtype.name, array.shape):
            return None, f"{name} is said to be {declared[name]}, and is {array.dtype.name}{array.shape}"
    return None, difference(case.outputs, {name: found[name] for name in graph.outputs}, case.rtol, case.atol)


@pytest.mark.parametrize("source", [*OPERATORS, *STORED])
def test_node_cases(source: str, tmp_path: Path) -> None:
    wrong = []
    for case in cases(source):
        refused, differs = refusal_or_difference(case, tmp_path)
        if case.name in FAULTY:
            wrong += [] if differs else [f"{case.name} does not differ: {refused or 'it passes'}"]
        elif differs:
            wrong.append(f"{case.name} differs: {differs}")
        elif refused and case.name not in LISTED:
            wrong.append(f"{case.name} is refused: {refused}")
        elif not refused and case.name in LISTED:
            wrong.append(f"{case.name} passes: remove it from the list")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("source", [*OPERATORS, *STORED])
def test_the_planned_executor_agrees(source: str, tmp_path: Path) -> None:
    """On every case that is read, with layers taken together and each by itself, and the same bytes from two threads."""
    wrong = []
    for case in cases(source):
        try:
            graph, weights = load(saved(case.model, tmp_path))
            expected = run(graph, weights, case.inputs)
        except OnnxconvError:
            continue
        shapes = {name: np.shape(array) for name, array in case.inputs.items()}
        one, two = (Program(make_plan(graph, weights, shapes), n).run(case.inputs) for n in (1, 2))
        every = Program(make_plan(graph, weights, shapes, every_tensor=True), 1).run(case.inputs)
        for found in (one, {name: every[name] for name in expected}):
            differs = difference(expected, found, max(case.rtol, 1e-6), max(case.atol, 1e-6))
            wrong += [f"{case.name} differs: {differs}"] if differs else []
        wrong += [
            f"{case.name}: {name} depends on threads" for name in one if one[name].tobytes() != two[name].tobytes()
        ]
    assert not wrong, "\n".join(wrong)


def test_every_listed_case_exists_and_is_listed_once() -> None:
    names = Counter([name for text in OUTSIDE.values() for name in text.split()])
    names.update([*FAULTY])
    assert [name for name, times in names.items() if times > 1] == []
    there = {case.name for source in (*OPERATORS, *STORED) for case in cases(source)}
    assert sorted({*names} - there) == []


GOOD = {"y": np.array([1.0, np.nan, np.inf], np.float32)}


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"z": GOOD["y"]},
        {**GOOD, "z": GOOD["y"]},
        {"y": GOOD["y"].astype(np.float64)},
        {"y": GOOD["y"][None]},
        {"y": GOOD["y"][:0]},
        {"y": np.array([1.01, np.nan, np.inf], np.float32)},
        {"y": np.array([1.0, 0.0, np.inf], np.float32)},
        {"y": np.array([1.0, np.nan, -np.inf], np.float32)},
    ],
)
def test_the_comparison_can_fail(found: dict[str, np.ndarray]) -> None:
    assert difference(GOOD, GOOD, 1e-3, 1e-7) is None
    assert difference(GOOD, found, 1e-3, 1e-7)
