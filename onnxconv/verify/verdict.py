"""What a probe may conclude, and how conclusions are put together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from onnxconv.verify.picture import ErrorMap

__all__ = ["Capability", "Check", "Divergence", "Finding", "Spans", "Verdict", "Verification", "overall"]


class Verdict(StrEnum):
    """`untrusted`: the runtime did not disagree, but the probe could not have told."""

    PASS = "pass"
    FAIL = "fail"
    NOT_RUN = "not_run"
    UNTRUSTED = "untrusted"


_GRAVEST_FIRST = (Verdict.FAIL, Verdict.NOT_RUN, Verdict.UNTRUSTED, Verdict.PASS)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """The gravest of all: fail before not_run before untrusted before pass. Of nothing: not_run."""
    found = set(verdicts)
    return next((v for v in _GRAVEST_FIRST if v in found), Verdict.NOT_RUN)


Spans: TypeAlias = tuple[tuple[int, int], ...]
"""The first and the last pixel along each spatial axis."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first layer, in the graph's order, whose output is wrong, and its worst element.

    `index` is outermost axis first, in an output of `shape`. `bound`: the largest error that was allowed there; 0 where
    equality was demanded. `reads`: of each tensor that the layer reads, the pixels that the element is computed from;
    `sees`: its receptive field, those of the network's inputs. Both are empty where they are not known.
    """

    layer: str
    op: str
    index: tuple[int, ...]
    got: float
    expected: float
    bound: float
    tensor: str = ""
    shape: tuple[int, ...] = ()
    reads: Mapping[str, Spans] = field(default_factory=dict)
    sees: Mapping[str, Spans] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "layer": self.layer,
            "op": self.op,
            "index": list(self.index),
            "got": _number(self.got),
            "expected": _number(self.expected),
            "bound": _number(self.bound),
            **({"tensor": self.tensor} if self.tensor else {}),
            **({"shape": list(self.shape)} if self.shape else {}),
            **({"reads": _lists(self.reads)} if self.reads else {}),
            **({"sees": _lists(self.sees)} if self.sees else {}),
        }


@dataclass(frozen=True, slots=True)
class Capability:
    """What a runtime was seen to do where runtimes may differ and none of them is wrong.

    `of`: what was looked at. `holds`: it is as the definition has it, or the same either way; None where it could not be
    seen. `says`: what was seen instead, or why nothing could be. `deviating`: of `elements` so many were otherwise.
    `layer`, `op`: where; empty of the model as a whole.
    """

    of: str
    holds: bool | None
    says: str = ""
    elements: int = 0
    deviating: int = 0
    layer: str = ""
    op: str = ""

    def document(self) -> dict[str, Any]:
        return {
            **({"layer": self.layer, "op": self.op} if self.layer else {}),
            "of": self.of,
            "holds": self.holds,
            "elements": self.elements,
            "deviating": self.deviating,
            **({"says": self.says} if self.says else {}),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found out about one output, whatever the runtime.

    `max_error` is |got − expected| at its worst. `bound_used`: the worst ratio of an error to its bound, infinite where
    equality was demanded and missed. `coverage`: shares from 0 to 1 of what could be observed. `note`: how it was judged.
    `arithmetic`: how the runtime was seen to compute sums of products, by its name in `onnxconv.verify.arithmetic`.
    `capabilities`: what was reported and not judged. `error_map`: where a tensor of two spatial axes is wrong.
    """

    output: str
    verdict: Verdict
    reason: str = ""
    mismatches: int = 0
    elements: int = 0
    max_error: float = 0.0
    bound_used: float = 0.0
    first_divergence: Divergence | None = None
    coverage: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    arithmetic: str = ""
    capabilities: tuple[Capability, ...] = ()
    error_map: ErrorMap | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        assert (self.verdict is Verdict.PASS) == (not self.reason), "all but pass have a reason"
        assert self.verdict is not Verdict.PASS or (self.elements > 0 and self.mismatches == 0), (
            "pass has compared something"
        )


@dataclass(frozen=True, slots=True)
class Check:
    """One finding about one runtime, with what is needed to see it again."""

    runtime: str
    version: str
    probe: str
    finding: Finding
    placement: Mapping[str, int]
    unplaced: tuple[str, ...]
    seed: int
    reproduce: str

    @property
    def verdict(self) -> Verdict:
        return self.finding.verdict

    @property
    def reason(self) -> str:
        return self.finding.reason

    def document(self) -> dict[str, Any]:
        """The keys of `verify --format json`; numbers that are not finite are text, since JSON has none."""
        f = self.finding
        return {
            "runtime": self.runtime,
            "version": self.version,
            "probe": self.probe,
            "output": f.output,
            "verdict": f.verdict.value,
            **({"reason": f.reason} if f.reason else {}),
            "mismatches": f.mismatches,
            "elements": f.elements,
            "max_error": _number(f.max_error),
            "bound_used": _number(f.bound_used),
            "first_divergence": f.first_divergence.document() if f.first_divergence else None,
            "placement": dict(self.placement),
            **({"unplaced": list(self.unplaced)} if self.unplaced else {}),
            **({"coverage": dict(f.coverage)} if f.coverage else {}),
            **({"note": f.note} if f.note else {}),
            **({"arithmetic": f.arithmetic} if f.arithmetic else {}),
            **({"capabilities": [c.document() for c in f.capabilities]} if f.capabilities else {}),
            "seed": self.seed,
            "reproduce": self.reproduce,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """All checks of one source, and the gravest of their verdicts."""

    source: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        return overall(check.verdict for check in self.checks)

    def document(self) -> dict[str, Any]:
        """What `verify --format json` prints for one source."""
        return {
            "source": self.source,
            "verdict": self.verdict.value,
            "checks": [check.document() for check in self.checks],
        }


def _lists(found: Mapping[str, Spans]) -> dict[str, list[list[int]]]:
    return {name: [list(span) for span in spans] for name, spans in found.items()}


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
