"""Sets of positions against sets of Python's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxconv.errors import Refusal
from onnxconv.geometry import Axis, Field, Positions, TransposedAxis

SETS = st.sets(st.integers(-40, 60), max_size=12)


@given(SETS, SETS, st.integers(1, 50))
def test_sets(one: set[int], other: set[int], n: int) -> None:
    a, b = Positions.of(one), Positions.of(other)
    assert (set(a), len(a), bool(a)) == (one, len(one), bool(one))
    assert set(a | b) == one | other
    assert (a <= b) == one.issubset(other)
    assert set(a.within(n)) == {i for i in one if 0 <= i < n}
    assert set(a.within(None)) == {i for i in one if i >= 0}
    assert [i for first, last in a.runs() for i in range(first, last + 1)] == sorted(one)
    assert all(last + 1 < first for (_, last), (first, _) in zip(a.runs(), a.runs()[1:], strict=False))
    if one:
        assert (a.first, a.last) == (min(one), max(one))
        assert set(a.gaps()) == set(range(min(one), max(one))) - one


@given(SETS, st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3))
def test_windows(outputs: set[int], kernel: int, stride: int, dilation: int, pad: int) -> None:
    read = {o * stride - pad + k * dilation for o in outputs for k in range(kernel)}
    assert set(Positions.of(outputs).through(Axis(kernel, stride, dilation, (pad, 0)))) == read
    fed = {i for i in range(-90, 120) for k in range(kernel) if i * stride - pad + k * dilation in outputs}
    assert set(Positions.of(outputs).through(TransposedAxis(kernel, stride, dilation, (pad, 0)))) == fed


@given(SETS, st.integers(-4, 4))
def test_families(outputs: set[int], advance: int) -> None:
    """Output 3i sees input a·i and a·i + 2, output 3i + 1 sees nothing, output 3i + 2 sees a·i - 1."""
    read = {advance * (o // 3) + k for o in outputs for k in ((0, 2), (), (-1,))[o % 3]}
    assert set(Positions.of(outputs).through(Field(advance, ((0, 0b101), (0, 0), (-1, 1))))) == read


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("n", range(1, 7))
def test_padding_is_taken_from_where_numpy_takes_it(mode: str, n: int) -> None:
    width = n - 1 if mode == "reflect" else n
    taken = np.pad(np.arange(n), width, mode=mode)  # type: ignore[call-overload]
    for at in range(-width, n + width):
        assert set(Positions(at, 1).folded(mode, n)) == {taken[at + width]}


@pytest.mark.parametrize(
    "span",
    [
        lambda: Positions.all(2**26 + 1),
        lambda: Positions(0, 1) | Positions(2**40, 1),
        lambda: Positions.of((0, 2**40)),
        lambda: Positions(0, 3).through(Axis(1, 2**40)),
    ],
)
def test_what_does_not_fit_is_refused(span: object) -> None:
    with pytest.raises(Refusal, match="followed one by one"):
        span()  # type: ignore[operator]


def test_a_far_position_costs_nothing() -> None:
    assert list(Positions(10**15, 1).through(Axis(3, 1000, 2)).within(10**18 + 3)) == [10**18, 10**18 + 2]
