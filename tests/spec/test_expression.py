"""Whole-number arithmetic, against Python's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxconv.spec.expression import ExpressionError, evaluate, names, parse_expression

SCOPE = {"width": 64, "i": 0, "n": 7}


def value(text: str) -> int:
    return evaluate(parse_expression(text), SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        ("4 * width", 256),
        ("width*4", 256),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("7 % -3", -2),
        ("-2 ** 2", -4),
        ("(-2) ** 2", 4),
        ("2 ** 3 ** 2", 512),
        ("0 ** 0", 1),
        ("0 ** 5", 0),
        ("(-1) ** 1000000001", -1),
        ("1 ** 9999999999", 1),
        ("10 - 4 - 3", 3),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("--3", 3),
        ("max(n, 3, 2)", 7),
        ("min(n, 3) + 1", 4),
        ("i > 0", 0),
        ("n == 7", 1),
        ("n != 7", 0),
        ("(i == 0) * 5", 5),
        ("n - 1 >= 2 * 3", 1),
        ("2 ** 62", 2**62),
    ],
)
def test_gives_the_value(text: str, expected: int) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "3 +",
            "* 3",
            "(3",
            "3)",
            "3 4",
            "a b",
            "3 / 2",
            "1 < 2 < 3",
            "min()",
            "max(,)",
            "min 3",
            "max(1 2)",
        ),
        *("import os", "a.b", "a[0]", "'x'", "3 ** ", "1 if 2 else 3", "not 3", "=", "!", "3 = 3", "lambda: 3", "²"),
        *("9" * 30, "(" * 60 + "1" + ")" * 60, "-" * 80 + "1", "1+" * 600 + "1", "2 ** -1", "2 ** 63", "9 ** 9 ** 9"),
        *("1 // 0", "1 % 0", "0 ** -1", "9223372036854775807 + 1", "- 9223372036854775807 - 1"),
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        value(text)
    assert raised.value.what
    assert raised.value.fix


def test_names_are_those_that_are_mentioned() -> None:
    assert names(parse_expression("min(a, b) * 2 ** c - 3")) == {"a", "b", "c"}


@st.composite
def _texts(draw: st.DrawFn, depth: int = 4) -> str:
    """Expressions as Python reads them too, with spaces and parentheses at random."""
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(["width", "i", "n", *map(str, range(12))]))
    left, right = draw(_texts(depth - 1)), draw(_texts(depth - 1))
    space = draw(st.sampled_from(["", " ", "  "]))
    match draw(st.integers(0, 5)):
        case 0:
            return f"({left}{space})"
        case 1:
            return f"-{space}{left}"
        case 2:
            return f"{draw(st.sampled_from(['min', 'max']))}({left},{space}{right})"
        case 3:
            return f"({left} {draw(st.sampled_from(['<', '<=', '>', '>=', '==', '!=']))}{space}{right})"
    return f"{left}{space}{draw(st.sampled_from(['+', '-', '*', '//', '%']))}{space}{right}"


@given(_texts())
def test_agrees_with_python(text: str) -> None:
    try:
        expected = int(eval(text, {"__builtins__": {}, "min": min, "max": max}, dict(SCOPE)))
    except ZeroDivisionError:
        with pytest.raises(ExpressionError) as raised:
            value(text)
        assert raised.value.code == "division-by-zero"
        return
    assert value(text) == expected


@given(st.integers(-20, 20), st.integers(0, 80))
def test_powers_agree_with_python_or_are_too_large(a: int, b: int) -> None:
    if abs(a**b) < 2**62:
        assert value(f"({a}) ** {b}") == a**b
    elif abs(a**b) >= 2**63:
        with pytest.raises(ExpressionError) as raised:
            value(f"({a}) ** {b}")
        assert raised.value.code == "too-large"


@given(st.text(alphabet="0123456789abin mx+-*/%()<>=!,._ ", max_size=30))
def test_any_text_is_worked_out_or_refused(text: str) -> None:
    try:
        expression = parse_expression(text)
        result = evaluate(expression, dict.fromkeys(names(expression), 3))
    except ExpressionError:
        return
    assert abs(result) < 2**63
