"""``onnxconv reduce``: the smallest case on which a runtime still disagrees."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from onnxconv.cli import options
from onnxconv.cli.edge import DISAGREED
from onnxconv.cli.output import deliver, present
from onnxconv.cli.progress import progress
from onnxconv.cli.sources import networks


@click.command(
    epilog="""\b
Examples:
  onnxconv reduce specs/resnet50.yaml --runtime python:mine.py -o smallest
  python smallest/reproduce.py

\b
Exit codes: 0 the runtime disagrees on nothing that was tried, and nothing was
written; 1 it disagrees, and the smallest case was written; 2 wrong usage, spec
or model; 3 the runtime is absent; 130 interrupted.
"""
)
@options.source_argument
@options.runtimes_option("The runtime that disagrees. See 'onnxconv runtimes'.", required=True)
@options.output_option("A folder for the case: model, numbers, script.", required=True, metavar="DIR")
@click.option(
    "--probe",
    type=click.Choice(["exact", "bound", "routing"]),
    help="Where its numbers come from: one layer on integers, one on its own weights, or a routed network."
    "  [default: the first that shows a disagreement]",
)
@options.weights_option
@options.seed_option("the weights and of the numbers")
@options.timeout_option
@options.runtime_option_option
@options.input_shapes_option
@options.set_option
def reduce(
    source: str,
    runtime: str,
    output: str,
    probe: str | None,
    weights: str | None,
    seed: int,
    timeout: float,
    options: dict[str, str],
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
) -> int:
    """Shrink a case on which a runtime disagrees with the reference."""
    from onnxconv.reduce import spec_text

    (network,) = networks([source], set=parameters, input_shapes=input_shapes, weights=weights, seed=seed)
    with progress(source) as told:
        found = network.reduce(
            runtime,
            Path(output),
            families=(probe,) if probe else None,
            seed=seed,
            timeout=timeout,
            options=options,
            tell=(lambda text: told(0, 1, text)) if told else lambda _: None,
            command=shlex.join(["onnxconv", "reduce", source, "--runtime", runtime, "--seed", str(seed), "-o", output]),
        )
    if found is None:
        deliver(f"{source}: {runtime} disagrees on nothing that was tried\n")
        return 0
    reduced, files = found
    deliver(f"{source}: {reduced}\n\n{spec_text(reduced.disagreement.problem.graph)}")
    for name in files:
        present(Path(output) / name)
    return DISAGREED
