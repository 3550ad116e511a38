"""Sets of positions along one axis, exactly: what is seen, what is clipped, what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

from onnxconv.errors import Refusal
from onnxconv.geometry.axis import Axis, TransposedAxis
from onnxconv.geometry.reach import Field, copies

LARGEST_SPAN = 2**26
"""Positions from the first to the last of a set: one bit of memory each."""


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions first + i for every bit i of `mask`. Bit 0 is set unless the set is empty: then it is (0, 0)."""

    first: int = 0
    mask: int = 0

    @classmethod
    def of(cls, positions: Iterable[int]) -> Positions:
        found = set(positions)
        if not found:
            return cls()
        first, last = min(found), max(found)
        bits = bytearray(b"0" * _fits(last - first + 1))
        for at in found:
            bits[last - at] = ord("1")
        return cls(first, int(bits, 2))

    @classmethod
    def all(cls, n: int) -> Positions:
        """Those from 0 to n − 1."""
        return cls(0, (1 << _fits(n)) - 1)

    def __bool__(self) -> bool:
        return bool(self.mask)

    def __len__(self) -> int:
        return self.mask.bit_count()

    def __iter__(self) -> Iterator[int]:
        bits = f"{self.mask:b}"[::-1]
        return (self.first + at for at, bit in enumerate(bits) if bit == "1")

    def __or__(self, other: Positions) -> Positions:
        if not (self and other):
            return self or other
        first = min(self.first, other.first)
        _fits(max(self.last, other.last) - first + 1)
        return Positions(first, self.mask << (self.first - first) | other.mask << (other.first - first))

    def __le__(self, other: Positions) -> bool:
        """Every position is one of the other's."""
        return (self | other) == other

    @property
    def last(self) -> int:
        return self.first + self.mask.bit_length() - 1

    def within(self, n: int | None) -> Positions:
        """Those from 0 to n − 1; from 0 on where n is None."""
        first = max(0, self.first)
        kept = self.mask >> (first - self.first)
        bits = kept.bit_length() if n is None else max(0, min(n - first, kept.bit_length()))
        return _settled(first, kept & ((1 << bits) - 1))

    def gaps(self) -> Positions:
        """The positions between the first and the last that are left out."""
        return _settled(self.first, self.mask ^ ((1 << self.mask.bit_length()) - 1))

    def runs(self) -> tuple[tuple[int, int], ...]:
        """(first, last) of each stretch of neighbouring positions, ascending."""
        found: list[tuple[int, int]] = []
        rest = self
        while rest:
            length = (~rest.mask & (rest.mask + 1)).bit_length() - 1
            found.append((rest.first, rest.first + length - 1))
            rest = _settled(rest.first + length, rest.mask >> length)
        return tuple(found)

    def through(self, step: Axis | TransposedAxis | Field) -> Positions:
        """The input positions that these outputs of a window read, or of any family of positions, on an endless input."""
        period, advance, seen = _family(step)
        read = Positions()
        for phase, turns in self._turns(period):
            read |= turns._times(advance)._plus(seen(phase))
        return read

    def _turns(self, period: int) -> Iterator[tuple[int, Positions]]:
        """The positions p, by p mod `period`, as sets of p ÷ `period`."""
        bits = f"{self.mask:b}"[::-1] if self else ""
        for offset in range(min(period, len(bits))):
            chosen = bits[offset::period]
            if "1" in chosen:
                turn, phase = divmod(self.first + offset, period)
                yield phase, _settled(turn, int(chosen[::-1], 2))

    def _times(self, factor: int) -> Positions:
        """Every position times `factor`."""
        if not self or not factor:
            return Positions(0, 1) if self else self
        bits, apart = f"{self.mask:b}", abs(factor)
        _fits((len(bits) - 1) * apart + 1)
        ordered = bits if factor > 0 else bits[::-1]
        return Positions(factor * (self.first if factor > 0 else self.last), int(("0" * (apart - 1)).join(ordered), 2))

    def _plus(self, other: Positions) -> Positions:
        """Every sum of one of these positions and one of the other's."""
        if not (self and other):
            return Positions()
        _fits(self.last - self.first + other.last - other.first + 1)
        fewer, more = sorted((self, other), key=len)
        mask = reduce(int.__or__, (more.mask << (at - fewer.first) for at in fewer))
        return Positions(self.first + other.first, mask)

    def folded(self, mode: str, n: int) -> Positions:
        """Where the pixels around an axis of n are taken from, by the mode of `Pad`: reflect, edge or wrap."""
        return Positions.of(FOLDS[mode](at, n) for at in self)


FOLDS: dict[str, Callable[[int, int], int]] = {
    "reflect": lambda at, n: abs((at + n - 1) % max(1, 2 * n - 2) - (n - 1)),
    "edge": lambda at, n: min(max(at, 0), n - 1),
    "wrap": lambda at, n: at % n,
}


def _family(step: Axis | TransposedAxis | Field) -> tuple[int, int, Callable[[int], Positions]]:
    """(period, advance, what the outputs of the first period read): output o + period reads `advance` further on."""
    match step:
        case Axis():
            return 1, step.stride, lambda _: Positions(step.position(0, 0), copies(1, step.size, step.dilation))
        case TransposedAxis():
            return step.stride, 1, lambda out: Positions.of(step.sources(out))
        case Field():
            return len(step.phases), step.advance, lambda out: Positions(*step.phases[out])


def _settled(first: int, mask: int) -> Positions:
    """A set whose mask may end in zeros."""
    low = (mask & -mask).bit_length() - 1
    return Positions(first + low, mask >> low) if mask else Positions()


def _fits(span: int) -> int:
    if span > LARGEST_SPAN:
        raise Refusal(
            "too-large",
            f"{span:,} pixels would have to be followed one by one",
            f"a position sees what lies within 2^26 = {LARGEST_SPAN:,} pixels along an axis",
            "ask for a position of a layer that sees less, or give a smaller input",
        )
    return span
