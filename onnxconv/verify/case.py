"""What every probe works on: a graph, its weights, and a runtime in its worker process."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from onnxconv.dtypes import DTYPES
from onnxconv.emit import EmitOptions, fitting, save, to_fitting_bytes
from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.graph import Graph, Node
from onnxconv.runtimes import FORMS, Loaded, RuntimeFailed, Worker, start
from onnxconv.verify.compare import Comparison, outputs_differ
from onnxconv.verify.kept import Kept
from onnxconv.verify.verdict import Divergence, Finding, Verdict
from onnxconv.verify.words import Array
from onnxconv.weights import Weights

__all__ = ["Bench", "Case", "judged", "named", "outputs_of"]

INLINE = 1 << 28
"""Bytes of weights above which they go beside the model, to keep fewer copies in memory."""


class Bench:
    """A runtime's worker, and a scratch folder with the model that it has loaded. A context manager."""

    def __init__(self, runtime: str, timeout: float, options: Mapping[str, str]) -> None:
        self._runtime, self._timeout, self._options = runtime, timeout, options
        self._folder = tempfile.TemporaryDirectory(prefix="onnxconv-")
        self._path = Path(self._folder.name) / "model.onnx"
        try:
            self._worker: Worker = start(runtime, timeout=timeout, options=options)
        except BaseException:
            self._folder.cleanup()
            raise
        self.version = self._worker.version
        self.forget()

    def another(self, options: Mapping[str, str]) -> Bench:
        """A second worker of the same runtime with other options. Raises `UsageError` where it has none of these names."""
        form = self._runtime.partition(":")[0]
        if form in FORMS:
            what = "a runtime of your own is not known by its options"
            raise UsageError(Diagnostic(Where(), "unknown-option", what))
        return Bench(self._runtime, self._timeout, {**self._options, **options})

    def forget(self) -> None:
        """Begin a new account of where nodes were placed."""
        self.placement: dict[str, int] = {}
        self.unplaced: tuple[str, ...] = ()

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        """Emit the graph and load it. Raises `RuntimeFailed`.

        The scratch folder dies with the process: a model in one piece is written without care for what a crash would leave.
        """
        size = sum(math.prod(p.shape) * DTYPES[p.dtype].bytes for p in graph.params())
        options = EmitOptions(every_tensor=every_tensor)
        if size > INLINE:
            save(graph, weights, self._path, fitting(graph, replace(options, external_data="always")))
        else:
            content = to_fitting_bytes(graph, weights, options)
            self._path.unlink(missing_ok=True)  # a runtime may still have the model before mapped into memory
            self._path.write_bytes(content)
        self.loaded(self._worker.load(self._path))

    def loaded(self, loaded: Loaded) -> None:
        """Take account of a model that the worker has loaded."""
        self.version = loaded.version
        for provider, count in loaded.placement.items():
            self.placement[provider] = self.placement.get(provider, 0) + count
        self.unplaced += tuple(name for name in loaded.unplaced if name not in self.unplaced)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs of the model loaded last. Raises `RuntimeFailed`."""
        return self._worker.run(dict(inputs))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.close()
        self._folder.cleanup()


def outputs_of(bench: Bench, graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """All outputs of a graph of known sizes, of their types and shapes. Raises `RuntimeFailed` where they are not."""
    got, types = bench.run(inputs), graph.types()
    shapes = {name: (types[name].dtype, tuple(int(n) for n in types[name].shape)) for name in graph.outputs}
    if wrong := outputs_differ(got, shapes):
        raise RuntimeFailed(wrong)
    return got


def _silent(_share: float, _text: str) -> None:
    return None


@dataclass(frozen=True)
class Case:
    """One graph to be probed on one runtime. `advance(share, text)` tells how far a probe has come, from 0 to 1.

    `arithmetic`: the widest of `onnxconv.verify.arithmetic` that float32 layers may be computed in. `coverage`: the share
    of the filters that routed trials are to observe, however many of them it takes. `kept`: what a probe of this graph has
    made for another runtime already.
    """

    graph: Graph
    weights: Weights
    bench: Bench
    seed: int = 0
    trials: int = 1
    advance: Callable[[float, str], None] = field(default=_silent)
    arithmetic: str = "direct"
    coverage: float = 0.0
    kept: Kept = field(default_factory=Kept)

    @property
    def output(self) -> str:
        return named(self.graph)


def named(graph: Graph) -> str:
    """All outputs of a graph, as findings about the whole of it name them."""
    return ", ".join(graph.outputs)


def judged(
    output: str, found: Comparison, node: Node, *, coverage: Mapping[str, float] | None = None, note: str = ""
) -> Finding:
    """A comparison as a finding, which blames `node` where there are mismatches."""
    if not found.mismatches:
        verdict, reason, divergence = Verdict.PASS, "", None
        if found.unjudged == found.elements:
            verdict, reason = Verdict.UNTRUSTED, "no element has a finite bound"
    else:
        verdict = Verdict.FAIL
        divergence = Divergence(
            node.name, node.op.kind, found.worst, found.got, found.expected, found.bound, shape=found.shape
        )
        demanded = f", allowed error {found.bound:.3g}" if found.bound else ""
        reason = (
            f"layer {node.name!r} ({node.op.kind}): {found.mismatches} of {found.elements} elements are wrong; "
            f"the worst, at {list(found.worst)}, is {found.got!r} instead of {found.expected!r}{demanded}"
        )
    return Finding(
        output,
        verdict,
        reason,
        found.mismatches,
        found.elements,
        found.max_error,
        found.bound_used,
        divergence,
        coverage or {},
        note,
        error_map=found.map,
    )
