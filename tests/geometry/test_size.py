"""Formulas over open sizes mean what plain integers mean, and formulas that are equal have one text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxconv.errors import Refusal
from onnxconv.geometry import (
    apart,
    divided,
    evaluated,
    floor_div,
    inverted,
    least,
    names,
    plus,
    product,
    shift,
    solved,
    times,
)

NAMES = ("N", "H", "W", "seq-len", "x 1")
Tree = tuple


def trees(divide: bool) -> st.SearchStrategy[Tree]:
    """Expressions as nested tuples: a sign and two operands, the second of a division a number."""
    leaves = st.tuples(st.just("name"), st.sampled_from(NAMES)) | st.tuples(st.just("int"), st.integers(-6, 9))

    def larger(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        joined = st.tuples(st.sampled_from("+-*"), inner, inner)
        return joined | st.tuples(st.just("/"), inner, st.integers(1, 7)) if divide else joined

    return st.recursive(leaves, larger, max_leaves=7)


def symbolic(tree: Tree) -> int | str:
    match tree:
        case ("name" | "int", leaf):
            return leaf
        case ("/", a, by):
            return floor_div(symbolic(a), by)
        case ("+", a, b):
            return plus((symbolic(a), symbolic(b)))
        case ("-", a, b):
            return plus((symbolic(a), product((-1, symbolic(b)))))
        case (_, a, b):
            return product((symbolic(a), symbolic(b)))


def plain(tree: Tree, known: dict[str, int]) -> int:
    match tree:
        case ("int", n):
            return n
        case ("name", name):
            return known[name]
        case ("/", a, by):
            return plain(a, known) // by
        case (sign, a, b):
            x, y = plain(a, known), plain(b, known)
            return x + y if sign == "+" else x - y if sign == "-" else x * y


def somewhere(seed: int) -> dict[str, int]:
    draw = random.Random(seed)
    return {name: draw.randint(1, 10**9) if seed % 2 else draw.randint(1, 12) for name in NAMES}


@settings(max_examples=150, deadline=None)
@given(trees(divide=True), st.integers(0, 10**6))
def test_a_formula_is_worth_what_integers_say(tree: Tree, seed: int) -> None:
    known = somewhere(seed)
    formula = symbolic(tree)
    assert evaluated(formula, known) == plain(tree, known)
    assert shift(formula, 0) == formula, "its text is read back as what it was"
    bound = least(formula)
    assert bound is None or bound <= plain(tree, known)


@settings(max_examples=150, deadline=None)
@given(trees(divide=False), trees(divide=False))
def test_polynomials_are_equal_where_their_texts_are(one: Tree, other: Tree) -> None:
    """Two polynomials of so low a degree that differ agree at few of many random points (Schwartz and Zippel)."""
    points = [somewhere(2 * seed + 1) for seed in range(8)]
    alike = all(plain(one, known) == plain(other, known) for known in points)
    assert (symbolic(one) == symbolic(other)) == alike
    assert (apart(symbolic(one), symbolic(other)) == 0) == alike


@settings(max_examples=100, deadline=None)
@given(trees(divide=True), trees(divide=True), st.integers(0, 10**6))
def test_a_product_is_divided_exactly_by_its_factors(one: Tree, other: Tree, seed: int) -> None:
    a, b = symbolic(one), symbolic(other)
    if b == 0:
        assert divided((a,), (b,)) is None
        return
    assert divided((a, b), (b,)) == a
    known = somewhere(seed)
    quotient = divided((a,), (b,))
    if quotient is not None and (by := plain(other, known)) > 0:
        assert evaluated(quotient, known) == plain(one, known) // by


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (floor_div(times("batch", 4), 4), "batch"),
        (floor_div(shift("H", -1), 2), "(H+1)//2-1"),
        (floor_div(floor_div("H", 2), 2), "H//4"),
        (floor_div(plus((times("H", 2), floor_div("W", 2))), 2), "H+W//4"),
        (floor_div(times("H", 3), 2), "(3*H)//2"),
        (floor_div(times("H", 6), 4), "(3*H)//2"),
        (times(floor_div(shift("H", 1), 2), 2), "2*((H+1)//2)"),
        (product(("T", "B", "T")), "B*T**2"),
        (divided(("N", 64, "H", "W"), ("N", 32)), "2*H*W"),
        (divided(("N", "3*H"), ("N", 2)), "(3*H)//2"),
        (divided(("N", "H"), ("W",)), None),
        (plus(("N", product((-1, "K")))), "-1*K+N"),
        (shift("4 * T + 1", 1), "4*T+2"),
        (shift("((s1 - 1)//2) + 1", 0), "(s1+1)//2"),
        (names("2*N*((H+1)//2)-N"), {"N", "H"}),
        (evaluated("2*N*((H+1)//2)-N", {"(H+1)//2": "M", "N": 3}), "6*M-3"),
    ],
)  # fmt: skip
def test_formulas_have_one_form(found: object, text: object) -> None:
    assert found == text


@pytest.mark.parametrize("name", ["weird(", "?", "a*", "**", "floor(H/2)", "2**1000000*H", "(" * 500, ""])
def test_text_that_is_no_formula_is_one_name(name: str) -> None:
    assert names(name) == {name}
    assert apart(shift(name, 1), name) in (1, None)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(-9, 9), st.integers(1, 10**6))
def test_a_line_tells_what_it_is_a_line_of(factor: int, begin: int, n: int) -> None:
    formula = shift(times("n", factor), begin)
    value = evaluated(formula, {"n": n})
    assert solved([(formula, value)]) == {"n": n}
    assert solved([(formula, value), ("m", 3), (plus(("n", "m")), n)]) == {"n": n, "m": 3}
    if factor > 1:
        assert solved([(formula, value + 1)]) == {}
    (inverse,) = inverted(formula, "y").items()
    assert (inverse[0], evaluated(inverse[1], {"y": value})) == ("n", n)


def test_what_grows_beyond_measure_is_refused() -> None:
    with pytest.raises(Refusal):
        product([f"(a{i}+b{i})" for i in range(7)])
    with pytest.raises(Refusal):
        product(["N"] * 65)
