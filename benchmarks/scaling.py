"""How times grow with channels, image size, depth and batch: the planned executor beside onnxruntime and PyTorch.

    python benchmarks/scaling.py [--repeat N] [--clock wall|cpu] [--folder FOLDER]

Prints a Markdown table for each, with the exponents e of a least-squares fit time ~ size^e, and draws it as
FOLDER/performance-NAME.svg. Networks are 3 × 3 convolutions with ReLU, one thread. Nothing passes or fails on time.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executors import CLOCKS, OURS, contestants, medians, on_processors, preamble, ratios, rounds
from plot import plot

WHO = (OURS, "onnxruntime", "torch")
DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, slots=True)
class Series:
    """Networks that differ in one size."""

    name: str
    told: str
    sizes: tuple[int, ...]
    spec: Callable[[int], dict[str, Any]]


def convolutions(channels: int = 64, side: int = 28, depth: int = 4, batch: int = 1) -> dict[str, Any]:
    layer: list[Any] = [{"conv": {"filters": channels, "kernel": 3, "pad": 1}}, "relu"]
    return {
        "name": "scaling",
        "inputs": {"x": f"float32[{batch}, {channels}, {side}, {side}]"},
        "layers": layer * depth,
    }


SERIES = (
    Series("channels", "channels (4 layers, 28 × 28)", (16, 32, 64, 128, 256), lambda n: convolutions(channels=n)),
    Series("side", "pixels a side (4 layers, 64 channels)", (7, 14, 28, 56, 112), lambda n: convolutions(side=n)),
    Series("depth", "layers (64 channels, 28 × 28)", (1, 4, 16, 64), lambda n: convolutions(depth=n)),
    Series("batch", "images (4 layers, 64 channels, 28 × 28)", (1, 2, 4, 8, 16), lambda n: convolutions(batch=n)),
)


def exponent(sizes: tuple[int, ...], seconds: list[float]) -> float:
    """e of the least-squares fit seconds ~ size^e."""
    return statistics.linear_regression([math.log(n) for n in sizes], [math.log(s) for s in seconds]).slope


def table(series: Series, found: Mapping[int, Mapping[str, list[float]]]) -> Iterator[str]:
    yield f"| {series.told} | {' | '.join(f'{who} ms' for who in WHO)} | ÷ onnxruntime | ÷ torch |"
    yield "|---" * (len(WHO) + 3) + "|"
    for n, seconds in found.items():
        told = [medians(seconds, who) for who in WHO] + [ratios(seconds, OURS, other) for other in WHO[1:]]
        yield f"| {n} | {' | '.join(told)} |"
    grown = [exponent(series.sizes, [statistics.median(s[who]) for s in found.values()]) for who in WHO]
    yield f"| exponent | {' | '.join(f'{e:.2f}' for e in grown)} | | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="counted rounds, after one warm-up")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--folder", type=Path, default=DOCS, help="where the drawings go")
    asked = parser.parse_args()
    on_processors(1)
    print(f"{preamble(1, asked.repeat, asked.clock)}", flush=True)
    for series in SERIES:
        found: dict[int, dict[str, list[float]]] = {}
        for n in series.sizes:
            with tempfile.TemporaryDirectory() as folder:
                calls = contestants(series.spec(n), folder, 1)
            found[n] = rounds({who: calls[who] for who in WHO}, asked.repeat, CLOCKS[asked.clock])
        print("", *table(series, found), sep="\n", flush=True)
        lines = {who: [(n, 1000 * statistics.median(s[who])) for n, s in found.items()] for who in WHO}
        drawn = f"performance-{series.name}.svg"
        (asked.folder / drawn).write_text(plot("", series.told, "ms", lines), encoding="utf-8")
        print(f"\n![time over {series.told}]({drawn})", flush=True)


if __name__ == "__main__":
    main()
