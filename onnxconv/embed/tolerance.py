"""By how much an output may be off, and what that rests on: on a bound that is derived where it says something, else on a measurement.

A derived bound is never exceeded by a runtime that is right, but grows with every layer (`onnxconv.embed.worst`); a measured
tolerance stays close to what runtimes err, and is not proven (`onnxconv.embed.sensitivity`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from onnxconv.embed.sensitivity import MARGIN, RUNS, measured
from onnxconv.embed.worst import derived
from onnxconv.graph import Graph
from onnxconv.verify.arithmetic import DIRECT
from onnxconv.verify.sizes import terms
from onnxconv.weights import Weights

__all__ = ["LIMIT", "Basis", "Tolerance", "carried", "tolerances", "words"]

LIMIT = 1e-4
"""Of the range of an output, up to which a derived bound says something.

Operands of 11 bits, as float16 and TF32 have them, moved the outputs of nine networks of one to 53 layers by 1.2e-4 of the range
at least (docs/embed.md): what is to show must be more than what is allowed.
"""

DIGITS = Context(prec=3, rounding=ROUND_CEILING)
"""Of a tolerance, rounded up: the last bits of what it is computed from are another processor's."""
LARGE = 1 << 31
"""Terms summed in all layers together from which on nothing is derived: such networks are deep, and it takes three arrays a tensor."""

Array: TypeAlias = "npt.NDArray[Any]"
Basis: TypeAlias = Literal["derived", "measured"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The largest error of an output that is accepted, in the output's unit, and what the number rests on.

    `derived`, `measured`: both numbers, None where one is not known.
    """

    value: float
    basis: Basis
    derivation: str
    derived: float | None = None
    measured: float | None = None


def tolerances(
    graph: Graph, weights: Weights, inputs: Mapping[str, Array], expected: Mapping[str, Array], arithmetic: str
) -> dict[str, Tolerance]:
    """A tolerance for each output of a graph of known sizes, whose outputs are `expected`.

    Nothing is derived for other `arithmetic` than direct sums, nor of networks with `LARGE` terms in all.
    """
    seen = measured(graph, weights, inputs, expected, arithmetic)
    sizes = {name: tuple(int(n) for n in type.shape) for name, type in graph.types().items()}
    known = arithmetic == DIRECT and terms(graph, sizes) < LARGE
    most = derived(graph, weights, inputs, expected) if known else dict.fromkeys(seen, math.inf)
    return {name: _chosen(most[name], seen[name], expected[name]) for name in graph.outputs}


def carried(value: float, said: str) -> Tolerance:
    """A derived tolerance of which no other number is known; 0 demands equality."""
    value = _rounded_up(value)
    return Tolerance(value, "derived", said if value else "equality", value)


def _rounded_up(number: float) -> float:
    return float(DIGITS.create_decimal_from_float(number))


SECTION = f"""## Tolerances

How far each output may be off, in its own unit; 0 demands equality. A _derived_ tolerance is never exceeded by a
runtime that is right: it is a bound on what all roundings come to, for sums in any order. It is taken where it is at
most {LIMIT:g} of the output's range, or no wider than the _measured_ one: {MARGIN:g} times the largest deviation that errors of
the size of all roundings, planted in every layer, have made.

"""


def words(sets: Mapping[str, Mapping[str, Tolerance]]) -> str:
    """A section of Markdown on the tolerances of golden sets, by set and output, with both numbers where both are known."""
    return SECTION + "".join(_line(name, *one) for name, found in sets.items() for one in found.items())


def _line(name: str, output: str, of: Tolerance) -> str:
    ticks = "``" if "`" in output else "`"
    quoted = f"{ticks} {output} {ticks}" if "`" in output else f"`{output}`"
    other = "measured" if of.basis == "derived" else "derived"
    number = of.measured if of.basis == "derived" else of.derived
    also = "" if number is None or not of.value else f"; {other}: {number:.3g}"
    return f"- `{name}`, {quoted}: {of.value:.3g}, {of.basis} ({of.derivation}){also}\n"


def _chosen(most: float, seen: float, expected: Array) -> Tolerance:
    most, seen = map(_rounded_up, (most, seen))
    extent = float(np.ptp(expected.astype(np.float64))) if expected.size else 0.0
    numbers = (most if math.isfinite(most) else None, seen if math.isfinite(seen) else None)
    if not most:
        return Tolerance(0.0, "derived", "no layer rounds: equality", *numbers)
    if most <= max(LIMIT * extent, seen):
        said = "carried from the inputs to the output, for sums in any order, fused or not"
        return Tolerance(most, "derived", said, *numbers)
    said = (
        f"{MARGIN:g} times the largest deviation in {RUNS} runs with errors of the size of all roundings in every layer"
    )
    return Tolerance(seen, "measured", said, *numbers)
