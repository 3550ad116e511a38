"""``onnxconv build``: specs to ONNX models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxconv.cli import options
from onnxconv.cli.output import present, remark
from onnxconv.cli.progress import progress
from onnxconv.cli.sources import keep, networks
from onnxconv.files import whole_folder

if TYPE_CHECKING:
    from onnxconv.network import Network
    from onnxconv.portable import Account


@click.command(
    epilog="""\b
Examples:
  onnxconv build specs/resnet50.yaml -o resnet50.onnx
  onnxconv build specs/resnet50.yaml -o small.onnx --set classes=10 --seed 7
  onnxconv build specs/*.yaml -o models/
  onnxconv build net.yaml -o net.onnx --weights trained.safetensors
  onnxconv build model.onnx -o portable.onnx

\b
Exit codes: 0 written; 2 wrong usage, spec or weights; of a model, 1 a runtime
computes something else of the original, 3 nothing here can run it; nothing was
written then; 130 interrupted.
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
@click.option(
    "--calibrate",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE.npz",
    help="Inputs by name on which a spec with 'quantize' is calibrated.  [default: drawn from seed 0]",
)
@click.option(
    "--unproved",
    is_flag=True,
    help="Write what is made of a model without proof that it computes the same.",
)
@options.input_shapes_option
@options.set_option
def build(
    sources: tuple[str, ...],
    output: str,
    weights: str | None,
    seed: int,
    dtype: str | None,
    calibrate: str | None,
    unproved: bool,
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
    **how: Any,
) -> None:
    """Write ONNX models: all of the sources, or on any mistake none.

    A source that is a model itself is written in the portable form: integer pads, pinned versions, folded constants, a
    shape on every tensor. First the original is run by another runtime, and every layer compared.
    """
    if weights is not None and len(sources) > 1:
        raise click.UsageError("--weights belongs to one source")
    found = networks(
        sources, set=parameters, input_shapes=input_shapes, weights=weights, seed=seed, dtype=dtype, calibrate=calibrate
    )
    paths = list(_destinations(sources, found, output))
    with progress(f"writing {output}") as told:

        def tell(text: str) -> None:
            if told is not None:
                told(0, 1, text)

        if paths == [Path(output)]:
            account = _written(found[0], paths[0], how, not unproved, tell)
            accounts = [account] if account else []
        else:
            accounts = _together(found, paths, how, not unproved, tell)
    for account in accounts:
        remark(str(account))
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


def _together(
    found: Sequence[Network], paths: Sequence[Path], how: dict[str, Any], prove: bool, tell: Callable[[str], None]
) -> list[Account]:
    """Write all models into a hidden folder first, so that a mistake in the last one leaves none of them."""
    with whole_folder(paths[0].parent) as hidden:
        made = [
            _written(network, hidden / path.name, how, prove, tell) for network, path in zip(found, paths, strict=True)
        ]
    return [replace(account, path=str(path)) for account, path in zip(made, paths, strict=True) if account]


def _written(
    network: Network, path: Path, how: dict[str, Any], prove: bool, tell: Callable[[str], None]
) -> Account | None:
    """Write one model; an account of it where it was made from another one."""
    if network.model is None:
        network.build(path, **how)
        return None
    return network.rewrite(path, prove=prove, tell=tell, **how)
