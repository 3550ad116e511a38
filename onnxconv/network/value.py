"""A graph, its weights, and where they came from: the one object behind the library and the command line."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from onnxconv.box import views
from onnxconv.context import demand_rate
from onnxconv.cost import costs
from onnxconv.deferred import np
from onnxconv.dtypes import stored
from onnxconv.errors import Diagnostic, ModelError, NotAvailable, UsageError, Where
from onnxconv.graph import Graph
from onnxconv.ops import Opaque
from onnxconv.report import Report, document
from onnxconv.weights import Weights

if TYPE_CHECKING:
    import numpy.typing as npt

    from onnxconv.bench import Timed
    from onnxconv.embed import Bundle, Target
    from onnxconv.portable import Account
    from onnxconv.reduce import Reduced
    from onnxconv.specify import Specified
    from onnxconv.verify import Check, Verification

__all__ = ["Arrays", "Model", "Network"]

Arrays: TypeAlias = "Mapping[str, npt.NDArray[Any]]"


@dataclass(frozen=True, slots=True)
class Model:
    """An ONNX model as it was read."""

    file: Path
    graph: Graph
    weights: Weights


@dataclass(frozen=True, slots=True)
class Network:
    """A graph and its weights; `source` is the text by which reports and reproduction lines name it.

    `model`: the ONNX model that it was read from, if it was, with its graph and weights before anything was replaced.
    """

    graph: Graph
    weights: Weights
    source: str = ""
    model: Model | None = None

    def build(self, path: str | Path, **options: Any) -> Path:
        """Write an ONNX model, whole or not at all; options are the fields of `onnxconv.emit.EmitOptions`.

        Of a network that was read from a model nothing is proved here: see `rewrite`.
        """
        from onnxconv.emit import EmitOptions, save

        self._demand_understood("built")
        save(self.graph, self.weights, path, EmitOptions(**options))
        return Path(path)

    def rewrite(
        self,
        path: str | Path,
        *,
        prove: bool = True,
        tell: Callable[[str], None] = lambda _: None,
        **options: Any,
    ) -> Account:
        """Write the model that this network was read from in portable form, once another runtime has run the original.

        Options are the fields of `onnxconv.emit.EmitOptions`; `tell` hears what is going on. Raises `Disproved` (nothing is
        written), `NotAvailable` where no runtime can run the original, `UsageError` for what was not read from a model.
        """
        from onnxconv.emit import EmitOptions
        from onnxconv.portable import rewrite

        if self.model is None:
            why = "a model in portable form is made from a model"
            raise UsageError(
                Diagnostic(Where(self.source), "not-a-model", "it was not read from a model", why, "build it")
            )
        if prove:
            self._demand_memory()
        read, written = (self.model.graph, self.model.weights), (self.graph, self.weights)
        return rewrite(self.model.file, read, written, Path(path), EmitOptions(**options), prove=prove, tell=tell)

    def to_spec(self, path: str | Path) -> Specified:
        """Write a spec that means this network, and its weights beside it under the same name, ending in .safetensors.

        Before anything appears, the spec is resolved and compared with the network, and every weight read back. Raises
        `ModelError` with each layer that no spec can say.
        """
        from onnxconv.specify import save, specify

        specified = specify(self.graph, self.source, self.weights)
        save(specified, self.weights, Path(path))
        return specified

    def run(
        self,
        inputs: Arrays | None = None,
        *,
        runtime: str = "numpy",
        every_tensor: bool = False,
        seed: int = 0,
        timeout: float = 60.0,
        options: Mapping[str, object] | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """The outputs by name, or with `every_tensor` the output of every layer.

        Inputs that are not given are drawn from `seed`. `numpy` and `numpy:fast` run here; any other runtime gets the emitted
        model in a process of its own, `timeout` seconds for loading and for running, and `options` of its own.
        Raises `UsageError` for wrong inputs, `RuntimeAbsent` and `RuntimeFailed`.
        """
        self._demand_understood("run")
        self._demand_memory()
        arrays = self.inputs(inputs or {}, seed)
        if runtime == "numpy" and not options:
            from onnxconv.execute import run

            return run(self.graph, self.weights, arrays, every_tensor=every_tensor)
        if runtime == "numpy:fast" and not options:
            from onnxconv.execute.fast import Program, make_plan

            shapes = {name: array.shape for name, array in arrays.items()}
            return Program(make_plan(self.graph, self.weights, shapes, every_tensor=every_tensor)).run(arrays)
        from onnxconv.emit import EmitOptions, fitting, save
        from onnxconv.runtimes import start

        with (
            tempfile.TemporaryDirectory(prefix="onnxconv-") as folder,
            start(runtime, timeout=timeout, options=options or {}) as worker,
        ):
            model = Path(folder) / "model.onnx"
            save(self.graph, self.weights, model, fitting(self.graph, EmitOptions(every_tensor=every_tensor)))
            worker.load(model)
            outputs = worker.run(arrays)
        return {name: outputs[name] for name in self.graph.types() if name in outputs}

    def inputs(self, arrays: Arrays, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
        """The arrays given, and seeded ones for the other inputs. Raises `UsageError` with all that is wrong."""
        from onnxconv.execute import check_inputs, seeded_inputs

        drawn = seeded_inputs(self.graph, seed, {name: tuple(np.shape(array)) for name, array in arrays.items()})
        whole = drawn | {name: stored(np.asarray(array)) for name, array in arrays.items()}
        check_inputs(self.graph, whole)
        return whole

    def bench(
        self,
        runtimes: Sequence[str] = ("onnxruntime:cpu", "numpy:fast"),
        inputs: Arrays | None = None,
        *,
        seed: int = 0,
        **options: Any,
    ) -> tuple[Timed, ...]:
        """Time runtimes side by side; options are those of `onnxconv.bench.bench`. A model that was read is timed as it is."""
        from onnxconv.bench import bench

        self._demand_understood("timed")
        self._demand_memory()
        file = self.model.file if self.model is not None and self.model.graph == self.graph else None
        arrays = self.inputs(inputs or {}, seed)
        return bench(self.graph, self.weights, arrays, runtimes=tuple(runtimes), model=file, **options)

    def verify(self, runtimes: Sequence[str] = ("onnxruntime:cpu",), **options: Any) -> Verification:
        """Cross-check runtimes against the reference; options are those of `onnxconv.verify.verify`.

        What was read from a model has one more probe, `original`: the file itself, layer by layer.
        """
        from onnxconv.portable import ORIGINAL, verified
        from onnxconv.verify import Verification, verify

        self._demand_understood("verified")
        self._demand_memory()
        asked = options.pop("probes", None)
        checks: tuple[Check, ...] = ()
        if self.model is None and ORIGINAL in (asked or ()):
            why = "it compares an ONNX model's file, layer by layer, with what was read from it"
            raise UsageError(Diagnostic(Where(self.source), "probe", f"{ORIGINAL!r} is asked of ONNX models", why))
        if self.model is not None and (asked is None or ORIGINAL in asked):
            shared = {k: v for k, v in options.items() if k not in ("trials", "coverage")}
            checks = verified(
                self.model.graph,
                self.model.weights,
                self.model.file,
                runtimes=tuple(runtimes),
                source=self.source,
                **shared,
            )
            asked = None if asked is None else [name for name in asked if name != ORIGINAL]
        if asked is not None and checks and not asked:
            return Verification(self.source, checks)
        found = verify(self.graph, self.weights, runtimes=tuple(runtimes), probes=asked, source=self.source, **options)
        return Verification(self.source, (*checks, *found.checks))

    def reduce(
        self,
        runtime: str,
        folder: str | Path | None = None,
        *,
        families: Sequence[str] | None = None,
        command: str = "",
        **options: Any,
    ) -> tuple[Reduced, tuple[str, ...]] | None:
        """The smallest case on which a runtime disagrees, and the files of it, written to `folder` if that is given.

        None where the runtime disagrees on nothing that is tried. Options are those of `onnxconv.reduce.reduce`.
        """
        from onnxconv.reduce import FAMILIES, reduce, save_case

        self._demand_understood("reduced")
        self._demand_memory()
        found = reduce(self.graph, self.weights, runtime=runtime, families=families or FAMILIES, **options)
        if found is None:
            return None
        return found, () if folder is None else save_case(found, Path(folder), runtime, command)

    def embed(
        self,
        target: Target | str,
        folder: str | Path,
        *,
        adapt: bool = False,
        rewrites: Sequence[str] = (),
        seed: int = 0,
    ) -> Bundle:
        """Write a bundle for a target, or for the one of that name: `onnxconv.embed.embed`."""
        from onnxconv import __version__
        from onnxconv.embed import embed, find

        self._demand_understood("embedded")
        self._demand_memory()
        chosen = find(target) if isinstance(target, str) else target
        return embed(
            self.graph,
            self.weights,
            chosen,
            Path(folder),
            adapt=adapt,
            rewrites=rewrites,
            seed=seed,
            tool=__version__,
        )

    def _demand_understood(self, done: str) -> None:
        """Refuse (`ModelError`) to do more than report with a model that is not understood as a whole."""
        opaque = [
            (node.name, node.op.called, node.op.reason) for node in self.graph.nodes if isinstance(node.op, Opaque)
        ]
        lost = [(unread.name, unread.op, unread.reason) for unread in self.graph.unread]
        why = f"a model is {done} when every node of it is understood"
        found = [
            Diagnostic(Where(self.source), "not-understood", f"{name!r} ({op}) is not understood: {reason}", why)
            for name, op, reason in (*opaque, *lost)
        ]
        if found:
            raise ModelError(found)

    def _demand_memory(self) -> None:
        """Refuse (`NotAvailable`) to execute what one image of cannot be held by this machine, before touching its memory."""
        totals = costs(self.graph).totals
        needed, there = totals.weight_bytes + (totals.peak_activation_bytes or 0), _physical_memory()
        if there is not None and needed > there:
            what = f"it takes {needed:,} bytes to hold the weights and one image's tensors; this machine has {there:,}"
            fix = "make the network or its input smaller; report and build need no such memory"
            raise NotAvailable(Diagnostic(Where(self.source), "memory", what, "", fix))

    def report(self, at: Sequence[tuple[str, Sequence[int]]] = (), sample_rate: float | None = None) -> Report:
        """Shapes, receptive fields, cost and advice.

        `at`: pairs of a layer and one index per spatial axis of its tensor, for which to tell the box of input pixels
        that is seen. `sample_rate`, in hertz: tell what is told of signals in seconds too.
        Raises `UsageError` for a position that there is not, and for a sample rate without a signal.
        """
        if sample_rate is not None:
            demand_rate(self.graph, sample_rate, self.source)
        return Report(document(self.graph, self.source, views(self.graph, at, self.source), sample_rate))


def _physical_memory() -> int | None:
    """Bytes; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
