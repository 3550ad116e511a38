"""Arithmetic, reductions and normalisations: onnxruntime passes every probe, and slightly another operator is found out."""

from __future__ import annotations

from typing import Any

import pytest
from verify.in_process import InProcess
from verify.sketch import Sketch
from verify.test_curves import Swapped

from onnxconv.graph import Graph
from onnxconv.ops import (
    Abs,
    Add,
    Ceil,
    Div,
    Erf,
    Exp,
    Floor,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    Log,
    MatMul,
    Max,
    Min,
    Mul,
    Neg,
    Operator,
    Pow,
    Reciprocal,
    ReduceL1,
    ReduceL2,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    ReduceSumSquare,
    Round,
    Sqrt,
    Sub,
    Tanh,
)
from onnxconv.verify import Verdict
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.exact import exact
from onnxconv.verify.routing import routing
from onnxconv.weights import seeded

ONE: tuple[tuple[Operator, Operator], ...] = (
    (Neg(), Abs()),
    (Abs(), Neg()),
    (Floor(), Ceil()),
    (Ceil(), Floor()),
    (Round(), Floor()),
    (Sqrt(), Abs()),
    (Exp(), Abs()),
    (Log(), Sqrt()),
    (Erf(), Tanh()),
    (Reciprocal(), Neg()),
    (LayerNorm((1,)), LayerNorm((1,), 1e-4)),
    (LayerNorm((2, 3)), LayerNorm((2, 3), 1e-6)),
    (LayerNorm((3,), bias=False), LayerNorm((3,), 1e-4, bias=False)),
    (GroupNorm(3), GroupNorm(3, 1e-4)),
    (GroupNorm(3), GroupNorm(2)),
    (InstanceNorm(), InstanceNorm(1e-4)),
    (LocalResponseNorm(3), LocalResponseNorm(3, 1e-3)),
    (LocalResponseNorm(3), LocalResponseNorm(5)),
    (ReduceMean((1,)), ReduceSum((1,))),
    (ReduceSum((1, 3)), ReduceMean((1, 3))),
    (ReduceMax((1,)), ReduceMin((1,))),
    (ReduceMin((3,)), ReduceMax((3,))),
    (ReduceL1((1,)), ReduceSum((1,))),
    (ReduceL2((1,)), ReduceL1((1,))),
    (ReduceSumSquare((1,)), ReduceL2((1,))),
    (ReduceProd((1,)), ReduceSum((1,))),
)
"""An operator, and another one with outputs of the same shape."""

TWO: tuple[tuple[Operator, Operator], ...] = (
    (Sub(), Add()),
    (Div(), Mul()),
    (Max(), Min()),
    (Min(), Max()),
    (Pow(), Mul()),
    (MatMul(), Add()),
)
PROBES = (exact, bound, routing)


def net(op: Operator, two: bool = False) -> Graph:
    """Between two convolutions, the second one over channels that may have become one."""
    s = Sketch(("N", 3, 9, 9 if isinstance(op, MatMul) else 8))
    first = s.conv(6)
    if two:
        s.add(Tanh(), first, name="bounded")
        s.add(Exp() if isinstance(op, Div) else Identity(), name="other")
        positive = s.add(Abs(), first) if isinstance(op, Pow) else first
        s.add(op, positive, "other")
    else:
        if isinstance(op, Sqrt | Log):
            s.add(Abs())
        s.add(op)
    s.conv(5)
    return s.graph()


def verdicts(graph: Graph, bench: InProcess, seed: int = 0) -> dict[str, Verdict]:
    case: Any = Case(graph, seeded(3), bench, seed)  # type: ignore[arg-type]
    return {probe.__name__: max(f.verdict for f in probe(case)) for probe in PROBES}


CASES = [(op, other, False) for op, other in ONE] + [(op, other, True) for op, other in TWO]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("op", "two"), [(op, two) for op, _, two in CASES], ids=str)
def test_onnxruntime_passes(op: Operator, two: bool, seed: int) -> None:
    found = verdicts(net(op, two), InProcess(), seed)
    assert found == dict.fromkeys(("exact", "bound", "routing"), Verdict.PASS)


@pytest.mark.parametrize(("op", "other", "two"), CASES, ids=str)
def test_another_operator_fails(op: Operator, other: Operator, two: bool) -> None:
    found = verdicts(net(op, two), Swapped(op, other))
    assert found["exact"] is Verdict.FAIL
    assert Verdict.FAIL in (found["bound"], found["routing"]) or "Norm" in type(op).__name__


@pytest.mark.parametrize("wide_first", [True, False])
@pytest.mark.parametrize("op", [op for op, _ in TWO if not isinstance(op, MatMul)], ids=str)
def test_onnxruntime_passes_where_one_side_is_broadcast(op: Operator, wide_first: bool) -> None:
    """One number a channel, positive for the sake of powers and quotients, against a whole image."""
    s = Sketch(("N", 3, 9, 8))
    s.conv(6)
    wide = s.add(Abs(), name="wide")
    s.add(GlobalMaxPool())
    s.add(Tanh())
    narrow = s.add(Exp(), name="narrow")
    s.add(op, *((wide, narrow) if wide_first else (narrow, wide)))
    found = verdicts(s.graph(), InProcess())
    assert found["exact"] is found["bound"] is Verdict.PASS
    assert found["routing"] in (Verdict.PASS, Verdict.UNTRUSTED)
