"""Times the planned executor beside onnxruntime, PyTorch and onnx's own reference, A B C D A B C D … in one run.

    python benchmarks/executors.py [SPEC …] [--repeat N] [--threads N] [--clock wall|cpu] [--without PEER] [--definition]

Prints a Markdown table of medians in milliseconds, and of ratios within the same round with their spread. Everything
computes in float32 on one image; `--definition` adds the reference executor, which computes in float64. With
`--clock cpu` it is the processor's time that counts, which other work on the machine lengthens less. Nothing passes or
fails on time.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from page import processor

SPECS = Path(__file__).parents[1] / "specs"
DENSE = ("vgg16", "resnet50", "resnext50_32x4d", "inception_v3", "unet")
DEPTHWISE = ("mobilenet_v2", "efficientnet_b0", "shufflenet_v2_x1_0")
OTHERS = ("densenet121", "r3d_18", "wavenet")
OURS, PEERS = "numpy:fast", ("onnxruntime", "torch", "onnx.reference")
PATIENCE = 2.0
"""Seconds."""
PAUSE = 0.05
"""Seconds before each turn, in which the threads of whoever was last, which wait awake for more work, go to sleep."""
WARM = 0.05
"""Seconds of runs before the one that counts: processors and caches that idled are slow at first."""
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Calls = dict[str, Callable[[], object]]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = [SPECS / f"{name}.yaml" for name in (*DENSE, *DEPTHWISE, *OTHERS)]
    parser.add_argument("specs", nargs="*", type=Path, default=default)
    parser.add_argument("--repeat", type=int, default=5, help="counted rounds, after one warm-up")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of every executor, and processors that they share"
    )
    parser.add_argument("--without", action="append", default=[], choices=PEERS, help="leave a peer out")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--definition", action="store_true", help="time the reference executor too")
    return parser.parse_args()


def contestants(source: object, folder: str, threads: int, definition: bool = False) -> Calls:
    """Calls that run a spec, by who does; a symbolic batch is 1."""
    import onnx.reference
    import onnxruntime
    import torch
    import torch_graph

    import onnxconv
    from onnxconv.execute import run, seeded_inputs
    from onnxconv.execute.fast import Program, make_plan

    torch.set_num_threads(threads)
    network = onnxconv.read(source)
    path = Path(folder) / "model.onnx"
    onnxconv.build(network, path)
    inputs = seeded_inputs(network.graph)
    weights = {param: network.weights[param] for param in network.graph.params()}
    shapes = {name: array.shape for name, array in inputs.items()}
    program = Program(make_plan(network.graph, weights, shapes), threads, processes=True)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    evaluator = onnx.reference.ReferenceEvaluator(str(path))
    path.unlink()
    calls: Calls = {OURS: lambda: program.run(inputs), "onnxruntime": lambda: session.run(None, inputs)}
    try:
        calls["torch"] = torch_graph.prepared(network.graph, weights, inputs)
    except torch_graph.Unsupported as missing:
        print(f"{network.graph.name}: no torch, {missing} is not written in torch_graph.py", file=sys.stderr)
    calls["onnx.reference"] = lambda: evaluator.run(None, inputs)
    return calls | ({"numpy": lambda: run(network.graph, weights, inputs)} if definition else {})


def rounds(calls: Calls, repeat: int, clock: Callable[[], float], patience: float = PATIENCE) -> dict[str, list[float]]:
    """Seconds by name, each of a run right after another one; for whoever takes longer than `patience` the first is what counts."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    slow: set[str] = set()
    for turn in range(repeat + 1):
        for name, call in calls.items():
            if name in slow:
                continue
            if turn:
                time.sleep(PAUSE)
                again(call, WARM)
            start = clock()
            call()
            taken = clock() - start
            if turn or taken > patience:
                seconds[name].append(taken)
            if not turn and taken > patience:
                slow.add(name)
    return seconds


def again(call: Callable[[], object], seconds: float) -> None:
    """Call as often as it takes for so long, and at least once."""
    until = time.perf_counter() + seconds
    call()
    while time.perf_counter() < until:
        call()


def header(definition: bool) -> Iterator[str]:
    names = [OURS, *PEERS, *(["numpy"] if definition else [])]
    cells = ["network", *(f"{name} ms" for name in names), *(f"÷ {name}" for name in PEERS)]
    yield f"| {' | '.join(cells)} |"
    yield "|---" * len(cells) + "|"


def row(name: str, seconds: Mapping[str, list[float]], definition: bool) -> str:
    cells = [medians(seconds, who) for who in (OURS, *PEERS, *(["numpy"] if definition else []))]
    cells += [ratios(seconds, OURS, peer) for peer in PEERS]
    return f"| {name} | {' | '.join(cells)} |"


def medians(seconds: Mapping[str, list[float]], name: str) -> str:
    """In milliseconds."""
    return f"{1000 * statistics.median(seconds[name]):.1f}" if seconds.get(name) else "–"


def ratios(seconds: Mapping[str, list[float]], name: str, other: str) -> str:
    """The median of the ratios within a round, with the least and the largest."""
    found = [a / b for a, b in zip(seconds[name], seconds.get(other, ()), strict=False)]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})" if found else "–"


def preamble(threads: int, repeat: int, clock: str) -> str:
    """The day, the machine, the versions, and how it was measured."""
    import numpy
    import onnx
    import onnxruntime
    import torch

    versions = f"NumPy {numpy.__version__}, onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}"
    told = "processor time" if clock == "cpu" else "time on the clock"
    load = f", load {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors" if hasattr(os, "getloadavg") else ""
    return (
        f"{datetime.date.today():%d %B %Y}, {processor()}{load}, {threads} thread(s), Python {platform.python_version()}, {versions}, "
        f"torch {torch.__version__}; medians of {repeat} rounds, each timed after a pause and 50 ms of runs, {told}, float32 unless said."
    )


def on_processors(count: int) -> None:
    """So many threads for every library that is loaded from now on, on so many processors."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main() -> None:
    asked = arguments()
    on_processors(asked.threads)
    print(f"{preamble(asked.threads, asked.repeat, asked.clock)}\n", flush=True)
    for line in header(asked.definition):
        print(line, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for spec in asked.specs:
            calls = contestants(spec, folder, asked.threads, asked.definition)
            for name in asked.without:
                calls.pop(name, None)
            print(row(spec.stem, rounds(calls, asked.repeat, CLOCKS[asked.clock]), asked.definition), flush=True)


if __name__ == "__main__":
    main()
