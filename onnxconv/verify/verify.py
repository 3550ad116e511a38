"""Every asked probe on every asked runtime."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from onnxconv.errors import Diagnostic, ModelError, UsageError, Where, closest
from onnxconv.graph import Graph
from onnxconv.runtimes import RuntimeAbsent, RuntimeFailed
from onnxconv.verify import field, impulse, relations, special
from onnxconv.verify.arithmetic import ARITHMETICS, DIRECT, NONE, narrower
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Bench, Case, named
from onnxconv.verify.determinism import determinism
from onnxconv.verify.exact import exact
from onnxconv.verify.kept import Kept
from onnxconv.verify.refusal import gravity
from onnxconv.verify.routing import routing
from onnxconv.verify.shape import shape
from onnxconv.verify.sizes import hollow
from onnxconv.verify.verdict import Check, Finding, Verdict, Verification
from onnxconv.verify.whence import located
from onnxconv.weights import Weights, given

__all__ = ["PROBES", "Progress", "findings", "reproduction", "verify"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A way to find faults, and whether it can find any in a graph computed in an arithmetic."""

    find: Callable[[Case], Iterator[Finding]]
    applies: Callable[[Graph, str], bool] = lambda graph, arithmetic: True


Progress = Callable[[float, float, str], None]
"""(done, total, text); `total` is the number of probes to run."""

PROBES: Mapping[str, Probe] = {
    "shape": Probe(shape),
    "determinism": Probe(determinism),
    "impulse": Probe(impulse.impulse, lambda graph, _: impulse.applies(graph)),
    "exact": Probe(exact),
    "relations": Probe(
        relations.relations,
        lambda graph, arithmetic: relations.applies(graph) and narrower(arithmetic, "flush-to-zero"),
    ),
    "special": Probe(special.special, lambda graph, _: special.applies(graph)),
    "bound": Probe(bound),
    "field": Probe(
        field.field, lambda graph, arithmetic: field.applies(graph) and narrower(arithmetic, "flush-to-zero")
    ),
    "routing": Probe(routing, lambda _, arithmetic: narrower(arithmetic, "flush-to-zero")),
}
"""All probes by name, in the order in which they run."""


KEPT = 1 << 28
"""Numbers in all weights together, up to which they are made once and kept, not made again for each probe."""


ROOM = 1 << 30
"""Bytes of what one runtime was probed with that are kept for the next."""


def verify(
    graph: Graph,
    weights: Weights,
    *,
    runtimes: Sequence[str] = ("onnxruntime:cpu",),
    probes: Sequence[str] | None = None,
    seed: int = 0,
    trials: int = 1,
    timeout: float = 60.0,
    progress: Progress | None = None,
    source: str = "",
    options: Mapping[str, str] | None = None,
    arithmetic: str = DIRECT,
    coverage: float = 0.0,
) -> Verification:
    """Check runtimes against the reference, by the named probes or all that apply. `timeout`: seconds for one load or run.

    A runtime that raises, dies or hangs has failed; one that cannot work here or refuses the model was not run. `arithmetic`: the widest that
    float32 layers may be computed in, by its name in `ARITHMETICS`. Raises `UsageError` for unknown probes and arithmetics,
    and for a model that cannot be written or has no legal size. `coverage`: a share from 0 to 1 of all filters; routing goes
    on with further seeds until it has observed as many, through 64 trials at most.
    """
    asked = _asked(graph, probes, arithmetic)
    if trials < 1:
        raise UsageError(
            Diagnostic(Where(), "trials", f"{trials} trials", "at least one trial is made", "write 1 or more")
        )
    if sum(math.prod(p.shape) for p in graph.params()) <= KEPT:
        weights = given({param.name: weights[param] for param in graph.params()})
    how: dict[str, Any] = {"seed": seed, "trials": trials, "arithmetic": arithmetic, "coverage": coverage}
    case = partial(Case, graph, weights, kept=Kept(ROOM if len(runtimes) > 1 else 0), **how)
    checks: list[Check] = []
    for i, runtime in enumerate(runtimes):
        tell = partial(_tell, progress, len(runtimes) * len(asked), i * len(asked), runtime)
        line = partial(reproduction, source or graph.name, runtime)
        for probe, finding, (version, placement, unplaced) in _probe(
            case, named(graph), runtime, asked, timeout, options or {}, tell
        ):
            checks.append(Check(runtime, version, probe, finding, placement, unplaced, seed, line(probe, **how)))
    return Verification(source, tuple(checks))


