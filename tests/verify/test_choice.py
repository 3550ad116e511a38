"""Comparisons, logic and choices: onnxruntime passes every probe, another operator is found out, errors are carried soundly."""

from __future__ import annotations

import numpy as np
import pytest
from verify.in_process import InProcess
from verify.sketch import Sketch
from verify.test_curves import Swapped
from verify.test_operators import verdicts

from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import (
    And,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Neg,
    Not,
    Operator,
    Or,
    Round,
    Where,
    Xor,
)
from onnxconv.verify import Verdict
from onnxconv.verify.arithmetic import ARITHMETICS, DIRECT, Layer, allowed
from onnxconv.verify.carried import error_after
from onnxconv.verify.choice import CHOICES, COMPARED
from onnxconv.verify.signal import Signal

SWAPS: tuple[tuple[Operator, Operator], ...] = (
    (Equal(), LessOrEqual()),
    (Less(), LessOrEqual()),
    (LessOrEqual(), Less()),
    (Greater(), Less()),
    (GreaterOrEqual(), Greater()),
    (And(), Or()),
    (Or(), Xor()),
    (Xor(), And()),
)


def net(op: Operator) -> Graph:
    """Two convolutions rounded to whole numbers, which are compared, or put to two questions; the answer chooses between them."""
    s = Sketch(("N", 3, 9, 8))
    s.conv(6)
    one = s.add(Round())
    s.conv(6)
    other = s.add(Round())
    if op.kind in COMPARED:
        answer = s.add(op, one, other)
    else:
        answer = s.add(op, s.add(Less(), one, other), s.add(Equal(), one, s.add(Neg(), other)))
    s.add(Where(), s.add(Not(), answer), one, other)
    s.conv(5)
    return s.graph()


def test_all_of_them_are_known() -> None:
    assert {op.kind for pair in SWAPS for op in pair} | {"Not", "Where"} == {*CHOICES}


@pytest.mark.parametrize("op", [op for op, _ in SWAPS], ids=str)
def test_onnxruntime_passes(op: Operator) -> None:
    found = verdicts(net(op), InProcess())
    assert found["exact"] is found["bound"] is Verdict.PASS
    assert found["routing"] in (Verdict.PASS, Verdict.UNTRUSTED)


@pytest.mark.parametrize(("op", "other"), SWAPS, ids=str)
def test_another_operator_fails(op: Operator, other: Operator) -> None:
    assert verdicts(net(op), Swapped(op, other))["exact"] is Verdict.FAIL


@pytest.mark.parametrize("kind", CHOICES)
def test_a_carried_error_covers_all_that_inputs_may_be(kind: str) -> None:
    """Inputs moved to the ends of their intervals never change the output by more; and some outputs are certain."""
    op = next(op for pair in (*SWAPS, (Not(), Where())) for op in pair if op.kind == kind)
    rng = np.random.default_rng(4)
    shape = (400,)

    def number() -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(-3, 4, shape).astype(np.float64), rng.choice([0, 0.5, 1.5], shape)

    def truth() -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(0, 2, shape).astype(np.float64), rng.integers(0, 2, shape).astype(np.float64)

    drawn = [number(), number()] if kind in COMPARED else [truth(), truth()]
    drawn = [truth(), number(), number()] if kind == "Where" else [truth()] if kind == "Not" else drawn
    dtypes = ["bool" if kind not in COMPARED and i == 0 else "float32" for i in range(len(drawn))]
    dtypes = dtypes if kind in (*COMPARED, "Where") else ["bool"] * len(drawn)
    node = Node("y", op, tuple("abc"[: len(drawn)]), "y", TensorType(op.out_dtype(*dtypes), shape))
    y = np.asarray(op.define(*(value for value, _ in drawn)), np.float64)
    signals = [Signal(value, 0, np.abs(value), error) for value, error in drawn]
    limit = np.broadcast_to(error_after(node, signals, {}, y, y), shape)
    for _ in range(40):
        moved = []
        for (value, error), dtype in zip(drawn, dtypes, strict=True):
            step = rng.choice([-1, 0, 1], shape) * error
            moved.append(np.clip(value + step, 0, 1) if dtype == "bool" else value + step)
        assert (np.abs(op.define(*moved).astype(np.float64) - y) <= limit).all()
    assert (limit == 0).any()
    assert (limit > 0).any()


@pytest.mark.parametrize("name", [name for name in ARITHMETICS if name != "none"])
def test_numbers_that_an_arithmetic_cannot_tell_apart_are_not_judged(name: str) -> None:
    """float16 takes 1 and 1 + 2^-12 for one number; no arithmetic takes 1 for 2, or −1."""
    node = Node("y", Less(), ("a", "b"), "y", TensorType("bool", (4,)))
    a, b = np.array([1, 1, 1, 0], np.float32), np.array([2, -1, 1 + 2.0**-12, 2.0**-140], np.float32)
    limit = allowed(Layer(node, [a, b], {}, a < b), name)
    narrow = name in ("float16", "float16-sums", "bfloat16")
    assert np.isfinite(limit).tolist() == [True, True, not narrow, name == DIRECT]
