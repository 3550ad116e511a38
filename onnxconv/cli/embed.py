"""``onnxconv embed``: a model as a folder for another runtime, which proves itself there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxconv.cli import options
from onnxconv.cli.edge import DISAGREED, NOT_HERE
from onnxconv.cli.output import deliver, present, remark
from onnxconv.cli.sources import networks
from onnxconv.errors import UsageError

if TYPE_CHECKING:
    from onnxconv.embed import Target


def _list(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    """Tell the targets and end, without a source."""
    if not asked or ctx.resilient_parsing:
        return
    from onnxconv.cli.output import style, width
    from onnxconv.embed import REWRITES, names
    from onnxconv.report import as_json, targets_text

    found = [_row(name) for name in names()]
    json = ctx.params.get("format") == "json"
    ways = [{"name": name, "says": way.says, "exact": way.exact} for name, way in REWRITES.items()]
    told = as_json({"targets": found, "rewrites": ways}) if json else targets_text(found, ways, width(), style())
    deliver(told)
    ctx.exit()


def _row(name: str) -> dict[str, Any]:
    """A target, or why there is none although something is registered by that name."""
    from onnxconv.embed import Target, find

    try:
        return {**_entry(find(name)), "name": name, "broken": ""}
    except UsageError as error:
        told = error.diagnostics[0]
        nothing = _entry(Target(name, "", "", (), ()))
        return {**nothing, "writable": False, "checkable": False, "broken": told.what, "fix": [told.fix]}


def _entry(target: Target) -> dict[str, Any]:
    lacking = target.missing()
    return {
        "name": target.name,
        "title": target.title,
        "language": target.language,
        "writable": target.writable(),
        "checkable": not lacking,
        "missing": [need.what for need in lacking],
        "fix": [need.fix for need in lacking],
        "limits": list(target.limits),
    }


@click.command(
    epilog="""\b
Examples:
  onnxconv embed --list
  onnxconv embed specs/lenet5.yaml --target python -o lenet5 --check
  onnxconv embed model.onnx --target ncnn --adapt -o bundle
  onnxconv embed model.onnx --target web --rewrite fold-batch-norm -o bundle
  cd lenet5 && python check.py

\b
Exit codes: 0 written, and checked if that was asked for; 1 the check failed:
an output is wrong, or a file was changed; 2 wrong usage, spec or model, or
something that the target cannot take, and nothing was written; 3 written, but
the check cannot run here; 130 interrupted.
"""
)
@click.option(
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    is_eager=True,
    help="How to lay out what is told.",
)
@click.option(
    "--list",
    is_flag=True,
    expose_value=False,
    callback=_list,
    help="Tell the targets, whether bundles for them can be written and checked here, what to install, and the rewrites.",
)
@options.source_argument
@click.option(
    "--target", "name", metavar="NAME", required=True, help="The runtime to make it for, by the name that --list tells."
)
@options.output_option("A new folder, or a bundle that is replaced.", required=True, metavar="DIR")
@click.option(
    "--check", "checked", is_flag=True, help="Run the bundle's own check once it is written, and tell what it says."
)
@click.option(
    "--adapt",
    is_flag=True,
    help="Rewrite what the target cannot take, where there is a way round; what is rewritten is told.",
)
@click.option(
    "--rewrite",
    "rewrites",
    metavar="NAME",
    multiple=True,
    help="Rewrite by this name, whether or not the target needs it, such as fold-batch-norm; may be repeated. --list tells them.",
)
@options.weights_option
@options.seed_option("the weights, and of the golden inputs")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="S",
    help="Seconds that the check may take.",
)
@options.input_shapes_option
@options.set_option
def embed(
    format: str,
    source: str,
    name: str,
    output: str,
    checked: bool,
    adapt: bool,
    rewrites: tuple[str, ...],
    weights: str | None,
    seed: int,
    timeout: float,
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
) -> int:
    """Write a folder with the model, a runner for another runtime, and a check that proves it right there.

    SOURCE is a spec or an ONNX model. The folder can be copied to the machine where it will live; its README.md says how
    to check it there, without onnxconv.
    """
    from onnxconv.embed import STATUS, check, find, keep
    from onnxconv.report import as_json

    target = find(name)
    (network,) = networks([source], set=parameters, input_shapes=input_shapes, weights=weights, seed=seed)
    made = network.embed(target, output, adapt=adapt, rewrites=rewrites, seed=seed)
    for change in made.changed:
        remark(f"changed for {target.title}: {change}\n")
    present(Path(output))
    found = check(made.folder, target, timeout=timeout) if checked else None
    if found:
        keep(made.folder, found)
    told = {
        "source": source,
        "target": target.name,
        "folder": output,
        "bytes": made.size,
        "changed": [str(change) for change in made.changed],
        "check": found and {"status": STATUS[found.status], "start_up": found.start_up, "said": found.said},
    }
    if format == "json":
        deliver(as_json(told))
    elif found:
        deliver(found.said)
    return 0 if found is None else (0, DISAGREED, NOT_HERE)[found.status]
