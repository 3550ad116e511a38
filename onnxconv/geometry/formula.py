"""Formulas over sizes left open, read from text: as polynomials print themselves, and as exporters write them."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from onnxconv.errors import Refusal
from onnxconv.geometry.polynomial import MOST_TERMS, Polynomial, constant, symbol

__all__ = ["read"]

_TOKEN = re.compile(
    r"\s*(?:(//|\*\*|[-+*()])|(\d{1,64})(?![^-+*/(),\s])"
    r"|((?:[^-+*/(),\s]|/(?!/)|-(?=[^\W\d])|\s(?=[^-+*/(),\s]))+))\s*"
)
"""Signs, numbers, and names: these may hold blanks, a hyphen before a letter, a single slash, and whatever is no sign."""
_LONGEST = 4096
"""Letters in a formula."""


@lru_cache(maxsize=4096)
def read(text: str) -> Polynomial | None:
    """The polynomial that a text says; None where it is no formula.

    sum = term (± term)…; term = factor (* factor, // number)…; factor = -factor, or a number, a name or (sum), to a power.
    """
    reader = _Reader(text[:_LONGEST])
    try:
        found = reader.sum()
    except (ValueError, RecursionError, Refusal):
        return None
    return found if reader.at == len(text) else None


class _Reader:
    """Reads a text from the position `at` on. Its methods raise `ValueError` where it is no formula."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def sum(self) -> Polynomial:
        total = self._term()
        while sign := self._sign("+", "-"):
            term = self._term()
            total = total + term if sign == "+" else total - term
        return total

    def _term(self) -> Polynomial:
        product = self._factor()
        while sign := self._sign("*", "//"):
            product = product * self._factor() if sign == "*" else product // self._number(least=1)
        return product

    def _factor(self) -> Polynomial:
        if self._sign("-"):
            return -1 * self._factor()
        base = self._atom()
        if not self._sign("**"):
            return base
        if (power := self._number(least=0)) > MOST_TERMS:
            raise ValueError(f"a power of at most {MOST_TERMS} is expected")
        return math.prod([base] * power, start=constant(1))

    def _atom(self) -> Polynomial:
        if self._sign("("):
            found = self.sum()
            if not self._sign(")"):
                raise ValueError("a bracket is not closed")
            return found
        token = self._token()
        if token[2]:
            self.at = token.end()
            return constant(int(token[2]))
        if token[3] and any(letter.isalpha() for letter in token[3]):
            self.at = token.end()
            return symbol(token[3].strip())
        raise ValueError("a number, a name or a bracket is expected")

    def _number(self, least: int) -> int:
        token = self._token()
        if not token[2] or int(token[2]) < least:
            raise ValueError(f"a number of at least {least} is expected")
        self.at = token.end()
        return int(token[2])

    def _sign(self, *signs: str) -> str:
        """The sign that comes next, if it is one of these; it is passed then."""
        token = _TOKEN.match(self.text, self.at)
        if token is None or token[1] not in signs:
            return ""
        self.at = token.end()
        return token[1]

    def _token(self) -> re.Match[str]:
        token = _TOKEN.match(self.text, self.at)
        if token is None:
            raise ValueError("something is expected")
        return token
