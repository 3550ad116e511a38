"""Arithmetic on integers some of which are sizes left open: what shape arithmetic in ONNX models computes.

A known number is an int or a float, an open size the text of a `Size`. Sizes of tensors are at least 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeAlias

from onnxconv.errors import Refusal
from onnxconv.geometry.size import floor_div, shift, times

__all__ = ["OPEN", "Number"]

Number: TypeAlias = "int | float | str"

_MULTIPLE = re.compile(r"(\d+)\*(\w+|\([^()]*\))")


def _add(a: Number, b: Number) -> Number:
    a, b = (b, a) if isinstance(b, str) else (a, b)
    if isinstance(a, str) and isinstance(whole := _whole(b), int):
        return shift(a, whole)
    raise _unknown("+", a, b)


def _sub(a: Number, b: Number) -> Number:
    if a == b:
        return 0
    if isinstance(a, str) and isinstance(whole := _whole(b), int):
        return shift(a, -whole)
    raise _unknown("-", a, b)


def _mul(a: Number, b: Number) -> Number:
    a, b = (b, a) if isinstance(b, str) else (a, b)
    whole = _whole(b)
    if isinstance(a, str) and isinstance(whole, int) and whole >= 0:
        return times(a, whole) if whole else 0
    raise _unknown("*", a, b)


def _div(a: Number, b: Number) -> Number:
    if a == b:
        return 1
    if isinstance(a, str) and (b == 1 or (isinstance(b, int) and b > 0)):
        multiple = _MULTIPLE.fullmatch(a)
        if multiple and int(multiple[1]) % int(b) == 0:
            return times(multiple[2], int(multiple[1]) // int(b))
        return floor_div(a, int(b))
    raise _unknown("/", a, b)


def _equal(a: Number, b: Number) -> bool:
    if a == b:
        return True
    if any(isinstance(n, int | float) and n < 1 for n in (a, b)) and any(
        isinstance(n, str) and _plain(n) for n in (a, b)
    ):
        return False
    raise _unknown("==", a, b)


def _greater(a: Number, b: Number) -> bool:
    if a == b:
        return False
    if isinstance(a, str) and isinstance(b, int | float) and b < 1 and _plain(a):
        return True
    if isinstance(b, str) and isinstance(a, int | float) and a <= 1 and _plain(b):
        return False
    raise _unknown(">", a, b)


def _max(a: Number, b: Number) -> Number:
    a, b = (b, a) if isinstance(b, str) else (a, b)
    if a == b or (isinstance(a, str) and isinstance(b, int | float) and b <= 1 and _plain(a)):
        return a
    raise _unknown("max", a, b)


def _min(a: Number, b: Number) -> Number:
    a, b = (b, a) if isinstance(b, str) else (a, b)
    if a == b:
        return a
    if isinstance(a, str) and isinstance(b, int | float) and b <= 1 and _plain(a):
        return b
    raise _unknown("min", a, b)


def _whole(n: Number) -> int | None:
    return int(n) if isinstance(n, int) or (isinstance(n, float) and math.isfinite(n) and n.is_integer()) else None


def _plain(size: str) -> bool:
    """It is the size of a tensor itself, not what was computed from one."""
    return shift(size, 0) == size and not any(sign in size for sign in "+-/*")


def _unknown(sign: str, *operands: Number) -> Refusal:
    said = f" {sign} ".join(map(str, operands))
    return Refusal("symbolic-size", f"{said} is not known", "it depends on a size that the model leaves open")


OPEN: dict[str, Callable[[Number, Number], Number]] = {
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Equal": _equal,
    "Greater": _greater,
    "Less": lambda a, b: _greater(b, a),
    "Max": _max,
    "Min": _min,
}
"""By ONNX operator: its value on two numbers at least one of which is open. Raises `Refusal` where that is not known."""
