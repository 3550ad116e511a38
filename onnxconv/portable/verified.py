"""A model as its author wrote it, verified: what a runtime computes of the file itself, not of a model that we emit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from onnxconv.graph import Graph
from onnxconv.portable.layers import layers
from onnxconv.portable.original import Original
from onnxconv.runtimes import RuntimeAbsent, RuntimeFailed
from onnxconv.verify import Check, Finding, Progress, Verdict, gravity, reproduction
from onnxconv.verify.case import Case
from onnxconv.verify.sizes import hollow
from onnxconv.verify.whence import located
from onnxconv.weights import Weights

__all__ = ["ORIGINAL", "verified"]

ORIGINAL = "original"
"""The name of this probe."""


def verified(
    graph: Graph,
    weights: Weights,
    file: Path,
    *,
    runtimes: Sequence[str],
    seed: int = 0,
    timeout: float = 60.0,
    progress: Progress | None = None,
    source: str = "",
    options: Mapping[str, str] | None = None,
    arithmetic: str = "direct",
) -> tuple[Check, ...]:
    """One check for each runtime: every layer of the file, with its own weights, on the runtime's own tensors.

    `graph` and `weights` are the file's. A runtime that cannot run the file, or say what its tensors are, was not run.
    """
    checks = []
    for i, runtime in enumerate(runtimes):
        tell = partial(_tell, progress, i, len(runtimes), runtime)
        line = reproduction(source, runtime, ORIGINAL, seed=seed, arithmetic=arithmetic)
        try:
            bench = Original(file, weights, runtime, timeout, options or {})
        except (RuntimeAbsent, RuntimeFailed) as error:
            missing = Finding(", ".join(graph.outputs), *_without_result(error))
            checks.append(Check(runtime, "", ORIGINAL, missing, {}, (), seed, line))
            continue
        with bench:
            found = _found(Case(graph, weights, bench, seed, 1, tell, arithmetic))
            checks.append(
                Check(runtime, bench.version, ORIGINAL, found, dict(bench.placement), bench.unplaced, seed, line)
            )
    return tuple(checks)


def _found(case: Case) -> Finding:
    if empty := hollow(case.graph):
        return Finding(case.output, Verdict.UNTRUSTED, empty)
    try:
        nothing = Finding(case.output, Verdict.UNTRUSTED, "nothing was compared")
        return located(case.graph, next(layers(case), nothing))
    except (RuntimeAbsent, RuntimeFailed) as error:
        return Finding(case.output, *_without_result(error))


def _without_result(error: RuntimeAbsent | RuntimeFailed) -> tuple[Verdict, str]:
    return (gravity(error), error.reason) if isinstance(error, RuntimeFailed) else (Verdict.NOT_RUN, error.with_fix)


def _tell(progress: Progress | None, before: int, total: int, runtime: str, share: float, text: str) -> None:
    if progress is not None:
        progress(before + share, total, f"{runtime}: {ORIGINAL} {text}".strip())
