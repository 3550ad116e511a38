"""``onnxconv verify``: runtimes cross-checked against the reference."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxconv.cli import options
from onnxconv.cli.edge import DISAGREED, NOT_HERE
from onnxconv.cli.options import DEFAULT_TIMEOUT, Matrix
from onnxconv.cli.sources import keep, networks

if TYPE_CHECKING:
    from onnxconv.network import Network
    from onnxconv.verify import Verification


def _apart(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for names in given for name in names.split(","))


def _probes(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    from onnxconv.portable import ORIGINAL
    from onnxconv.verify import PROBES

    return [name for name in (ORIGINAL, *PROBES) if name.startswith(incomplete)]


@click.command(
    short_help="Cross-check runtimes against the reference.",
    epilog="""\b
Examples:
  onnxconv verify specs/resnet50.yaml
  onnxconv verify model.onnx --runtime onnxruntime:cpu --runtime onnx-reference
  onnxconv verify specs/*.yaml --format json -o verdicts.json
  onnxconv verify specs/lenet5.yaml --runtime python:mine.py --probe exact
  onnxconv verify specs/lenet5.yaml --runtime-matrix optimization=off,all \\
    --runtime-matrix threads=1,2

\b
JSON for one source is one object, for several a list of such objects.

\b
Exit codes: 0 every check passed; 1 a runtime disagreed; 2 wrong usage, spec or
model; 3 something could not run here, or proved nothing, and nothing disagreed;
130 interrupted.
""",
)
@options.sources_argument
@options.runtimes_option(
    "A runtime to check; may be repeated. See 'onnxconv runtimes'.",
    multiple=True,
    default=["onnxruntime:cpu"],
    show_default=True,
)
@click.option(
    "--probe",
    "probes",
    multiple=True,
    metavar="NAME",
    shell_complete=_probes,
    callback=_apart,
    help="A probe, or several with commas between; may be repeated.  [default: all]",
)
@options.seed_option("the weights and of the probes")
@click.option(
    "--trials",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Draws of the probes impulse, bound and routing.",
)
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Repeat the probe routing with further seeds until this share of all filters was observed; 64 trials at most.",
)
@click.option(
    "--arithmetic",
    default="direct",
    show_default=True,
    metavar="NAME",
    help="The widest that float32 layers may be computed in: direct, flush-to-zero, winograd-2, winograd-4, "
    "winograd-6, fft, tf32, float16, bfloat16 or float16-sums.",
)
@click.option(
    "--error-map",
    "maps",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Write a picture (PNG) of where a tensor of two spatial axes is wrong to this folder, one for each failure.",
)
@options.timeout_option
@options.runtime_option_option
@options.runtime_matrix_option
@options.format_option("text", "json")
@options.output_option("Write to this file instead of standard output.")
@options.weights_option
@options.input_shapes_option
@options.set_option
def verify(
    sources: tuple[str, ...],
    runtime: tuple[str, ...],
    probes: tuple[str, ...],
    seed: int,
    trials: int,
    coverage: float,
    arithmetic: str,
    maps: str | None,
    timeout: float,
    options: dict[str, str],
    matrix: Matrix,
    format: str,
    output: str | None,
    weights: str | None,
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
) -> int:
    """Cross-check runtimes against the reference, layer by layer and as a whole."""
    from onnxconv.cli.output import deliver, style, width
    from onnxconv.report import as_json, verification_text

    keep([*sources, weights], output)
    if weights is not None and len(sources) > 1:
        raise click.UsageError("--weights belongs to one source")
    runtime = expanded(runtime, matrix, options)
    found = networks(sources, set=parameters, input_shapes=input_shapes, weights=weights, seed=seed)
    again = _again({"--set": parameters, "--input-shape": input_shapes, "--runtime-option": options}, weights, timeout)
    asked = {"seed": seed, "trials": trials, "arithmetic": arithmetic, "coverage": coverage, "timeout": timeout}
    documents = []
    for document in _documents(found, runtime, again, maps, probes=probes or None, options=options, **asked):
        documents.append(document)
        if format == "text" and output is None:
            deliver(("" if len(documents) == 1 else "\n") + verification_text(documents[-1], width(), style()))
    if format == "json":
        deliver(as_json(documents[0] if len(documents) == 1 else documents), output)
    elif output is not None:
        deliver("\n".join(map(verification_text, documents)), output)
    return status({document["verdict"] for document in documents})


def _documents(
    found: Iterable[Network], runtimes: tuple[str, ...], again: str, maps: str | None, **asked: Any
) -> Iterator[dict[str, Any]]:
    """What is found of each network, its lines that reproduce it ending in `again`. `asked`: options of `Network.verify`."""
    from onnxconv.cli.progress import progress

    for network in found:
        with progress(network.source) as told:
            result = network.verify(runtimes, progress=told, **asked)
        document = result.document()
        if maps is not None:
            _draw(result, document, Path(maps))
        yield document | {"checks": [c | {"reproduce": c["reproduce"] + again} for c in document["checks"]]}


def _draw(found: Verification, document: dict[str, Any], folder: Path) -> None:
    """A picture of each failure that has a map, whose path joins its first divergence in the document."""
    from onnxconv.files import whole_folder
    from onnxconv.verify import picture

    for check, told in zip(found.checks, document["checks"], strict=True):
        first = check.finding.first_divergence
        if first is None or check.finding.error_map is None:
            continue
        name = "-".join((Path(found.source).stem, check.runtime, check.probe, first.layer))
        file = f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}.png"
        with whole_folder(folder) as hidden:
            (hidden / file).write_bytes(picture(check.finding.error_map))
        told["first_divergence"]["error_map"] = str(folder / file)


def expanded(runtimes: tuple[str, ...], matrix: Matrix, options: Mapping[str, str]) -> tuple[str, ...]:
    """The runtimes with every combination of a matrix; as they are where none was given."""
    from onnxconv.runtimes import combinations

    if twice := sorted(set(matrix or {}) & set(options)):
        raise click.UsageError(f"--runtime-option and --runtime-matrix both give {twice[0]!r}")
    return runtimes if matrix == {} else combinations(runtimes, matrix)


def status(verdicts: set[str]) -> int:
    """The exit status for verdicts: to disagree is graver than not to have been able to tell."""
    if "fail" in verdicts:
        return DISAGREED
    return 0 if verdicts == {"pass"} else NOT_HERE


def _again(assigned: Mapping[str, Mapping[str, Any]], weights: str | None, timeout: float) -> str:
    """The options that a line which reproduces a check needs besides those that the library knows of."""

    def words() -> Iterator[str]:
        for option, values in assigned.items():
            for name, value in values.items():
                yield from (option, f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}")
        yield from () if weights is None else ("--weights", weights)
        yield from () if timeout == DEFAULT_TIMEOUT else ("--timeout", f"{timeout:g}")

    return "".join(f" {shlex.quote(word)}" for word in words())
