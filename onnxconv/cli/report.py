"""``onnxconv report``: what is known about a network without running it."""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Iterator
from typing import Any

import click

from onnxconv.cli import options
from onnxconv.cli.sources import keep, networks


class Position(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """``LAYER=row,col``, read into the layer and its indices; a layer alone where its tensor has no spatial axis."""

    name = "position"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        if isinstance(value, tuple):
            return value
        layer, _, numbers = value.rpartition("=") if "=" in value else (value, "", "")
        indices = numbers.split(",") if numbers else []
        if not layer or not all(re.fullmatch(r" *-?[0-9]{1,18} *", index) for index in indices):
            self.fail(f"{value!r} is not {self.get_metavar(param, ctx)}", param, ctx)
        return layer, tuple(map(int, indices))

    def get_metavar(self, param: click.Parameter | None, ctx: click.Context | None = None) -> str:
        return "LAYER=row,col"


@click.command(
    epilog="""\b
Examples:
  onnxconv report specs/resnet50.yaml
  onnxconv report specs/unet.yaml --input-shape x=1,1,512,512
  onnxconv report model.onnx --format csv -o layers.csv
  onnxconv report specs/vgg16.yaml --format json | jq .totals
  onnxconv report specs/unet.yaml --at conv=0,0 --at conv=-1,128
  onnxconv report specs/wavenet.yaml --sample-rate 16000

\b
Exit codes: 0 told; 2 wrong usage, spec or model; 130 interrupted.
"""
)
@options.source_argument
@options.format_option("text", "json", "csv", "markdown", "html")
@options.output_option("Write to this file instead of standard output.")
@click.option(
    "--at",
    "places",
    type=Position(),
    multiple=True,
    help="Tell the box of input pixels that this position of a layer's output sees: one number for each spatial axis, "
    "from 0, or negative from the end; may be repeated.",
)
@click.option(
    "--sample-rate",
    type=float,
    metavar="HZ",
    help="Samples a second of the input: tell context, look-ahead and latency in seconds too.",
)
@options.input_shapes_option
@options.set_option
def report(
    source: str,
    format: str,
    output: str | None,
    places: tuple[tuple[str, tuple[int, ...]], ...],
    sample_rate: float | None,
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
) -> None:
    """Tell shapes, receptive fields, cost and advice, layer by layer."""
    from onnxconv.cli.output import deliver, style, width

    keep([source], output)
    if places and format == "csv":
        raise click.UsageError("a table in CSV has one row a layer, and no place for --at: choose another --format")
    with _keeping_all():
        (network,) = networks([source], set=parameters, input_shapes=input_shapes, partial=True)
        text = network.report(places, sample_rate).render(format, width=width(output), style=style(output))
    deliver(text, output)


@contextlib.contextmanager
def _keeping_all() -> Iterator[None]:
    """Without searches for garbage: what a report is made of is there until the end, and each search goes through all of it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
