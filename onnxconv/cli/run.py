"""``onnxconv run``: a network executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from onnxconv.cli import options
from onnxconv.cli.output import written
from onnxconv.cli.progress import progress
from onnxconv.cli.sources import keep, networks

if TYPE_CHECKING:
    import numpy.typing as npt


@click.command(
    epilog="""\b
Examples:
  onnxconv run specs/lenet5.yaml -o y.npz
  onnxconv run specs/lenet5.yaml -o y.npz --input x=digit.npy
  onnxconv run model.onnx -o y.npz --input inputs.npz --runtime onnxruntime:cpu
  onnxconv run specs/lenet5.yaml -o all.npz --every-tensor

\b
Exit codes: 0 written; 1 the runtime failed; 2 wrong usage, spec, model or
inputs, and nothing was written; 3 the runtime is absent; 130 interrupted.
"""
)
@options.source_argument
@options.output_option("The outputs by name, as a NumPy .npz file.", required=True, metavar="OUT.npz")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=FILE.npy|FILE.npz",
    help="An array for one input, or arrays by name; may be repeated. Inputs not given are drawn from the seed.",
)
@options.runtimes_option("What executes it; see 'onnxconv runtimes'.", default="numpy", show_default=True)
@click.option("--every-tensor", is_flag=True, help="Write the output of every layer, not only the network's outputs.")
@options.weights_option
@options.seed_option("the weights and of the inputs that are not given")
@options.timeout_option
@options.runtime_option_option
@options.input_shapes_option
@options.set_option
def run(
    source: str,
    output: str,
    inputs: tuple[str, ...],
    runtime: str,
    every_tensor: bool,
    weights: str | None,
    seed: int,
    timeout: float,
    options: dict[str, str],
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
) -> None:
    """Execute a network and write its outputs."""
    if not output.endswith(".npz"):
        raise click.UsageError(f"-o {output} does not end in .npz")
    keep([source, weights, *(text.partition("=")[2] or text for text in inputs)], output)
    (network,) = networks([source], set=parameters, input_shapes=input_shapes, weights=weights, seed=seed)
    with progress(f"{runtime} runs {source}"):
        arrays = network.run(
            _arrays(inputs), runtime=runtime, every_tensor=every_tensor, seed=seed, timeout=timeout, options=options
        )
    with written(output) as stream:
        _write(stream, arrays)


def _arrays(inputs: Iterable[str]) -> dict[str, npt.NDArray[Any]]:
    """Arrays by name from ``NAME=FILE.npy`` and ``FILE.npz``. Raises `click.UsageError` for what cannot be read."""
    found: list[tuple[str, npt.NDArray[Any]]] = []
    for text in inputs:
        name, equals, file = text.partition("=")
        content = _load(file if equals else text)
        if isinstance(content, dict) == bool(equals):
            raise click.UsageError(f"--input {text!r} is neither NAME=FILE.npy nor FILE.npz")
        found += content.items() if isinstance(content, dict) else [(name, content)]
    return options.unique(found, "--input")


def _load(file: str) -> npt.NDArray[Any] | dict[str, npt.NDArray[Any]]:
    """The array of a .npy file, or those of a .npz file by name; nothing in it is executed."""
    import zipfile

    import numpy as np

    try:
        content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        with content:
            return {name: content[name] for name in content.files}
    except FileNotFoundError:
        raise click.UsageError(f"--input {file}: there is no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as reason:
        said = "it holds no array of numbers" if "pickle" in str(reason) else str(reason)
        raise click.UsageError(f"--input {file} cannot be read as .npy or .npz: {said}") from None


def _write(stream: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """A .npz archive of the arrays, the same bytes each time."""
    import zipfile

    import numpy as np

    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
