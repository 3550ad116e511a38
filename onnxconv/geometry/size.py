"""Sizes along an axis: an integer, or the text of a symbolic one such as ``H`` or ``(H+1)//2``."""

from __future__ import annotations

import re
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
