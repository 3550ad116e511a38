"""What is said of a layer, and how single values are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from onnxconv.errors import Refusal
from onnxconv.ops import Operator, Shape
from onnxconv.spec import LAYERS

__all__ = ["Attributes", "Said", "Writer", "needed", "number", "one", "plain", "short"]

Attributes: TypeAlias = dict[str, Any]
Writer: TypeAlias = Callable[[Any, Shape], "Attributes | None"]
"""From an operator and the shape of its first input to attributes, those at their default included; None: not this kind."""


@dataclass(frozen=True, slots=True)
class Said:
    """A layer's kind and the attributes that have to be written, in the vocabulary's order."""

    kind: str
    attributes: tuple[tuple[str, Any], ...] = ()


def needed(kind: str, found: Attributes) -> Sequence[tuple[str, Any]]:
    """Attributes that are not at their default, in the vocabulary's order."""
    known = LAYERS[kind].attributes
    assert {a.name for a in known} >= found.keys(), f"{kind} has these attributes"
    return [(a.name, found[a.name]) for a in known if a.name in found and found[a.name] not in (a.default, None)]


def one(values: Any) -> Any:
    """One number where all are equal, else a list."""
    found = list(values)
    return found[0] if len({*found}) == 1 else found


def short(values: Sequence[Any]) -> Any:
    """A list of one is written as its entry."""
    return values[0] if len(values) == 1 else list(values)


def number(value: float) -> float:
    """A number as short as it can be written. Raises `Refusal` where a spec has none such."""
    if not math.isfinite(value):
        raise Refusal("no-words", f"it has the number {value}", "numbers in a spec are finite")
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def plain(_: Operator, __: Shape) -> Attributes:
    """Nothing but the kind."""
    return {}
