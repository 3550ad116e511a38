"""``onnxconv build``: specs to ONNX models."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxconv.cli import options
from onnxconv.cli.output import present
from onnxconv.cli.progress import progress
from onnxconv.cli.sources import keep, networks

if TYPE_CHECKING:
    from onnxconv.network import Network


@click.command(
    epilog="""\b
Examples:
  onnxconv build specs/resnet50.yaml -o resnet50.onnx
  onnxconv build specs/resnet50.yaml -o small.onnx --set classes=10 --seed 7
  onnxconv build specs/*.yaml -o models/
  onnxconv build net.yaml -o net.onnx --weights trained.safetensors

\b
Exit codes: 0 written; 2 wrong usage, spec or weights, and nothing was written;
130 interrupted.
"""
)
@options.sources_argument
@options.output_option(
    "The model, ending in .onnx; anything else is a folder, which gets NAME.onnx for each source.",
    required=True,
    metavar="PATH",
)
@options.weights_option
@options.seed_option("the weights")
@click.option(
    "--opset", type=click.IntRange(1), default=17, show_default=True, metavar="N", help="Version of ONNX's operators."
)
@click.option(
    "--ir-version",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    metavar="N",
    help="Version of ONNX's file format.",
)
@click.option(
    "--dtype",
    metavar="T",
    help="Data type of all tensors: float32, float64, float16 or bfloat16.  [default: the source's]",
)
@click.option(
    "--weights-as",
    type=click.Choice(["constants", "inputs"]),
    default="constants",
    show_default=True,
    help="Store the weights in the model, or make them inputs of it.",
)
@click.option(
    "--external-data",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Store the weights beside the model, in PATH.data; auto: above 1 GiB.",
)
@options.input_shapes_option
@options.set_option
def build(
    sources: tuple[str, ...],
    output: str,
    weights: str | None,
    seed: int,
    dtype: str | None,
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
    **how: Any,
) -> None:
    """Write ONNX models: all of the sources, or on any mistake none."""
    if weights is not None and len(sources) > 1:
        raise click.UsageError("--weights belongs to one source")
    found = networks(sources, set=parameters, input_shapes=input_shapes, weights=weights, seed=seed, dtype=dtype)
    paths = list(_destinations(sources, found, output))
    with progress(f"writing {output}"):
        if paths == [Path(output)]:
            found[0].build(output, **how)
        else:
            _together(found, paths, how)
    for path in paths:
        present(path)


def _destinations(sources: Sequence[str], found: Sequence[Network], output: str) -> Iterator[Path]:
    """One path a source. Raises `click.UsageError` where two would meet, or one would overwrite a source."""
    if output == "-":
        raise click.UsageError("a model is written to a file, not to standard output")
    if output.endswith(".onnx") and not Path(output).is_dir():
        if len(sources) > 1:
            raise click.UsageError(f"{len(sources)} models do not fit into one file: let -o name a folder")
        paths = [Path(output)]
    else:
        if not output.endswith(("/", os.sep)) and not Path(output).is_dir() and Path(output).suffix:
            raise click.UsageError(f"-o {output} does not end in .onnx; if it is to be a folder, end it in /")
        paths = [
            Path(output) / f"{_stem(source, network)}.onnx" for source, network in zip(sources, found, strict=True)
        ]
    taken: dict[Path, str] = {}
    for source, path in zip(sources, paths, strict=True):
        if path in taken:
            raise click.UsageError(f"{taken[path]} and {source} would both become {path}")
        keep(sources, path)
        taken[path] = source
        yield path


def _stem(source: str, network: Network) -> str:
    """The file's name without its ending; of what is no file, the network's name."""
    path = Path(source)
    name = path.stem if path.is_file() else network.graph.name
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name) or "model"


def _together(found: Sequence[Network], paths: Sequence[Path], how: dict[str, Any]) -> None:
    """Write all models into a hidden folder first, so that a mistake in the last one leaves none of them."""
    folder = paths[0].parent
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    with tempfile.TemporaryDirectory(prefix=".onnxconv-", dir=there) as hidden:
        for network, path in zip(found, paths, strict=True):
            network.build(Path(hidden) / path.name, **how)
        folder.mkdir(parents=True, exist_ok=True)
        # External data before the model that refers to it; an older model must not meet newer data.
        for made in sorted(Path(hidden).iterdir(), key=lambda file: file.suffix == ".onnx"):
            if made.suffix == ".data":
                (folder / made.stem).unlink(missing_ok=True)
            os.replace(made, folder / made.name)
