"""``onnxconv bench``: runtimes timed side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from onnxconv.cli import options
from onnxconv.cli.edge import NOT_HERE
from onnxconv.cli.output import deliver, style, width
from onnxconv.cli.progress import progress
from onnxconv.cli.sources import keep, networks

if TYPE_CHECKING:
    from onnxconv.bench import Timed


@click.command(
    short_help="Time runtimes side by side.",
    epilog="""\b
Each runtime has a process of its own, on as many processors as there are
threads. After a warm-up they take turns, A B A B, for as many rounds as asked;
a turn is one run, or as many as fit into 20 ms. Ratios are medians of those
within a round. Memory is the most that a process held, interpreter included.

\b
Examples:
  onnxconv bench specs/resnet50.yaml
  onnxconv bench model.onnx --runtime onnxruntime:cpu --runtime openvino --threads 2
  onnxconv bench specs/*.yaml --repeat 30 --format json -o times.json

\b
Exit codes: 0 all were timed; 2 wrong usage, spec or model; 3 a runtime is
absent or failed; 130 interrupted.
""",
)
@options.sources_argument
@options.runtimes_option(
    "A runtime to time; may be repeated. See 'onnxconv runtimes'.",
    multiple=True,
    default=["onnxruntime:cpu", "numpy:fast"],
    show_default=True,
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Threads of each runtime, and processors that it may use.",
)
@click.option(
    "--repeat", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="Rounds that are counted."
)
@options.seed_option("the weights and of the inputs")
@options.timeout_option
@options.runtime_option_option
@options.format_option("text", "json")
@options.output_option("Write to this file instead of standard output.")
@options.weights_option
@options.input_shapes_option
@options.set_option
def bench(
    sources: tuple[str, ...],
    runtime: tuple[str, ...],
    threads: int,
    repeat: int,
    seed: int,
    timeout: float,
    options: dict[str, str],
    format: str,
    output: str | None,
    weights: str | None,
    input_shapes: dict[str, Any],
    parameters: dict[str, str],
) -> int:
    """Time runtimes side by side, interleaved in one run."""
    from onnxconv.report import as_json, bench_text

    keep([*sources, weights], output)
    if weights is not None and len(sources) > 1:
        raise click.UsageError("--weights belongs to one source")
    found = networks(sources, set=parameters, input_shapes=input_shapes, weights=weights, seed=seed)
    results: list[dict[str, Any]] = []
    for network in found:
        with progress(network.source) as told:
            timed = network.bench(
                runtime,
                seed=seed,
                threads=threads,
                repeat=repeat,
                timeout=timeout,
                options=options,
                progress=told,
            )
        results += [_entry(network.source, threads, one, timed) for one in timed]
    text = as_json({"results": results}) if format == "json" else bench_text(results, width(output), style(output))
    deliver(text, output)
    return NOT_HERE if any(entry["reason"] for entry in results) else 0


def _entry(source: str, threads: int, timed: Timed, beside: Sequence[Timed]) -> dict[str, Any]:
    """One result; times are null where there are none, and `reason` says why."""
    ms = [1000 * seconds for seconds in timed.seconds]
    peak = timed.peak_bytes
    return {
        "source": source,
        "runtime": timed.runtime,
        "version": timed.version,
        "threads": threads,
        "median_ms": None if timed.median is None else 1000 * timed.median,
        "min_ms": min(ms, default=None),
        "max_ms": max(ms, default=None),
        "ratio": timed.ratio(beside[0]),
        "rounds": len(ms),
        "runs": timed.runs,
        "peak_mb": None if peak is None else peak / 1e6,
        "reason": timed.reason,
    }
