"""Sizes along an axis: an integer, or the text of a formula over open ones such as ``H`` or ``(H+1)//2``.

Formulas that are equal as polynomials have equal texts. Open sizes are at least 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from onnxconv.geometry.formula import read
from onnxconv.geometry.polynomial import Polynomial, constant, symbol

__all__ = [
    "Size",
    "apart",
    "differ",
    "divided",
    "evaluated",
    "floor_div",
    "formula",
    "inverted",
    "is_formula",
    "least",
    "names",
    "plus",
    "product",
    "quotient",
    "shift",
    "solved",
    "times",
]

Size: TypeAlias = "int | str"


def formula(n: Size) -> Polynomial:
    """A size as a polynomial. Text that is no formula is one name."""
    return constant(n) if isinstance(n, int) else read(n) or symbol(n)


def is_formula(text: str) -> bool:
    """It is the name of an open size, or a formula over such names."""
    found = read(text)
    return found is not None and found.known is None


def size(p: Polynomial) -> Size:
    known = p.known
    return str(p) if known is None else known


def shift(n: Size, by: int) -> Size:
    return n + by if isinstance(n, int) else size(formula(n) + by)


def floor_div(n: Size, by: int) -> Size:
    return n // by if isinstance(n, int) else size(formula(n) // by)


def times(n: Size, by: int) -> Size:
    return n * by if isinstance(n, int) else size(formula(n) * by)


def apart(a: Size, b: Size) -> int | None:
    """a − b where that is the same whatever the symbols stand for; None where it is not."""
    return (formula(a) - formula(b)).known


def differ(a: Size, b: Size) -> bool:
    """They are not the same, whatever the symbols stand for; false where they may be."""
    (over, under) = (formula(a) - formula(b)).least(), (formula(b) - formula(a)).least()
    return (over or 0) > 0 or (under or 0) > 0


def least(n: Size) -> int | None:
    """A number that a size is never less than; None where none is known."""
    return formula(n).least()


def plus(sizes: Iterable[Size]) -> Size:
    """The sum of sizes."""
    return size(sum(map(formula, sizes), constant(0)))


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes."""
    return size(math.prod(map(formula, sizes), start=constant(1)))


def quotient(a: Size, by: Size) -> Size | None:
    """a ÷ by where that leaves nothing, whatever the symbols stand for; None where it may."""
    exact = formula(a).over(formula(by))
    return None if exact is None else size(exact)


def divided(sizes: Iterable[Size], by: Iterable[Size]) -> Size | None:
    """The product of sizes divided by others: what one axis has when the others take theirs.

    Rounded down where all that is left to divide by is a number. None where the divisor is 0, or a formula that does not
    divide.
    """
    above, below = (math.prod(map(formula, n), start=constant(1)) for n in (sizes, by))
    exact = above.over(below)
    if exact is not None:
        return size(exact)
    number = math.gcd(*(c for _, c in below.terms))
    whole = None if not number else above.over(_part(below, number))
    return None if whole is None else size(whole // number)


def _part(p: Polynomial, by: int) -> Polynomial:
    found = p.over(constant(by))
    assert found is not None, "it divides every coefficient"
    return found


def names(n: Size) -> frozenset[str]:
    """The open sizes that a formula depends on."""
    return formula(n).names()


def solved(given: Iterable[tuple[Size, Size]]) -> dict[str, Size]:
    """What each open size is, by name, where formulas are to have certain sizes: those that follow one after the other.

    Of two that contradict each other the first counts; plain names come before formulas.
    """
    known: dict[str, Size] = {}
    for n, wanted in sorted(given, key=lambda pair: names(pair[0]) != {pair[0]}):
        left = formula(n).at(lambda atom: formula(known[atom]) if isinstance(atom, str) and atom in known else None)
        if (line := _line(left)) is not None:
            name, factor, begin = line
            found = (formula(wanted) - begin).over(constant(factor))
            if found is not None:
                known[name] = size(found)
    return known


def inverted(n: Size, name: str) -> dict[str, Size]:
    """The open size that a formula of it alone is a line of, over what `name` stands for: the formula's own value."""
    line = _line(formula(n))
    return {} if line is None or line[1] < 1 else {line[0]: size((symbol(name) - line[2]) // line[1])}


def _line(p: Polynomial) -> tuple[str, int, int] | None:
    """(name, factor, constant) of factor·name + constant."""
    match [(monomial, factor) for monomial, factor in p.terms if monomial]:
        case [((str() as name,), factor)]:
            return name, factor, p.constant
    return None


def evaluated(n: Size, known: Mapping[str, Size]) -> Size:
    """A formula with sizes in place of the open ones, or the quotients, that are known by name."""
    if isinstance(n, int):
        return n
    return size(formula(n).at(lambda atom: formula(known[str(atom)]) if str(atom) in known else None))
