"""Whole-number arithmetic on parameters: ``4 * width``, ``(n + 1) // 2``, ``max(a, b)``, ``i > 0``.

Operators as in Python, weakest first: == != < <= > >=, then + -, then * // %, then unary -, then ** (from the right).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Expression", "ExpressionError", "evaluate", "names", "parse_expression"]

LARGEST = 2**63 - 1
"""No value, not even an intermediate one, is larger in magnitude."""
LONGEST = 1000
"""Characters in one expression."""
DEEPEST = 50
"""Nested parentheses and operators."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<symbol>\*\*|//|==|!=|<=|>=|[-+*%()<>,/]))"
)
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_STRENGTH = dict.fromkeys(_COMPARE, 1) | {"+": 2, "-": 2, "*": 3, "//": 3, "%": 3, "**": 5}
_UNARY = 4
_FUNCTIONS = {"min": min, "max": max}


class ExpressionError(Exception):
    """What is wrong with an expression, and what to write instead."""

    def __init__(self, what: str, fix: str, code: str = "expression") -> None:
        self.what, self.fix, self.code = what, fix, code
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    symbol: str
    operands: tuple[Expression, ...]


Expression: TypeAlias = "int | Name | Apply"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def parse_expression(text: str) -> Expression:
    """The expression written in `text`; ExpressionError if it is none."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text)} characters", f"use at most {LONGEST}")
    parser = _Parser(_tokens(text))
    expression = parser.expression(0, 0)
    rest = parser.peek()
    if rest.kind != "end":
        raise ExpressionError(f"{rest.text!r} after the end of the expression", "put an operator before it")
    return expression


def names(expression: Expression) -> frozenset[str]:
    """The parameters that it mentions."""
    match expression:
        case Name(name):
            return frozenset((name,))
        case Apply(_, operands):
            return frozenset[str]().union(*(names(o) for o in operands))
    return frozenset()


def evaluate(expression: Expression, scope: Mapping[str, int]) -> int:
    """Its value; comparisons give 1 or 0. ExpressionError on a division by zero or a value beyond 64 bits."""
    match expression:
        case int():
            return _bounded(expression)
        case Name(name):
            return _bounded(scope[name])
        case Apply(symbol, operands):
            return _bounded(_apply(symbol, [evaluate(o, scope) for o in operands]))


def _apply(symbol: str, values: list[int]) -> int:
    if symbol in _FUNCTIONS:
        return int(_FUNCTIONS[symbol](values))
    if len(values) == 1:
        return -values[0]
    a, b = values
    match symbol:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "//" | "%":
            if b == 0:
                raise ExpressionError(f"{a} {symbol} 0 divides by zero", "divide by 1 or more", code="division-by-zero")
            return a // b if symbol == "//" else a % b
        case "**":
            return _power(a, b)
    return int(_COMPARE[symbol](a, b))


def _power(a: int, b: int) -> int:
    if b < 0:
        raise ExpressionError(f"{a} ** {b} is not a whole number", "use an exponent of 0 or more")
    if abs(a) > 1 and (abs(a).bit_length() - 1) * b > 63:
        raise ExpressionError(f"{a} ** {b} is too large", f"stay within {LARGEST}", code="too-large")
    return int(a**b) if abs(a) > 1 else (a if b % 2 else 1 if a or not b else 0)


def _bounded(value: int) -> int:
    if abs(value) > LARGEST:
        raise ExpressionError(
            f"a value of {value.bit_length()} bits is too large", f"stay within {LARGEST}", code="too-large"
        )
    return int(value)


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(
                f"{text[at:].lstrip()[0]!r} has no meaning in an expression", "use + - * // % ** ( ) < > == min max"
            )
        kind = str(found.lastgroup)
        tokens.append(_Token(kind, found[kind]))
        at = found.end()
    return [*tokens, _Token("end", "")]


class _Parser:
    """Precedence climbing (V. R. Pratt, Top down operator precedence, 1973)."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    def peek(self) -> _Token:
        return self._tokens[self._at]

    def take(self) -> _Token:
        token = self.peek()
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def expression(self, weakest: int, depth: int) -> Expression:
        if depth > DEEPEST:
            raise ExpressionError(f"an expression nested more than {DEEPEST} deep", "name its parts as parameters")
        left = self._operand(depth)
        while True:
            token = self.peek()
            if token.text == "/":
                raise ExpressionError("'/' need not give a whole number", "write // to round down")
            strength = _STRENGTH.get(token.text, 0)
            if strength <= weakest:
                return left
            self.take()
            # ** groups from the right, and its exponent may carry a sign
            right = self.expression(_UNARY - 1 if token.text == "**" else strength, depth + 1)
            if strength == 1 and self.peek().text in _COMPARE:
                raise ExpressionError("two comparisons in a row", "multiply two of them: (a < b) * (b < c)")
            left = Apply(token.text, (left, right))

    def _operand(self, depth: int) -> Expression:
        token = self.take()
        if token.kind == "number":
            return _number(token)
        if token.kind == "name":
            return self._call(token, depth) if token.text in _FUNCTIONS else Name(token.text)
        if token.text == "-":
            return Apply("-", (self.expression(_UNARY, depth + 1),))
        if token.text == "(":
            inner = self.expression(0, depth + 1)
            self._expect(")")
            return inner
        what = f"{token.text!r} where a number or a parameter is due" if token.text else "the expression ends too early"
        raise ExpressionError(what, "write a number, a parameter or a parenthesis there")

    def _call(self, function: _Token, depth: int) -> Expression:
        self._expect("(")
        operands = [self.expression(0, depth + 1)]
        while self.peek().text == ",":
            self.take()
            operands.append(self.expression(0, depth + 1))
        self._expect(")")
        return Apply(function.text, tuple(operands))

    def _expect(self, text: str) -> None:
        token = self.take()
        if token.text != text:
            raise ExpressionError(
                f"{text!r} is missing before {repr(token.text) if token.text else 'the end'}", f"put {text!r} there"
            )


def _number(token: _Token) -> int:
    if len(token.text) > 20:
        raise ExpressionError(f"a number of {len(token.text)} digits", f"stay within {LARGEST}", "too-large")
    return int(token.text)
