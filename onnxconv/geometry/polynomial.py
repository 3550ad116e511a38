"""Polynomials with integer coefficients over sizes left open: exact arithmetic with one form for each value.

A polynomial is a sum of products of atoms. An atom is the name of an open size, which is at least 1, or a quotient
rounded down of which nothing more can be said. What is a multiple of the divisor stands outside of a quotient, and
quotients of quotients are one: ⌊(P + ⌊R ÷ s⌋) ÷ d⌋ = ⌊(s·P + R) ÷ (s·d)⌋.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from onnxconv.errors import Refusal

__all__ = ["MOST_TERMS", "Atom", "Polynomial", "Quotient", "constant", "symbol"]

MOST_TERMS = 64
"""Terms of a polynomial, and the degree of one."""


@dataclass(frozen=True, slots=True)
class Quotient:
    """⌊above ÷ below⌋. The coefficients of `above` are at least 0 and less than `below`, which is at least 2."""

    above: Polynomial
    below: int

    def __str__(self) -> str:
        return f"{_bracketed(str(self.above))}//{self.below}"


Atom: TypeAlias = "str | Quotient"
Monomial: TypeAlias = tuple[Atom, ...]
"""A product of atoms, sorted by their text; the empty one is 1."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum of monomials times coefficients other than 0, in the order in which it is written, the constant last."""

    terms: tuple[tuple[Monomial, int], ...]

    @property
    def constant(self) -> int:
        return dict(self.terms).get((), 0)

    @property
    def known(self) -> int | None:
        """Its value, where that does not depend on anything open."""
        return self.constant if all(not monomial for monomial, _ in self.terms) else None

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """Every atom once."""
        return tuple(dict.fromkeys(chain.from_iterable(monomial for monomial, _ in self.terms)))

    def __add__(self, other: Polynomial | int) -> Polynomial:
        return _summed((*self.terms, *_polynomial(other).terms))

    def __sub__(self, other: Polynomial | int) -> Polynomial:
        return self + -1 * _polynomial(other)

    def __mul__(self, other: Polynomial | int) -> Polynomial:
        return _summed((_product(a, b), m * n) for a, m in self.terms for b, n in _polynomial(other).terms)

    __rmul__ = __mul__

    def __floordiv__(self, by: int) -> Polynomial:
        """⌊self ÷ by⌋ for a divisor of at least 1, in lowest terms: ⌊(g·P + r) ÷ (g·d)⌋ = ⌊(P + ⌊r ÷ g⌋) ÷ d⌋."""
        whole, rest = _summed((m, c // by) for m, c in self.terms), _summed((m, c % by) for m, c in self.terms)
        if rest.known is not None:
            return whole
        shared = math.gcd(by, *(c for monomial, c in rest.terms if monomial))
        rest, by = _summed((monomial, c // shared) for monomial, c in rest.terms), by // shared
        inner = [q for m, c in rest.terms if c == 1 for q in m if len(m) == 1 and isinstance(q, Quotient)]
        if len(inner) == 1:
            above = inner[0].below * (rest - _atom(inner[0])) + inner[0].above
            return whole + above // (inner[0].below * by)
        return whole + _atom(Quotient(rest, by))

    def over(self, other: Polynomial) -> Polynomial | None:
        """self ÷ other where that is a polynomial; None where it is not."""
        if not other.terms:
            return None
        (lead, factor), *_ = by = _descending(other, atoms := _ordered(self, other))
        found, rest = constant(0), self
        while rest.terms:
            monomial, coefficient = _descending(rest, atoms)[0]
            left = Counter(monomial)
            left.subtract(lead)
            if coefficient % factor or min(left.values(), default=0) < 0:
                return None
            part = _summed([(tuple(sorted(left.elements(), key=str)), coefficient // factor)])
            found, rest = found + part, rest - part * _summed(by)
        return found

    def least(self) -> int | None:
        """A number that it is never less than; None where none is known."""
        if any(c < 0 for monomial, c in self.terms if monomial):
            return None
        return sum(c * math.prod(map(_least, monomial)) for monomial, c in self.terms)

    def at(self, value: Callable[[Atom], Polynomial | None]) -> Polynomial:
        """With the values of atoms in their places; where there is none, of the atoms within them."""

        def here(atom: Atom) -> Polynomial:
            if (found := value(atom)) is not None:
                return found
            return _atom(atom) if isinstance(atom, str) else atom.above.at(value) // atom.below

        products = (math.prod(map(here, monomial), start=constant(c)) for monomial, c in self.terms)
        return sum(products, constant(0))

    def names(self) -> frozenset[str]:
        """All open sizes that it depends on."""
        inner = ((atom,) if isinstance(atom, str) else atom.above.names() for atom in self.atoms)
        return frozenset(chain.from_iterable(inner))

    def __str__(self) -> str:
        """Such as ``64*H*W``, ``2*((H+1)//2)-1``; read by `onnxconv.geometry.formula`."""
        terms, last = _gathered(self)
        text = "".join(f"{'+' if c > 0 else ''}{_term(m, c)}" for m, c in terms)
        text += f"{last:+d}" if last or not text else ""
        return text.removeprefix("+")


def symbol(name: str) -> Polynomial:
    return _atom(name)


def constant(n: int) -> Polynomial:
    return Polynomial((((), n),) if n else ())


def _atom(atom: Atom) -> Polynomial:
    return Polynomial((((atom,), 1),))


def _polynomial(n: Polynomial | int) -> Polynomial:
    return n if isinstance(n, Polynomial) else constant(n)


def _product(a: Monomial, b: Monomial) -> Monomial:
    if len(a) + len(b) > MOST_TERMS:
        raise Refusal("symbolic-size", f"a product of more than {MOST_TERMS} open sizes", "it is not followed further")
    return tuple(sorted((*a, *b), key=str))


def _summed(terms: Iterable[tuple[Monomial, int]]) -> Polynomial:
    total: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        total[monomial] = total.get(monomial, 0) + coefficient
        if len(total) > MOST_TERMS:
            why = "it is not followed further"
            raise Refusal("symbolic-size", f"a formula of more than {MOST_TERMS} terms over open sizes", why)
    kept = ((monomial, coefficient) for monomial, coefficient in total.items() if coefficient)
    return Polynomial(tuple(sorted(kept, key=lambda term: (-len(term[0]), tuple(map(str, term[0]))))))


def _ordered(*polynomials: Polynomial) -> tuple[Atom, ...]:
    return tuple(sorted({atom for p in polynomials for atom in p.atoms}, key=str))


def _descending(p: Polynomial, atoms: tuple[Atom, ...]) -> list[tuple[Monomial, int]]:
    """Terms in an order that multiplication keeps: by degree, then by the powers of the atoms."""

    def rank(term: tuple[Monomial, int]) -> tuple[int, ...]:
        return len(term[0]), *(term[0].count(atom) for atom in atoms)

    return sorted(p.terms, key=rank, reverse=True)


def _least(atom: Atom) -> int:
    if isinstance(atom, str):
        return 1
    below = atom.above.least()
    assert below is not None, "the coefficients of a quotient are not negative"
    return below // atom.below


def _gathered(p: Polynomial) -> tuple[list[tuple[Monomial, int]], int]:
    """The terms as they are written, and the constant: H + H//2 as (3*H)//2."""
    terms = {monomial: c for monomial, c in p.terms if monomial}
    for monomial, c in p.terms:
        match monomial:
            case (Quotient() as q,) if c == 1 and (own := {m for m, _ in q.above.terms if m} & terms.keys()):
                above = q.above + _summed((m, q.below * terms[m]) for m in own)
                terms = {m: n for m, n in terms.items() if m not in own | {monomial}} | {(Quotient(above, q.below),): 1}
    return list(terms.items()), p.constant


def _term(monomial: Monomial, coefficient: int) -> str:
    """A coefficient of -1 is written too: a hyphen before a letter may be part of a name."""
    factors = _factors(monomial) if len(monomial) > 1 or coefficient != 1 else map(str, monomial)
    return "*".join((*(() if coefficient == 1 else (str(coefficient),)), *factors))


def _factors(monomial: Monomial) -> Iterator[str]:
    for atom, power in Counter(monomial).items():
        text = str(atom) if isinstance(atom, str) else f"({atom})"
        yield text if power == 1 else f"{text}**{power}"


def _bracketed(text: str) -> str:
    return text if not any(sign in text for sign in "+-*/(") else f"({text})"
