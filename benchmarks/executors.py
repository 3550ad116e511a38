"""Times the reference executor beside onnxruntime and onnx's own reference, A B C A B C … in one run.

    python benchmarks/executors.py [SPEC …] [--repeat N] [--threads N]

Prints a Markdown table of medians in milliseconds and of ratios within the same round, with their spread. The reference
computes in float64, the other two in float32. Nothing passes or fails on time.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SPECS = Path(__file__).parents[1] / "specs"
DEFAULT = ("lenet5", "resnet18", "resnet50", "mobilenet_v2", "vgg16", "unet")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[SPECS / f"{name}.yaml" for name in DEFAULT])
    parser.add_argument("--repeat", type=int, default=5, help="counted rounds, after one warm-up")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of every executor, and processors that they share"
    )
    return parser.parse_args()


def contestants(spec: Path, folder: str, threads: int) -> dict[str, Callable[[], object]]:
    import onnx.reference
    import onnxruntime

    import onnxconv
    from onnxconv.execute import run, seeded_inputs

    network = onnxconv.read(spec)
    path = Path(folder) / f"{spec.stem}.onnx"
    onnxconv.build(network, path)
    inputs = seeded_inputs(network.graph)
    weights = {param: network.weights[param] for param in network.graph.params()}

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    evaluator = onnx.reference.ReferenceEvaluator(str(path))
    return {
        "onnxconv": lambda: run(network.graph, weights, inputs),
        "onnxruntime": lambda: session.run(None, inputs),
        "onnx.reference": lambda: evaluator.run(None, inputs),
    }


def rounds(calls: dict[str, Callable[[], object]], repeat: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeat + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def row(name: str, seconds: dict[str, list[float]]) -> str:
    ours = seconds["onnxconv"]
    cells = [f"{1000 * statistics.median(times):.1f}" for times in seconds.values()]
    for peer in ("onnxruntime", "onnx.reference"):
        ratios = [a / b for a, b in zip(ours, seconds[peer], strict=True)]
        cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    asked = arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(asked.threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.threads])
    import numpy
    import onnx
    import onnxruntime

    versions = f"numpy {numpy.__version__}, onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}"
    print(f"{platform.machine()}, {asked.threads} thread(s), Python {platform.python_version()}, {versions}\n")
    print("| network | onnxconv ms | onnxruntime ms | onnx.reference ms | ÷ onnxruntime | ÷ onnx.reference |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for spec in asked.specs:
            print(row(spec.stem, rounds(contestants(spec, folder, asked.threads), asked.repeat)))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
