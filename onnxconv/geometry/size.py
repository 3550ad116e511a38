"""Sizes along an axis: an integer, or the text of a symbolic one such as ``H`` or ``(H+1)//2``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TypeAlias

Size: TypeAlias = "int | str"

_SYMBOLIC = re.compile(r"(?:\((?P<inner>.+?)(?P<r>\+\d+)?\)//(?P<s>\d+)|(?P<plain>.+?))(?P<q>[+-]\d+)?", re.DOTALL)


def _parts(n: str) -> tuple[str, int, int, int]:
    """Read ``(base + r)//s + q``, the one form that sizes after sliding windows take."""
    found = _SYMBOLIC.fullmatch(n)
    assert found, f"a symbolic size is never empty, got {n!r}"
    base = found["plain"] or found["inner"]
    return base, int(found["r"] or 0), int(found["s"] or 1), int(found["q"] or 0)


def _text(base: str, r: int, s: int, q: int) -> str:
    q, r = q + r // s, r % s
    inner = f"({base}{f'+{r}' if r else ''})//{s}" if s > 1 else base
    return f"{inner}{f'{q:+d}' if q else ''}"


def shift(n: Size, by: int) -> Size:
    if isinstance(n, int):
        return n + by
    base, r, s, q = _parts(n)
    return _text(base, r, s, q + by)


def floor_div(n: Size, by: int) -> Size:
    """⌊n ÷ by⌋; nested floors collapse: ⌊(⌊(b + r) ÷ s⌋ + q) ÷ d⌋ = ⌊(b + r + q·s) ÷ (s·d)⌋."""
    if isinstance(n, int):
        return n // by
    base, r, s, q = _parts(n)
    return _text(base, r + q * s, s * by, 0)


def times(n: Size, by: int) -> Size:
    if isinstance(n, int):
        return n * by
    base, r, s, q = _parts(n)
    if by == 1:
        return n
    return _text(f"{by}*{base}" if s == 1 else f"{by}*({_text(base, r, s, 0)})", 0, 1, q * by)


def apart(a: Size, b: Size) -> int | None:
    """a − b where that is the same whatever the symbols stand for; None where it is not."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    if isinstance(a, int) or isinstance(b, int):
        return None
    (*one, p), (*other, q) = _parts(a), _parts(b)
    return p - q if one == other else None


def plus(sizes: Iterable[Size]) -> Size:
    """The sum of sizes."""
    sizes = tuple(sizes)
    symbols = [n for n in sizes if isinstance(n, str)]
    known = sum(n for n in sizes if isinstance(n, int))
    return known if not symbols else shift(symbols[0] if len(symbols) == 1 else f"({'+'.join(symbols)})", known)


def divided(sizes: Iterable[Size], by: Iterable[Size]) -> Size | None:
    """The product of sizes divided by others: what one axis has when the others take theirs, rounded down.

    None where the divisor is 0 or holds a symbol that is not among the sizes.
    """
    above, below = list(sizes), list(by)
    symbols = [n for n in above if isinstance(n, str)]
    for n in below:
        if isinstance(n, str) and n in symbols:
            symbols.remove(n)
        elif isinstance(n, str):
            return None
    number = math.prod(n for n in above if isinstance(n, int))
    divisor = math.prod(n for n in below if isinstance(n, int))
    if not symbols or not divisor:
        return number // divisor if divisor else None
    shared = math.gcd(number, divisor)
    text = symbols[0] if len(symbols) == 1 else "*".join(map(_factor, symbols))
    return floor_div(times(text, number // shared), divisor // shared)


def _factor(n: str) -> str:
    return n if re.fullmatch(r"\w+", n) else f"({n})"
