"""``onnxconv import``: an ONNX model to a spec and its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxconv.cli import options
from onnxconv.cli.output import present, remark
from onnxconv.cli.progress import progress
from onnxconv.cli.sources import keep, networks


@click.command(
    "import",
    epilog="""\b
Examples:
  onnxconv import model.onnx -o model.yaml
  onnxconv build model.yaml --weights model.safetensors -o again.onnx

\b
Exit codes: 0 written; 2 wrong usage, or a model that is invalid or that no spec
can say, and nothing was written; 130 interrupted.
""",
)
@click.argument("model", metavar="MODEL.onnx")
@options.output_option(
    "The spec; its weights go beside it, ending in .safetensors.", required=True, metavar="SPEC.yaml"
)
@options.input_shapes_option
def to_spec(model: str, output: str, input_shapes: dict[str, Any]) -> None:
    """Write a model as a spec and a file of weights.

    Before anything is written, the spec is resolved and compared with the model as it was read: the same operators,
    connections and weights, bit for bit.
    """
    if not model.endswith(".onnx"):
        raise click.UsageError(f"{model} does not end in .onnx: an ONNX model is made a spec")
    path = Path(output)
    if path.suffix not in (".yaml", ".yml"):
        raise click.UsageError(f"-o {output} does not end in .yaml")
    weights = path.with_suffix(".safetensors")
    for one in (path, weights):
        keep([model], one)
    (network,) = networks([model], input_shapes=input_shapes)
    with progress(f"writing {output}"):
        specified = network.to_spec(path)
    lines = specified.text.count("\n")
    remark(
        f"{output}: {lines} lines give back {len(specified.graph.nodes)} operators of {model}, their connections and "
        f"{len(specified.pairs)} weights, equal bit for bit\n"
    )
    for line in specified.remarks:
        remark(f"  note: {line}\n")
    present(weights)
    present(path)
