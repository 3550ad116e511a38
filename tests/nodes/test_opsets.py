"""Every opset's own spelling of an operator means what onnxruntime and onnx.reference say, loaded and emitted again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import onnx
import pytest
from nodes.opsets import SPELLINGS
from nodes.spellings import ORACLES, Spelling, by_onnxruntime
from oracles.hand_models import saved

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.errors import OnnxconvError
from onnxconv.execute import run
from onnxconv.load import load

BY_OPERATOR = {
    f"{op}-{opset}": tuple(group)
    for (op, opset), group in groupby(sorted(SPELLINGS, key=lambda s: (s.op, s.opset)), lambda s: (s.op, s.opset))
}


def same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> bool:
    """Data types and shapes, integers, and real numbers within what float32 sums of this size may err."""
    theirs = [np.asarray(array) for array in theirs]
    return len(ours) == len(theirs) and all(
        a.dtype == b.dtype
        and a.shape == b.shape
        and (np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True) if a.dtype.kind == "f" else (a == b).all())
        for a, b in zip(ours, theirs, strict=True)
    )


def faults(spelling: Spelling, folder: Path) -> Iterator[str]:
    """In which regards what is loaded differs from the oracles."""
    model = spelling.model()
    try:
        graph, weights = load(saved(model, folder))
        outputs = run(graph, weights, spelling.inputs)
    except OnnxconvError as refusal:
        yield f"refused: {refusal}".split("\n", 1)[0]
        return
    ours = [outputs[name] for name in graph.outputs]
    oracles = [oracle for name, oracle in ORACLES.items() if name not in spelling.wrong]
    for oracle in oracles:
        if not same(ours, oracle(model, spelling.inputs)):
            yield f"differs from {oracle.__name__}"
    if "onnxruntime" in spelling.wrong:
        return
    emitted = to_bytes(graph, weights, EmitOptions(opset=max(21, spelling.opset), ir_version=10))
    if not same(ours, by_onnxruntime(onnx.load_from_string(emitted), spelling.inputs)):
        yield "differs from what onnxruntime makes of the model emitted again"


@pytest.mark.parametrize("name", BY_OPERATOR)
def test_each_opset_means_what_the_oracles_say(name: str, tmp_path: Path) -> None:
    wrong = [f"{spelling}: {fault}" for spelling in BY_OPERATOR[name] for fault in faults(spelling, tmp_path)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("spelling", [s for s in SPELLINGS if s.wrong], ids=str)
def test_one_oracle_is_left_and_the_others_are_of_no_use(spelling: Spelling) -> None:
    """One that came to agree with the other should be trusted again."""
    (oracle,) = (oracle for name, oracle in ORACLES.items() if name not in spelling.wrong)
    right = oracle(spelling.model(), spelling.inputs)
    for name in spelling.wrong:
        try:
            found = ORACLES[name](spelling.model(), spelling.inputs)
        except Exception:
            continue
        assert not same(right, found), f"{name} agrees: take it out of `wrong`"


def test_the_comparison_can_fail() -> None:
    x = np.ones((2, 3), np.float32)
    assert same([x], [x])
    for other in ([], [x, x], [x * 1.001], [x.astype(np.float64)], [x[None]], [x * np.nan]):
        assert not same([x], other)
