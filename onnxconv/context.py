"""What the outputs of a signal's layers know of the time around them: context, look-ahead, latency."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.geometry import Reach
from onnxconv.graph import Graph
from onnxconv.ops import shape_text
from onnxconv.receptive import Sights, follow

__all__ = ["Context", "Timing", "contexts", "demand_rate", "signals"]


@dataclass(frozen=True, slots=True)
class Timing:
    """A `Context` in seconds, and the outputs a second."""

    left: float
    right: float
    look_ahead: float
    latency: float
    hop: float
    rate: float


@dataclass(frozen=True, slots=True)
class Context:
    """What the outputs of a layer see around their own samples. Output o stands at sample ⌊o · hop⌋ of the input.

    `left`, `right`: samples before and after its own that an output sees, the most over all outputs; negative where
    the field ends before its own sample, or begins after it. `hop`: samples between neighbouring outputs.
    """

    left: int
    right: int
    hop: Fraction

    @property
    def look_ahead(self) -> int:
        """Samples after its own that must be there before an output can be computed; 0 for a causal network."""
        return max(0, self.right)

    @property
    def latency(self) -> int:
        """Samples that follow a sample, at most, until every output at it, or the next ones after it, can be computed.

        That is the look-ahead and the wait for the next output: look-ahead + ⌈hop⌉ − 1. The time that computing takes
        is not counted.
        """
        return self.look_ahead + math.ceil(self.hop) - 1

    def timed(self, sample_rate: float) -> Timing:
        """The same at so many samples a second."""

        def seconds(samples: int | Fraction) -> float:
            return float(samples / Fraction(sample_rate))

        return Timing(
            seconds(self.left),
            seconds(self.right),
            seconds(self.look_ahead),
            seconds(self.latency),
            seconds(self.hop),
            float(Fraction(sample_rate) / self.hop),
        )


def signals(inputs: Mapping[str, Sights]) -> tuple[str, ...]:
    """The inputs, of which is known what they see, that are signals: of one spatial axis, [N, C, L] or as windows slide."""
    return tuple(name for name, seen in inputs.items() if len(seen.get(name, ())) == 1)


def demand_rate(graph: Graph, sample_rate: float, source: str = "") -> None:
    """Refuse (`UsageError`) samples a second that are none, and a sample rate where no input is a signal."""
    if not (math.isfinite(sample_rate) and sample_rate > 0):
        what, why, fix = f"the sample rate is {sample_rate}", "it is a number of samples a second", "such as 16000"
        raise UsageError(Diagnostic(Where(source), "sample-rate", what, why, fix))
    if not signals(follow(graph)[0]):
        inputs = ", ".join(f"{name!r} is {shape_text(type.shape)}" for name, type in graph.inputs)
        what = f"a sample rate is given, and no input is a signal: {inputs}"
        why = "a signal has one axis of samples besides batch and channels, as [N, C, L]"
        raise UsageError(Diagnostic(Where(source), "no-signal", what, why, "leave the sample rate out"))


def contexts(seen: Sights, names: tuple[str, ...]) -> Mapping[str, Context | None]:
    """What a tensor knows of each of these signals that it sees; None where there is no one figure."""
    return {name: _context(seen[name][0].reach) for name in names if name in seen}


def _context(reach: Reach) -> Context | None:
    """None where every output sees the whole signal or the same part of it, and where paths move by different strides."""
    hop = reach.stride()
    if not hop:
        return None
    seen = [(math.floor(o * hop), *reach.at(o)) for o in range(len(reach.fields[0].phases))]
    around = [(own - first, first + mask.bit_length() - 1 - own) for own, first, mask in seen if mask]
    return Context(max(left for left, _ in around), max(right for _, right in around), hop) if around else None
