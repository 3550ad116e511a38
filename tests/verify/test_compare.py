"""The comparison fails on whatever can be wrong with an output."""

from __future__ import annotations

import numpy as np
import pytest
from execute.single import node, weights_of

import onnxconv.execute.parts
from onnxconv.execute import apply
from onnxconv.geometry import Axis
from onnxconv.ops import Conv
from onnxconv.verify.arithmetic import DIRECT, Layer, allowed
from onnxconv.verify.compare import all_same, merge, outputs_differ, within
from onnxconv.verify.judge import compared

Y = np.arange(6, dtype=np.float32).reshape(2, 3)
DECLARED = {"y": ("float32", (2, 3))}


def test_accepts_what_is_declared() -> None:
    assert outputs_differ({"y": Y}, DECLARED) == ""


@pytest.mark.parametrize(
    ("got", "words"),
    [
        ({}, "'y' is missing"),
        ({"z": Y}, "'y' is missing"),
        ({"y": Y, "z": Y}, "'z' was not asked for"),
        ({"y": Y.astype(np.float64)}, "is float64, not float32"),
        ({"y": Y.astype(np.float16)}, "is float16, not float32"),
        ({"y": Y[:, :2]}, "has shape [2, 2], not [2, 3]"),
        ({"y": Y[None]}, "has shape [1, 2, 3]"),
        ({"y": Y.T}, "has shape [3, 2]"),
        ({"y": Y[:0]}, "has shape [0, 3]"),
    ],
)
def test_rejects(got: dict[str, np.ndarray], words: str) -> None:
    assert words in outputs_differ(got, DECLARED)


def test_an_empty_output_is_wrong_even_where_declared() -> None:
    assert "no elements" in outputs_differ({"y": Y[:0]}, {"y": ("float32", (0, 3))})
    with pytest.raises(AssertionError):
        within(Y[:0], Y[:0], 0.0)


def test_equal_arrays_match() -> None:
    found = within(Y, Y.astype(np.float64), 0.0)
    assert (found.elements, found.mismatches, found.bound_used, found.max_error) == (6, 0, 0.0, 0.0)


def test_zeros_of_either_sign_are_equal() -> None:
    assert within(np.array([-0.0, 0.0]), np.array([0.0, -0.0]), 0.0).mismatches == 0


@pytest.mark.parametrize("wrong", [np.nextafter(np.float32(4), np.float32(5)), np.nan, np.inf, -np.inf, -4, 0])
def test_one_wrong_element_is_found(wrong: float) -> None:
    y = Y.copy()
    y[1, 1] = wrong
    for bound in (0.0, np.full((2, 3), 1e-9)):
        found = within(y, Y, bound)
        assert found.mismatches == 1
        assert found.worst == (1, 1)
        assert found.bound_used > 1
        assert found.expected == 4
        assert np.array_equal(found.got, float(y[1, 1]), equal_nan=True)


def test_nan_where_a_number_is_expected_and_the_other_way_round() -> None:
    nan, one = np.array([np.nan]), np.array([1.0])
    assert within(nan, one, 1e6).mismatches == 1
    assert within(one, nan, 1e6).mismatches == 1
    assert within(nan, nan, 0.0).mismatches == 0
    assert within(np.array([np.inf]), np.array([-np.inf]), 1e6).mismatches == 1


def test_a_bound_is_allowed_to_be_reached_and_not_passed() -> None:
    y, ref = np.array([1.0, 2.0]), np.array([1.5, 2.25])
    assert within(y, ref, np.array([0.5, 0.25])).mismatches == 0
    found = within(y, ref, np.array([0.5, 0.2]))
    assert found.mismatches == 1
    assert found.bound_used == pytest.approx(1.25)
    assert found.bound == 0.2


def test_an_infinite_bound_judges_nothing_and_says_so() -> None:
    found = within(np.array([np.inf, 1.0]), np.array([1e39, 1.0]), np.array([np.inf, 0.0]))
    assert (found.mismatches, found.unjudged) == (0, 1)


def test_merged_counts_add_up_and_the_worse_place_stays() -> None:
    good, bad = within(Y, Y, 0.0), within(Y + 1, Y, np.full((2, 3), 0.5))
    assert merge(None, good) is good
    both = merge(good, bad)
    assert (both.elements, both.mismatches, both.bound_used) == (12, 6, 2.0)
    assert merge(bad, good).worst == bad.worst


def test_constants_prove_nothing() -> None:
    assert all_same(np.zeros(3))
    assert all_same(np.full(3, np.nan))
    assert not all_same(np.array([0.0, 1.0]))


def test_pieces_say_what_the_whole_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large layer is judged piece by piece; where something is wrong, all of it at once."""
    op, shape = Conv((Axis(3, pad=(1, 1)),) * 2, 6), (2, 4, 20, 17)
    there, rng = node("y", op, ("x",), shape), np.random.default_rng(0)
    xs, w = [rng.standard_normal(shape).astype(np.float32)], weights_of(there)
    exact = apply(there, xs, w)
    got = exact.astype(np.float32)
    whole = within(got, exact, allowed(Layer(there, xs, w, exact), DIRECT))
    monkeypatch.setattr(onnxconv.execute.parts, "WORKING_BYTES", 20_000)
    found = compared(there, xs, w, got, DIRECT)
    assert (found.elements, found.mismatches, found.unjudged) == (got.size, 0, 0)
    assert (found.worst, found.max_error) == (whole.worst, whole.max_error)
    assert 0.999 * whole.bound_used <= found.bound_used <= whole.bound_used > 0
    got[1, 3, 19, 2] += 1
    wrong = compared(there, xs, w, got, DIRECT)
    assert (wrong.elements, wrong.mismatches, wrong.worst) == (got.size, 1, (1, 3, 19, 2))
    assert wrong.map is not None