def _asked(graph: Graph, probes: Sequence[str] | None, arithmetic: str) -> tuple[str, ...]:
    """The probes by name, all that apply unless some were named. Raises `UsageError` for unknown ones and arithmetics."""
    if arithmetic not in ARITHMETICS or arithmetic == NONE:
        known = [name for name in ARITHMETICS if name != NONE]
        what = f"there is no arithmetic {arithmetic!r}"
        raise UsageError(
            Diagnostic(Where(), "arithmetic", what, f"known: {', '.join(known)}", closest(arithmetic, known))
        )
    if probes is None:
        return tuple(name for name, probe in PROBES.items() if probe.applies(graph, arithmetic))
    if unknown := [name for name in probes if name not in PROBES]:
        raise UsageError(
            Diagnostic(Where(), "probe", f"there is no probe {unknown[0]!r}", "", closest(unknown[0], PROBES))
        )
    return tuple(probes)


Ran = tuple[str, Mapping[str, int], tuple[str, ...]]
"""Version, placement, and nodes placed elsewhere."""


def _probe(
    case: Callable[..., Case],
    output: str,
    runtime: str,
    probes: Sequence[str],
    timeout: float,
    options: Mapping[str, str],
    tell: Callable[[int, float, str], None],
) -> Iterator[tuple[str, Finding, Ran]]:
    def unrun(verdict: Verdict, reason: str) -> Iterator[tuple[str, Finding, Ran]]:
        for probe in probes:
            yield probe, Finding(output, verdict, reason), ("", {}, ())

    try:
        bench = Bench(runtime, timeout, options)
    except RuntimeAbsent as error:
        yield from unrun(Verdict.NOT_RUN, error.with_fix)
        return
    except RuntimeFailed as error:
        yield from unrun(gravity(error), error.reason)
        return
    with bench:
        for i, probe in enumerate(probes):
            tell(i, 0.0, probe)
            bench.forget()
            for finding in findings(probe, case(bench, advance=partial(tell, i))):
                yield probe, finding, (bench.version, dict(bench.placement), bench.unplaced)
        tell(len(probes), 0.0, "done")


def findings(probe: str, case: Case) -> Iterator[Finding]:
    """What a probe finds, by its name in `PROBES`; at least one thing, whatever the runtime does."""
    if empty := hollow(case.graph):
        yield Finding(case.output, Verdict.UNTRUSTED, empty)
        return
    found = 0
    try:
        for finding in PROBES[probe].find(case):
            found += 1
            yield located(case.graph, finding)
    except RuntimeFailed as error:
        found += 1
        yield Finding(case.output, gravity(error), error.reason)
    except RuntimeAbsent as error:
        found += 1
        yield Finding(case.output, Verdict.NOT_RUN, error.with_fix)
    except ModelError as error:
        found += 1
        yield Finding(case.output, Verdict.NOT_RUN, f"it does not read this model: {error.diagnostics[0].code}")
    if not found:
        yield Finding(case.output, Verdict.UNTRUSTED, "nothing was compared")


def _tell(
    progress: Progress | None, total: int, before: int, runtime: str, probe: int, share: float, text: str
) -> None:
    if progress is not None:
        progress(before + probe + share, total, f"{runtime}: {text}")


def reproduction(
    source: str,
    runtime: str,
    probe: str,
    *,
    seed: int,
    trials: int = 1,
    arithmetic: str = DIRECT,
    coverage: float = 0.0,
) -> str:
    """The command that shows one check again."""
    more = ["--trials", str(trials)] if trials != 1 else []
    more += ["--arithmetic", arithmetic] if arithmetic != DIRECT else []
    more += ["--coverage", f"{coverage:g}"] if coverage else []
    return shlex.join(
        ["onnxconv", "verify", source, "--runtime", runtime, "--probe", probe, "--seed", str(seed), *more]
    )
