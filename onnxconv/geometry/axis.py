"""One axis of a sliding window, and of its adjoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from onnxconv.errors import Refusal
from onnxconv.geometry.size import Size, floor_div, shift, times

Pads: TypeAlias = tuple[int, int]

LARGEST_EXTENT = 2**20
"""Pixels from the first tap of a window to its last one: a longer window is taken for a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A sliding window along one axis: `size` taps, `dilation` pixels apart, moved by `stride` pixels.

    `pad` = (begin, end) pixels are added around the input first. Output position o reads the input positions
    o·stride − begin + k·dilation for k = 0 … size − 1.
    """

    size: int
    stride: int = 1
    dilation: int = 1
    pad: Pads = (0, 0)

    def __post_init__(self) -> None:
        for attribute, value in (("kernel", self.size), ("stride", self.stride), ("dilation", self.dilation)):
            if value < 1:
                raise Refusal(
                    "not-positive",
                    f"{attribute} is {value}",
                    f"{attribute} is at least 1",
                    "write 1 or more",
                    attribute,
                )
        if min(self.pad) < 0:
            raise Refusal(
                "negative-pad",
                f"pad is [{self.pad[0]}, {self.pad[1]}]",
                "a pad is never negative",
                "write 0, or crop the input before this layer",
                "pad",
            )
        if self.extent > LARGEST_EXTENT:
            raise Refusal(
                "too-large",
                f"a window extends over {self.extent:,} pixels",
                f"a window extends over at most 2^20 = {LARGEST_EXTENT:,} pixels along an axis",
                "use a smaller kernel or dilation, or a global pool to see everything",
                "kernel",
            )

    @property
    def extent(self) -> int:
        """Pixels from the first tap to the last one, both counted: dilation·(size − 1) + 1."""
        return self.dilation * (self.size - 1) + 1

    def out_size(self, n: Size) -> Size:
        """⌊(n + begin + end − extent) ÷ stride⌋ + 1 positions; refused when that is below 1 (`Refusal`)."""
        begin, end = self.pad
        out = shift(floor_div(shift(n, begin + end - self.extent), self.stride), 1)
        if isinstance(out, int) and out < 1:
            missing = self.extent - (int(n) + begin + end)
            raise Refusal(
                "empty-output",
                f"a window of extent {self.extent} does not fit into {n} pixels padded by {begin} + {end}: "
                f"({n} + {begin} + {end} - {self.extent}) // {self.stride} + 1 = {out}",
                f"extent = dilation·(kernel - 1) + 1 = {self.dilation}·({self.size} - 1) + 1 = {self.extent} "
                "may not exceed the padded input",
                f"pad {missing} more, or use a kernel or dilation with an extent of at most {int(n) + begin + end}",
                "kernel",
            )
        return out

    def unused_end(self, n: int) -> int:
        """Pixels at the end of the input (padding not counted) that no window reaches."""
        last = (int(self.out_size(n)) - 1) * self.stride - self.pad[0] + self.extent
        return max(0, n - last)

    def position(self, out: int, tap: int) -> int:
        """The input position that output `out` reads by its tap; below 0 or beyond the input it is padding."""
        return out * self.stride - self.pad[0] + tap * self.dilation

    def blind(self, n: int) -> int:
        """Outputs that read nothing but padding: before the input, beyond it, or with taps that step over all of it."""
        outputs = int(self.out_size(n))

        def first(start: int) -> int:
            """The first output whose window starts at `start` or beyond."""
            return min(outputs, max(0, -(-(start + self.pad[0]) // self.stride)))

        reaching = range(first(1 - self.extent), first(0))
        stepping = reaching if self.dilation > n else ()
        over = sum(self.position(out, 0) % self.dilation >= n for out in stepping)
        return reaching.start + over + outputs - first(n)

    def slab(self, n: int, first: int, stop: int) -> tuple[slice, Axis]:
        """The part of n input pixels that outputs first … stop − 1 read, and the axis that makes just these from it."""
        start, span = self.position(first, 0), (stop - first - 1) * self.stride + self.extent
        low, high = min(max(start, 0), n), min(max(start + span, 0), n)
        begin = min(max(-start, 0), span)
        return slice(low, high), Axis(self.size, self.stride, self.dilation, (begin, span - begin - (high - low)))

    def valid_taps(self, n: int) -> int:
        """(output, tap) pairs that read a real pixel, not padding, summed over the axis."""
        outputs = int(self.out_size(n))
        total = 0
        for tap in range(self.size):
            offset = self.position(0, tap)
            first = max(0, -(offset // self.stride))
            last = min(outputs - 1, (n - 1 - offset) // self.stride)
            total += max(0, last - first + 1)
        return total


@dataclass(frozen=True, slots=True)
class TransposedAxis:
    """The adjoint of `Axis`: input position i adds to the output positions i·stride − begin + k·dilation.

    `pad` = (begin, end) outputs are cropped; `output_pad` outputs are appended that no tap may reach.
    """

    size: int
    stride: int = 1
    dilation: int = 1
    pad: Pads = (0, 0)
    output_pad: int = 0

    def __post_init__(self) -> None:
        Axis(self.size, self.stride, self.dilation, self.pad)
        if self.stride > LARGEST_EXTENT:
            raise Refusal(
                "too-large",
                f"a stride spreads neighbouring pixels {self.stride:,} outputs apart",
                f"they are at most 2^20 = {LARGEST_EXTENT:,} outputs apart",
                "use a smaller stride",
                "stride",
            )
        if not 0 <= self.output_pad < max(self.stride, self.dilation):
            raise Refusal(
                "output-pad",
                f"output_pad is {self.output_pad} with stride {self.stride} and dilation {self.dilation}",
                "output_pad is at least 0 and below the larger of stride and dilation",
                f"write 0 to {max(self.stride, self.dilation) - 1}",
                "output_pad",
            )

    @property
    def extent(self) -> int:
        return self.dilation * (self.size - 1) + 1

    def out_size(self, n: Size) -> Size:
        """(n − 1)·stride + extent − begin − end + output_pad positions; refused when below 1 (`Refusal`)."""
        begin, end = self.pad
        out = shift(times(n, self.stride), self.extent - self.stride - begin - end + self.output_pad)
        if isinstance(out, int) and out < 1:
            raise Refusal(
                "empty-output",
                f"cropping {begin} + {end} leaves nothing: ({n} - 1)·{self.stride} + {self.extent} - {begin} - {end} "
                f"+ {self.output_pad} = {out}",
                "a transposed convolution keeps at least one pixel",
                f"crop at most {begin + end + out - 1} in all",
                "pad",
            )
        return out

    def sources(self, out: int) -> list[int]:
        """Input positions that reach output `out`, ascending, on an endless input."""
        reached = (out + self.pad[0] - tap * self.dilation for tap in range(self.size))
        return sorted(at // self.stride for at in reached if at % self.stride == 0)

    def overlaps(self) -> tuple[int, ...]:
        """The different numbers of taps that may reach an output, ascending.

        Taps hit the residues modulo stride that gcd(stride, dilation) divides, one after the other, and no others.
        """
        shared = math.gcd(self.stride, self.dilation)
        fewest, more = divmod(self.size, self.stride // shared)
        return tuple(sorted({fewest, fewest + bool(more)} | ({0} if shared > 1 else set())))

    def slab(self, n: int, first: int, stop: int) -> tuple[slice, TransposedAxis]:
        """The part of n input pixels that reach outputs first … stop − 1, and the axis that makes just these from it."""
        start = first + self.pad[0]
        low = max(0, min(-((self.extent - 1 - start) // self.stride), start // self.stride, n - 1))
        high = min(n, (stop - 1 + self.pad[0]) // self.stride + 1)
        begin = start - low * self.stride
        left = (high - low - 1) * self.stride + self.extent - begin - (stop - first)
        pad = (begin, max(0, left))
        return slice(low, high), TransposedAxis(self.size, self.stride, self.dilation, pad, max(0, -left))

    def uncropped(self) -> tuple[TransposedAxis, Pads]:
        """An axis that crops nothing, and how many of its outputs are cut off at either end to get those of this one.

        Where outputs are appended beyond the last tap it has more taps, which must be zeros.
        """
        begin, end = self.pad
        beyond = self.output_pad - end
        more = max(0, -(-beyond // self.dilation))
        return TransposedAxis(self.size + more, self.stride, self.dilation), (begin, more * self.dilation - beyond)

    def valid_taps(self, n: int) -> int:
        """(input, tap) pairs that reach an output which is kept, summed over the axis."""
        outputs = int(self.out_size(n))
        total = 0
        for tap in range(self.size):
            offset = tap * self.dilation - self.pad[0]
            first = max(0, -(offset // self.stride))
            last = min(n - 1, (outputs - 1 - offset) // self.stride)
            total += max(0, last - first + 1)
        return total


Window: TypeAlias = tuple[Axis, ...]
TransposedWindow: TypeAlias = tuple[TransposedAxis, ...]
