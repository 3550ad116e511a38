"""Each layer of a network by the planned executor, beside what this machine's matrix products and copies reach.

    python benchmarks/layers.py [SPEC] [--repeat N] [--clock wall|cpu]

Prints a Markdown table: layers that are alike together, multiply-adds a second as a share of those of a product of two
1024 × 1024 matrices, and bytes read and written as a share of a copy's of 64 MiB. One thread. Nothing passes or fails on time.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from executors import CLOCKS, SPECS, on_processors, preamble

SIDE = 1024
COPIED = 1 << 26
"""Bytes."""


def ceilings(clock: Callable[[], float], repeat: int) -> tuple[float, float]:
    """Multiply-adds a second of a matrix product, and bytes a second that a copy reads and writes, both in 10^9."""
    import numpy as np

    matrix, source = np.ones((SIDE, SIDE), np.float32), np.ones(COPIED // 4, np.float32)
    product, copy = np.empty_like(matrix), np.empty_like(source)
    found: list[tuple[float, float]] = []
    for _ in range(repeat + 1):
        start = clock()
        np.matmul(matrix, matrix, out=product)
        between = clock()
        np.copyto(copy, source)
        found.append((between - start, clock() - between))
    products, copies = zip(*found[1:], strict=True)
    return SIDE**3 / statistics.median(products) / 1e9, 2 * COPIED / statistics.median(copies) / 1e9


def measured(spec: Path, clock: Callable[[], float], repeat: int) -> dict[tuple[Any, ...], list[float]]:
    """For each kind of layer: seconds, multiply-adds, bytes and how many there are."""
    import onnxconv
    from onnxconv.execute import seeded_inputs
    from onnxconv.execute.fast import Program, make_plan

    network = onnxconv.read(spec)
    inputs = seeded_inputs(network.graph)
    program = Program(make_plan(network.graph, network.weights, {n: x.shape for n, x in inputs.items()}), 1)
    marks: list[float] = []
    taken: list[list[float]] = []
    for _ in range(repeat + 1):
        marks[:] = [clock()]
        program.run(inputs, lambda step: marks.append(clock()))
        taken.append([b - a for a, b in pairwise(marks)])
    nodes, shapes = {node.name: node for node in network.graph.nodes}, program.plan.shapes
    found: dict[tuple[Any, ...], list[float]] = {}
    gathering = 0.0  # of steps that are no layer's own
    for step, seconds in zip(program.plan.steps, zip(*taken[1:], strict=True), strict=True):
        if not step.nodes:
            gathering += statistics.median(seconds)
            continue
        head = nodes[step.nodes[0]]
        window = "×".join(str(axis.size) for axis in getattr(head.op, "window", ()))
        key = (head.op.kind, window, shapes[head.inputs[0]][1:], shapes[step.output][1:])
        macs = sum(nodes[name].op.work(*(shapes[i] for i in nodes[name].inputs)).macs for name in step.nodes)
        moved = 4 * (math.prod(shapes[step.output]) + sum(math.prod(shapes[name]) for name in head.inputs))
        entry = found.setdefault(key, [0.0, 0.0, 0.0, 0.0])
        found[key] = [
            a + b for a, b in zip(entry, (gathering + statistics.median(seconds), macs, moved, 1), strict=True)
        ]
        gathering = 0.0
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", type=Path, default=SPECS / "resnet50.yaml")
    parser.add_argument("--repeat", type=int, default=7, help="counted rounds, after one warm-up")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    asked = parser.parse_args()
    on_processors(1)
    print(f"{preamble(1, asked.repeat, asked.clock)}\n")
    products, copies = ceilings(CLOCKS[asked.clock], asked.repeat)
    layers = measured(asked.spec, CLOCKS[asked.clock], asked.repeat)
    total = sum(entry[0] for entry in layers.values())
    macs = sum(entry[1] for entry in layers.values())
    print(
        f"{asked.spec.stem}: sgemm {products:.1f} GMAC/s, copy {copies:.1f} GB/s; {1000 * total:.1f} ms in all, ",
        end="",
    )
    print(f"{macs / total / 1e9:.1f} GMAC/s, {macs / total / 1e9 / products:.2f} of sgemm.\n")
    print("| layers | window | input | output | ms | share | GMAC/s | of sgemm | of copy |\n" + "|---" * 9 + "|")
    for (kind, window, x, y), (seconds, work, moved, count) in sorted(layers.items(), key=lambda item: -item[1][0]):
        rate, bytes_rate = work / seconds / 1e9, moved / seconds / 1e9
        sizes = " | ".join("×".join(map(str, shape)) for shape in (x, y))
        told = f"{rate:.1f} | {rate / products:.2f}" if work else "– | –"
        print(
            f"| {count:.0f} {kind} | {window or '–'} | {sizes} | {1000 * seconds:.2f} | {seconds / total:.1%} | {told} | ",
            end="",
        )
        print(f"{bytes_rate / copies:.2f} |")


if __name__ == "__main__":
    main()
