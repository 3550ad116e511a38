"""A network: a graph, its weights, and where it came from. The library and the command line are two doors to it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from onnxconv.errors import Diagnostic, UsageError, Where, closest
from onnxconv.graph import DTYPES, Graph, Node, Param, TensorType
from onnxconv.ops import Shape
from onnxconv.report import Report, document
from onnxconv.resolve import resolve
from onnxconv.spec import Spec, parse
from onnxconv.spec import read as read_spec
from onnxconv.weights import Weights, from_file, given, seeded

if TYPE_CHECKING:
    import numpy.typing as npt

    from onnxconv.verify import Verification

__all__ = ["Network", "Source", "build", "parse", "read", "report", "resolve", "run", "verify"]

Source: TypeAlias = "Network | Graph | Spec | Mapping[str, Any] | str | Path"
"""A spec as a path, a dictionary or parsed; a one-line conv problem; a path of an ONNX model; ``-`` for standard input."""

Arrays: TypeAlias = "Mapping[str, npt.NDArray[Any]]"


@dataclass(frozen=True, slots=True)
class Network:
    """A graph and its weights; `source` is the text by which reports and reproduction lines name it."""

    graph: Graph
    weights: Weights
    source: str = ""

    def build(self, path: str | Path, **options: Any) -> Path:
        """Write an ONNX model, whole or not at all; options are the fields of `onnxconv.emit.EmitOptions`."""
        from onnxconv.emit import EmitOptions, save

        save(self.graph, self.weights, path, EmitOptions(**options))
        return Path(path)

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

        Inputs that are not given are drawn from `seed`. `numpy` runs here; any other runtime gets the emitted model in a
        process of its own, `timeout` seconds for loading and for running, and `options` of its own.
        Raises `UsageError` for wrong inputs, `RuntimeAbsent` and `RuntimeFailed`.
        """
        arrays = self.inputs(inputs or {}, seed)
        if runtime == "numpy" and not options:
            from onnxconv.execute import run

            return run(self.graph, self.weights, arrays, every_tensor=every_tensor)
        from onnxconv.runtimes import start

        with (
            tempfile.TemporaryDirectory(prefix="onnxconv-") as folder,
            start(runtime, timeout=timeout, options=options or {}) as worker,
        ):
            worker.load(self.build(Path(folder) / "model.onnx", every_tensor=every_tensor))
            outputs = worker.run(arrays)
        return {name: outputs[name] for name in self.graph.types() if name in outputs}

    def inputs(self, arrays: Arrays, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
        """The arrays given, and seeded ones for the other inputs. Raises `UsageError` with all that is wrong."""
        import numpy as np

        from onnxconv.execute import check_inputs, seeded_inputs

        drawn = seeded_inputs(self.graph, seed, {name: tuple(np.shape(array)) for name, array in arrays.items()})
        whole = drawn | {name: np.asarray(array) for name, array in arrays.items()}
        check_inputs(self.graph, whole)
        return whole

    def verify(self, runtimes: Sequence[str] = ("onnxruntime:cpu",), **options: Any) -> Verification:
        """Cross-check runtimes against the reference; options are those of `onnxconv.verify.verify`."""
        from onnxconv.verify import verify

        return verify(self.graph, self.weights, runtimes=tuple(runtimes), source=self.source, **options)

    def report(self) -> Report:
        """Shapes, receptive fields, cost and advice."""
        return Report(document(self.graph, self.source))


def read(
    source: Source,
    *,
    set: Mapping[str, object] | None = None,
    input_shapes: Mapping[str, Shape] | None = None,
    weights: str | Path | Arrays | None = None,
    seed: int = 0,
    dtype: str | None = None,
) -> Network:
    """The network that a source describes.

    `set` overrides a spec's parameters, `input_shapes` the shapes of its inputs. `weights`: a .npz or .safetensors file, or
    arrays by name of the parameter; else they are drawn from `seed`, or are those of the ONNX model. `dtype`: the data
    type of all tensors. Raises `OnnxconvError` with everything that is wrong.
    """
    if isinstance(source, Network):
        found, arrays, name = source.graph, source.weights, source.source
        _only_for_specs(name, set=set, input_shape=input_shapes)
    elif isinstance(source, Graph):
        found, arrays, name = source, seeded(seed), source.name
        _only_for_specs(name, set=set, input_shape=input_shapes)
    elif not isinstance(source, Spec | Mapping) and str(source).endswith(".onnx"):
        name = str(source)
        found, arrays = _model(name)
        _only_for_specs(name, set=set, input_shape=input_shapes)
    else:
        spec = source if isinstance(source, Spec) else read_spec(source, set or {})
        name = spec.file if isinstance(source, Spec | Mapping) else str(source)
        found, arrays = resolve(spec, input_shapes or {}), seeded(seed)
    graph = found if dtype is None else _retyped(found, dtype)
    if weights is not None:
        arrays = given(weights) if isinstance(weights, Mapping) else from_file(graph, weights, seed)
    return Network(graph, arrays, name)


def build(source: Source, path: str | Path, **options: Any) -> Path:
    """Write an ONNX model; options are those of `read` and the fields of `onnxconv.emit.EmitOptions`."""
    reading = {key: options.pop(key) for key in tuple(options) if key in READING}
    return read(source, **reading).build(path, **options)


def run(source: Source, inputs: Arrays | None = None, **options: Any) -> dict[str, npt.NDArray[Any]]:
    """Execute a network; options are those of `Network.run`."""
    return read(source, seed=int(options.get("seed", 0))).run(inputs, **options)


def verify(source: Source, runtimes: Sequence[str] = ("onnxruntime:cpu",), **options: Any) -> Verification:
    """Cross-check runtimes against the reference; options are those of `onnxconv.verify.verify`."""
    return read(source, seed=int(options.get("seed", 0))).verify(runtimes, **options)


def report(source: Source, **options: Any) -> Report:
    """Shapes, receptive fields, cost and advice; options are those of `read`."""
    return read(source, **options).report()


READING = frozenset({"set", "input_shapes", "weights", "seed", "dtype"})


def _model(path: str) -> tuple[Graph, Weights]:
    from onnxconv.load import load

    return load(path)


def _only_for_specs(name: str, **given: object) -> None:
    """Refuse what only a spec can take."""
    wrong = [option for option, value in given.items() if value]
    if wrong:
        raise UsageError(
            Diagnostic(
                Where(name),
                "not-a-spec",
                f"{' and '.join(f'--{option}'.replace('_', '-') for option in wrong)} cannot change a finished model",
                "parameters and sizes are resolved when a spec is read",
                "change the spec that it was built from",
            )
        )


def _retyped(graph: Graph, dtype: str) -> Graph:
    """The same graph with every tensor and parameter of this data type. Raises `UsageError` for an unknown one."""
    if dtype not in DTYPES:
        raise UsageError(
            Diagnostic(
                Where(), "dtype", f"dtype {dtype!r} is not known", f"one of {', '.join(DTYPES)}", closest(dtype, DTYPES)
            )
        )

    def type_(old: TensorType) -> TensorType:
        return replace(old, dtype=dtype)

    def param(old: Param) -> Param:
        return replace(old, dtype=dtype)

    def node(old: Node) -> Node:
        return replace(old, type=type_(old.type), params=tuple((role, param(p)) for role, p in old.params))

    return replace(
        graph,
        inputs=tuple((name, type_(old)) for name, old in graph.inputs),
        nodes=tuple(map(node, graph.nodes)),
    )
