"""Arithmetic on integers some of which are sizes left open: what shape arithmetic in ONNX models computes.

A known number is an int or a float, an open size the text of a `Size`. Sizes of tensors are at least 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from onnxconv.errors import Refusal
from onnxconv.geometry import Size, floor_div, least, plus, product, quotient, times

__all__ = ["OPEN", "Number"]

Number: TypeAlias = "int | float | str"


def _add(a: Number, b: Number) -> Number:
    return plus(_whole("+", a, b))


def _sub(a: Number, b: Number) -> Number:
    return plus(_difference("-", a, b))


def _mul(a: Number, b: Number) -> Number:
    return product(_whole("*", a, b))


def _div(a: Number, b: Number) -> Number:
    """Exact; of integers by an integer also rounded towards 0 (ONNX, Div), where that is known to be down."""
    above, below = _whole("/", a, b)
    exact = quotient(above, below)
    if exact is not None:
        return exact
    if isinstance(b, int) and b > 0 and _at_least(above, 0):
        return floor_div(above, b)
    raise _unknown("/", a, b)


def _mod(a: Number, b: Number) -> Number:
    """What is left of a, with the sign of the divisor."""
    above, below = _whole("%", a, b)
    if quotient(above, below) is not None:
        return 0
    if isinstance(b, int) and b > 0:
        return _sub(above, times(floor_div(above, b), b))
    raise _unknown("%", a, b)


def _equal(a: Number, b: Number) -> bool:
    over, under = (plus(_difference("==", *pair)) for pair in ((a, b), (b, a)))
    if over == 0 or _at_least(over, 1) or _at_least(under, 1):
        return over == 0
    raise _unknown("==", a, b)


def _greater(a: Number, b: Number, sign: str = ">") -> bool:
    over, under = (plus(_difference(sign, *pair)) for pair in ((a, b), (b, a)))
    if _at_least(over, 1) or _at_least(under, 0):
        return _at_least(over, 1)
    raise _unknown(sign, a, b)


def _max(a: Number, b: Number) -> Number:
    return a if _greater(a, b, "max") else b


def _min(a: Number, b: Number) -> Number:
    return b if _greater(a, b, "min") else a


def _at_least(n: Size, limit: int) -> bool:
    bound = least(n)
    return bound is not None and bound >= limit


def _whole(sign: str, a: Number, b: Number) -> tuple[Size, Size]:
    """Both as sizes. Raises `Refusal` for numbers that are not whole."""
    for n in (a, b):
        if isinstance(n, float) and not n.is_integer():
            raise _unknown(sign, a, b)
    return tuple(int(n) if isinstance(n, float) else n for n in (a, b))  # type: ignore[return-value]


def _difference(sign: str, a: Number, b: Number) -> tuple[Size, Size]:
    left, right = _whole(sign, a, b)
    return left, times(right, -1)


def _unknown(sign: str, *operands: Number) -> Refusal:
    said = f" {sign} ".join(map(str, operands))
    return Refusal("symbolic-size", f"{said} is not known", "it depends on a size that the model leaves open")


OPEN: dict[str, Callable[[Number, Number], Number]] = {
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Mod": _mod,
    "Equal": _equal,
    "Greater": _greater,
    "GreaterOrEqual": lambda a, b: not _greater(b, a),
    "Less": lambda a, b: _greater(b, a),
    "LessOrEqual": lambda a, b: not _greater(a, b),
    "Max": _max,
    "Min": _min,
}
"""By ONNX operator: its value on two numbers at least one of which is open. Raises `Refusal` where that is not known."""
