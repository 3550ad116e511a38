"""``onnxconv report``: what is known about a network without running it."""

from __future__ import annotations

from typing import Any

import click

from onnxconv.cli import options
from onnxconv.cli.sources import keep, networks


@click.command(
    epilog="""\b
Examples:
  onnxconv report specs/resnet50.yaml
  onnxconv report specs/unet.yaml --input-shape x=1,1,512,512
  onnxconv report model.onnx --format csv -o layers.csv
  onnxconv report specs/vgg16.yaml --format json | jq .totals

\b
Exit codes: 0 told; 2 wrong usage, spec or model; 130 interrupted.
"""
)
@options.source_argument
@options.format_option("text", "json", "csv", "markdown", "html")
@options.output_option("Write to this file instead of standard output.")
@options.input_shapes_option
@options.set_option
def report(
    source: str,
    format: str,
    output: str | None,
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
) -> None:
    """Tell shapes, receptive fields, cost and advice, layer by layer."""
    from onnxconv.cli.output import deliver, style, width

    keep([source], output)
    (network,) = networks([source], set=parameters, input_shapes=input_shapes)
    deliver(network.report().render(format, width=width(output), style=style(output)), output)
