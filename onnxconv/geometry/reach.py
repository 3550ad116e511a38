"""Who sees what: the set of input positions behind each position of a tensor, along one axis.

On an endless input the pattern repeats: position o + period sees what position o sees, `advance` pixels further on.
Sliding windows have period 1; after upsampling by 2 there are two phases, and so on. Sets are bit masks, so holes left
by dilation are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from onnxconv.geometry.axis import Axis, TransposedAxis

NOTHING = (0, 0)


@dataclass(frozen=True, slots=True)
class Field:
    """A periodic family of position sets. `phases[p]` = (first, mask): bit i of mask says that first + i is seen.

    Bit 0 of a mask is set unless the set is empty, then the phase is (0, 0).
    """

    advance: int
    phases: tuple[tuple[int, int], ...]

    @property
    def stride(self) -> Fraction:
        """Input pixels between the fields of neighbouring outputs."""
        return Fraction(self.advance, len(self.phases))

    def at(self, position: int) -> tuple[int, int]:
        """(first, mask) seen by one output position."""
        turns, phase = divmod(position, len(self.phases))
        first, mask = self.phases[phase]
        return (first + turns * self.advance, mask) if mask else NOTHING

    def centre(self) -> Fraction | None:
        """Middle of the field of output 0, averaged over the phases that see something; None where none does."""
        middles = [
            Fraction(2 * first + mask.bit_length() - 1, 2) - phase * self.stride
            for phase, (first, mask) in enumerate(self.phases)
            if mask
        ]
        return sum(middles, Fraction(0)) / len(middles) if middles else None


@dataclass(frozen=True, slots=True)
class Reach:
    """What the positions of one tensor's axis see of one input's axis.

    `fields` holds one family per distinct stride (more than one only after a join of paths that move differently).
    `whole`: every position sees the whole axis. `aligned`: no join met paths with different centres or strides.
    `exact`: false where positions may see less than is said here, since data decide or nobody knows.
    """

    fields: tuple[Field, ...]
    aligned: bool = True
    whole: bool = False
    exact: bool = True

    def size(self, outputs: int | None = None) -> int | None:
        """Pixels from the first one seen to the last, at most over all outputs (0: none sees any).

        None where the whole axis is seen, or where strides differ and the number of outputs is not given.
        """
        return self._largest(outputs, lambda mask: mask.bit_length())

    def samples(self, outputs: int | None = None) -> int | None:
        """Distinct pixels seen by one output, at most over all outputs; None as for `size`."""
        return self._largest(outputs, lambda mask: mask.bit_count())

    @property
    def sees_nothing(self) -> bool:
        """No position sees any pixel, as where strides step over all that an upsampling filled."""
        return not self.whole and not any(mask for field in self.fields for _, mask in field.phases)

    def stride(self) -> Fraction | None:
        """Input pixels between neighbouring outputs, on average.

        None where paths disagree, outputs see the same pixels over and over in turn, or the whole input is seen.
        """
        if len(self.fields) != 1 or self.whole or (not self.fields[0].advance and len({*self.fields[0].phases}) > 1):
            return None
        return self.fields[0].stride

    def padding(self) -> int | None:
        """Pixels by which the field of output 0 begins before the input; None where the whole input is seen."""
        first, mask = self.at(0)
        return -first if mask and not self.whole else None

    def at(self, position: int) -> tuple[int, int]:
        """(first, mask) of the pixels that one position sees, on an endless input."""
        return self.fields[0].at(position) if len(self.fields) == 1 else _merge(f.at(position) for f in self.fields)

    def _largest(self, outputs: int | None, measure: Callable[[int], int]) -> int | None:
        """The largest measure of a mask: over one period, or over all outputs where strides differ."""
        if self.whole or (len(self.fields) > 1 and outputs is None):
            return None
        period = len(self.fields[0].phases)
        positions = outputs if len(self.fields) > 1 else period if outputs is None else min(period, outputs)
        return max((measure(self.at(position)[1]) for position in range(positions or 0)), default=0)


IDENTITY = Reach((Field(1, ((0, 1),)),))
WHOLE = Reach((), whole=True)
ANYTHING = Reach((), whole=True, exact=False)


def through(reach: Reach, step: Axis | TransposedAxis | Field) -> Reach:
    """What the outputs of a window see, or of any family of positions, when its input sees `reach`."""
    fields = tuple(_composed(field, step) for field in reach.fields)
    return Reach(fields, reach.aligned, reach.whole, reach.exact)


def held(reach: Reach) -> Reach:
    """What the positions of an axis see that all read position 0 of one that sees `reach`."""
    return reach if reach.whole else replace(reach, fields=(Field(0, (reach.at(0),)),))


def union(reaches: Iterable[Reach]) -> Reach:
    """What a join of several paths sees: the union position by position. A path that sees nothing adds nothing."""
    paths = tuple(reaches)
    aligned = all(path.aligned for path in paths)
    if any(path.whole for path in paths):
        return Reach((), aligned, whole=True, exact=any(path.whole and path.exact for path in paths))
    fields = [field for path in paths for field in path.fields]
    seeing = [field for field in fields if any(mask for _, mask in field.phases)] or fields[:1]
    by_stride: dict[Fraction, Field] = {}
    for field in seeing:
        known = by_stride.get(field.stride)
        by_stride[field.stride] = field if known is None else _join(known, field)
    centres = {field.centre() for field in seeing}
    return Reach(
        tuple(by_stride[stride] for stride in sorted(by_stride)),
        aligned and len(by_stride) <= 1 and len(centres) <= 1,
        exact=all(path.exact for path in paths),
    )


def _merge(seen: Iterable[tuple[int, int]]) -> tuple[int, int]:
    sets = [(first, mask) for first, mask in seen if mask]
    if not sets:
        return NOTHING
    start = min(first for first, _ in sets)
    mask = 0
    for first, bits in sets:
        mask |= bits << (first - start)
    return start, mask


def _composed(field: Field, step: Axis | TransposedAxis | Field) -> Field:
    match step:
        case Axis():
            return _through_window(field, step)
        case TransposedAxis():
            return _through_transposed(field, step)
        case Field():
            return _through_field(field, step)


def _through_window(field: Field, axis: Axis) -> Field:
    if len(field.phases) == 1 and field.advance >= 0:
        first, mask = field.phases[0]
        start = first + axis.position(0, 0) * field.advance
        seen = (start, copies(mask, axis.size, axis.dilation * field.advance)) if mask else NOTHING
        return Field(field.advance * axis.stride, (seen,))
    shared = math.gcd(len(field.phases), axis.stride)
    phases = len(field.phases) // shared
    merged = (_merge(field.at(axis.position(out, tap)) for tap in range(axis.size)) for out in range(phases))
    return Field(field.advance * (axis.stride // shared), tuple(merged))


def copies(mask: int, times: int, apart: int) -> int:
    """The mask, `times` times over, each `apart` bits further on than the one before."""
    done = 1
    while done < times:
        more = min(done, times - done)
        mask |= mask << more * apart
        done += more
    return mask


def _through_transposed(field: Field, axis: TransposedAxis) -> Field:
    phases = len(field.phases) * axis.stride
    return Field(field.advance, tuple(_merge(map(field.at, axis.sources(out))) for out in range(phases)))


def _through_field(field: Field, step: Field) -> Field:
    """`step` repeats after its phases, `field` after its own: together once both have come round."""
    turns = len(field.phases) // math.gcd(len(field.phases), step.advance)
    seen = (_merge(map(field.at, positions(step.at(out)))) for out in range(turns * len(step.phases)))
    return Field(field.advance * (step.advance * turns // len(field.phases)), tuple(seen))


def positions(seen: tuple[int, int]) -> Iterator[int]:
    """The positions of a set, in order."""
    first, mask = seen
    return (first + bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def _join(one: Field, other: Field) -> Field:
    phases = math.lcm(len(one.phases), len(other.phases))
    seen = tuple(_merge((one.at(p), other.at(p))) for p in range(phases))
    return Field(one.advance * (phases // len(one.phases)), seen)
