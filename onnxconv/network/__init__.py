"""A network: a graph, its weights, and where it came from. The library and the command line are two doors to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from onnxconv.errors import Diagnostic, SpecError, UsageError, Where
from onnxconv.graph import Graph
from onnxconv.network.calibrate import with_integers
from onnxconv.network.change import retyped, sized
from onnxconv.network.value import Arrays, Model, Network
from onnxconv.ops import Shape
from onnxconv.report import Report
from onnxconv.resolve import mistakes, resolve
from onnxconv.spec import Quantization, Spec, examine, parse
from onnxconv.weights import Weights, from_file, given, seeded

if TYPE_CHECKING:
    import numpy.typing as npt

    from onnxconv.portable import Account
    from onnxconv.specify import Specified
    from onnxconv.verify import Verification

__all__ = ["Network", "Source", "build", "parse", "read", "report", "resolve", "rewrite", "run", "to_spec", "verify"]

Source: TypeAlias = "Network | Graph | Spec | Mapping[str, Any] | str | Path"
"""A spec as a path, a dictionary or parsed; a one-line conv problem; a path of an ONNX model; ``-`` for standard input."""


def read(
    source: Source,
    *,
    set: Mapping[str, object] | None = None,
    input_shapes: Mapping[str, Shape] | None = None,
    weights: str | Path | Arrays | None = None,
    seed: int = 0,
    dtype: str | None = None,
    partial: bool = False,
    calibrate: str | Path | Arrays | None = None,
) -> Network:
    """The network that a source describes.

    `set` overrides a spec's parameters. `input_shapes` overrides the shapes of its inputs; in what is no spec, sizes that
    are open. `weights`: a .npz or .safetensors file, or arrays by name of the parameter; else they are drawn from `seed`,
    or are those of the ONNX model. `dtype`: the data type of all tensors. `partial`: of an ONNX model that is not
    understood as a whole, the network of all that is; it can be reported and nothing else. `calibrate`: inputs by name, or
    a .npz file of them, on which a spec that asks for integers is calibrated; else they are drawn from seed 0.
    Raises `OnnxconvError` with everything that is wrong.
    """
    shapes = {name: tuple(shape) for name, shape in (input_shapes or {}).items()}
    graph, arrays, name, asked = _read(source, set or {}, shapes, seed, partial)
    model = _model(source, graph, arrays, shapes)
    if dtype is not None:
        graph = retyped(graph, dtype)
    if weights is not None:
        arrays = given(weights) if isinstance(weights, Mapping) else from_file(graph, weights)
    if asked is not None:
        graph, arrays = with_integers(Network(graph, arrays, name), asked, calibrate)
    elif calibrate is not None:
        raise UsageError(
            Diagnostic(
                Where(name),
                "calibrate",
                "nothing is calibrated",
                "the source asks for no integers",
                "add quantize: uint8 to the spec",
            )
        )
    return Network(graph, arrays, name, model)


def _model(source: Source, graph: Graph, arrays: Weights, shapes: Mapping[str, Shape]) -> Model | None:
    """The ONNX model that a source is, or that it was read from."""
    if isinstance(source, Network):
        old = source.model
        return old and Model(old.file, sized(old.graph, shapes, source.source), old.weights)
    return Model(Path(source), graph, arrays) if isinstance(source, str | Path) and _is_model(source) else None


def _is_model(source: Source) -> bool:
    return isinstance(source, str | Path) and str(source).endswith(".onnx")


def _resolved(
    source: Mapping[str, Any] | str | Path, set: Mapping[str, object], shapes: Mapping[str, Shape]
) -> tuple[Graph, Quantization | None]:
    """The graph of a spec, and whether it is to compute with integers. What is wrong with its words and with its sizes is told together."""
    spec, wrong = examine(source, set)
    if spec is None or wrong:
        told = {found.where for found in wrong}
        wrong += tuple(found for found in mistakes(spec, shapes) if found.where not in told) if spec else ()
        raise SpecError(sorted(wrong, key=lambda found: (found.where.line, found.where.column)))
    return resolve(spec, shapes), spec.quantization


def _read(
    source: Source, set: Mapping[str, object], shapes: Mapping[str, Shape], seed: int, partial: bool
) -> tuple[Graph, Weights, str, Quantization | None]:
    """Graph, weights, name, and whether it is to compute with integers. Raises `UsageError` where parameters are set of what has none."""
    if isinstance(source, Mapping) or not (isinstance(source, Network | Graph | Spec) or _is_model(source)):
        graph, asked = _resolved(source, set, shapes)
        return graph, seeded(seed), "" if isinstance(source, Mapping) else str(source), asked
    if set:
        where = Where(str(source) if isinstance(source, str | Path) else "")
        why = "parameters are worked out when the text of a spec is read"
        fix = "change the spec that it was made from"
        raise UsageError(Diagnostic(where, "not-a-spec", "--set cannot change what is finished", why, fix))
    match source:
        case Network():
            return sized(source.graph, shapes, source.source), source.weights, source.source, None
        case Graph():
            return sized(source, shapes, source.name), seeded(seed), source.name, None
        case Spec():
            return resolve(source, shapes), seeded(seed), source.file, source.quantization
    from onnxconv.load import load

    graph, arrays = load(source, input_shapes=shapes, partial=partial, seed=seed)
    return graph, arrays, str(source), None


def build(source: Source, path: str | Path, **options: Any) -> Path:
    """Write an ONNX model; options are those of `read` and the fields of `onnxconv.emit.EmitOptions`."""
    reading, writing = _divided(options)
    return read(source, **reading).build(path, **writing)


def rewrite(source: Source, path: str | Path, **options: Any) -> Account:
    """Write an ONNX model in portable form, with proof that it computes the same; see `Network.rewrite`."""
    reading, writing = _divided(options)
    return read(source, **reading).rewrite(path, **writing)


def to_spec(source: Source, path: str | Path, **options: Any) -> Specified:
    """Write a spec that means what a source does, and its weights beside it; options are those of `read`."""
    return read(source, **options).to_spec(path)


def run(source: Source, inputs: Arrays | None = None, **options: Any) -> dict[str, npt.NDArray[Any]]:
    """Execute a network; options are those of `read` and of `Network.run`, with one `seed` for both."""
    reading, running = _divided(options, both=("seed",))
    return read(source, **reading).run(inputs, **running)


def verify(source: Source, runtimes: Sequence[str] = ("onnxruntime:cpu",), **options: Any) -> Verification:
    """Cross-check runtimes against the reference; options are those of `read` and of `onnxconv.verify.verify`."""
    reading, verifying = _divided(options, both=("seed",))
    return read(source, **reading).verify(runtimes, **verifying)


def report(source: Source, **options: Any) -> Report:
    """Shapes, receptive fields, cost and advice of all that is understood; options are those of `read` and `Network.report`."""
    reading, reporting = _divided(options)
    return read(source, **{"partial": True, **reading}).report(**reporting)


READING = frozenset({"set", "input_shapes", "weights", "seed", "dtype", "partial", "calibrate"})
"""The options of `read`."""


def _divided(options: Mapping[str, Any], both: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of `read`, and the others along with those that belong to `both`."""
    return (
        {name: value for name, value in options.items() if name in READING},
        {name: value for name, value in options.items() if name not in READING or name in both},
    )
