"""What it takes to start, to report, to build and to write large models, beside what it cannot do without, in one run.

    python benchmarks/building.py [--repeat N] [--layers N …] [--gigabytes G] [--folder DIR] [-o FILE.md]

Four tables. Starting: commands beside `import click`. Growing: `onnxconv report` of deeper and deeper networks. Writing: a
model of `--gigabytes` (none by default) beside as many bytes that need not be made, all flushed to disk, by the clock.
Building: a spec to `.onnx` beside onnx.helper and onnx.save given the same arrays. Times are the processor's, user and
system, but for writing; contestants take turns. Files are made in `--folder` and deleted. Nothing passes or fails on time.
"""

from __future__ import annotations

import argparse
import datetime
import math
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from page import processor

ROOT = Path(__file__).parents[1]
SIDE = 16384
"""Features of the dense layers of the large model: 2³⁰ bytes of weights each."""


class Used(NamedTuple):
    """Seconds of the processor and on the clock, and the most megabytes of memory, that a process took."""

    cpu: float
    clock: float
    peak: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7, help="rounds of each table but the second and the third")
    parser.add_argument("--layers", type=int, nargs="*", default=[1000, 3000, 10000, 30000, 100000])
    parser.add_argument("--gigabytes", type=int, default=0, help="weights of the large model, in units of 2^30 bytes")
    parser.add_argument("--spec", type=Path, default=ROOT / "specs" / "resnet152.yaml", help="what is built")
    parser.add_argument("--folder", type=Path, help="where files are written and deleted")
    parser.add_argument("-o", "--output", type=Path, help="write the page to this file")
    return parser.parse_args()


def used(*command: str) -> Used:
    """What a command takes. What this process holds itself would count as memory of the command: it holds little."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{shlex.join(command)} failed")
    return Used(usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1000)


def python(*arguments: str) -> Used:
    return used(sys.executable, *arguments)


def onnxconv(*arguments: str) -> Used:
    return python("-m", "onnxconv", *arguments)


def deep(layers: int, folder: Path, *, written_out: bool = False) -> str:
    """A spec of so many convolutions, one after the other."""
    layer = "- conv: {filters: 16, kernel: 3, pad: 1}\n"
    body = f"  {layer}" * layers if written_out else f"  - repeat: {layers}\n    layers:\n      {layer}"
    path = folder / f"deep{layers}.yaml"
    path.write_text(f"name: deep\ninputs:\n  x: float32[N, 16, 64, 64]\nlayers:\n{body}", encoding="utf-8")
    return str(path)


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Median, least and largest."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def starting(repeat: int, folder: Path) -> Iterator[str]:
    """The time of commands, and within each round the ratio to that of importing click."""
    repeated, written = deep(1000, folder), folder / "written.yaml"
    Path(deep(1000, folder, written_out=True)).rename(written)
    repeated = deep(1000, folder)
    commands: dict[str, Callable[[], Used]] = {
        "python -c 'import click'": lambda: python("-c", "import click"),
        "python -c 'import numpy'": lambda: python("-c", "import numpy"),
        "onnxconv --help": lambda: onnxconv("--help"),
        "onnxconv schema": lambda: onnxconv("schema"),
        "onnxconv report specs/lenet5.yaml": lambda: onnxconv("report", "specs/lenet5.yaml"),
        "onnxconv report, 1,000 layers by `repeat`": lambda: onnxconv("report", repeated),
        "onnxconv report, 1,000 layers written out": lambda: onnxconv("report", str(written)),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(repeat + 1):
        for name, command in commands.items():
            seconds = command().cpu
            if turn:
                taken[name].append(seconds)
    click = taken["python -c 'import click'"]
    yield from ("| command | s | ÷ `import click` |", "|---|---|---|")
    for name, seconds in taken.items():
        yield f"| {name} | {spread(seconds, '.3f')} | {spread([a / b for a, b in zip(seconds, click, strict=True)])} |"


def growing(layers: Sequence[int], folder: Path) -> Iterator[str]:
    """Time and memory of a report by the number of layers, and the exponent that fits the times without the start."""
    found = {n: least(n, folder) for n in (1, *layers)}
    start = found.pop(1).cpu
    yield from ("| layers | s | MB at most |", "|---|---|---|")
    for n, took in found.items():
        yield f"| {n:,} | {took.cpu:.2f} | {took.peak:.0f} |"
    points = [(math.log(n), math.log(max(took.cpu - start, 1e-3))) for n, took in found.items()]
    if len(points) > 1:
        slope = statistics.linear_regression(*zip(*points, strict=True)).slope
        yield ""
        yield f"Without the {start:.2f} s for a single layer, time grows as the number of layers to the power {slope:.2f}."


def least(layers: int, folder: Path) -> Used:
    """The quickest of three reports; the only one of many layers."""
    spec = deep(layers, folder)
    return min((onnxconv("report", spec) for _ in range(3 if layers < 50_000 else 1)), key=lambda took: took.cpu)


PLAINLY = """
import os, sys
block = os.urandom(1 << 22)
with open(sys.argv[1], "wb", buffering=0) as stream:
    for _ in range(int(sys.argv[2]) // len(block)):
        stream.write(block)
    os.fsync(stream.fileno())
"""
MEANWHILE = """
import itertools, os, sys
from onnxconv.emit.ahead import write
block = os.urandom(1 << 18)
with open(sys.argv[1], "wb") as stream:
    write(itertools.repeat(block, int(sys.argv[2]) // len(block)), stream)
    os.fsync(stream.fileno())
"""
ALONE = {"the bytes alone": PLAINLY, "the bytes alone, as models are written": MEANWHILE}


def writing(gigabytes: int, folder: Path) -> Iterator[str]:
    """Models of dense layers, and before, between and after them the same bytes that need not be made."""
    size, plain, model, spec = gigabytes << 30, folder / "plain", folder / "large.onnx", folder / "large.yaml"
    taken: list[tuple[str, Used]] = []
    for kind in (*ALONE, "zeros", *ALONE, "he_normal", *ALONE):
        if kind in ALONE:
            took = python("-c", ALONE[kind], str(plain), str(size))
        else:
            layer = f"{{dense: {{features: {SIDE}, bias: false, init: {{weight: {kind}}}}}}}"
            body = f"  - repeat: {gigabytes}\n    layers:\n      - {layer}\n"
            spec.write_text(f"inputs:\n  x: float32[N, {SIDE}]\nlayers:\n{body}", encoding="utf-8")
            took = onnxconv("build", str(spec), "-o", str(model))
        taken.append((kind, took))
        for file in (model, Path(f"{model}.data"), plain):
            file.unlink(missing_ok=True)
    yield from (
        "| what is written | s by the clock | MB/s | s of the processors | MB at most | speed ÷ alone | ÷ as models are |",
        "|---|---|---|---|---|---|---|",
    )
    for at, (kind, took) in enumerate(taken):
        made = kind not in ALONE
        ratios = (
            [[taken[at + i][1].clock / took.clock for i in beside] for beside in ((-2, 1), (-1, 2))] if made else []
        )
        cells = (
            f"a model, weights {kind}" if made else kind,
            f"{took.clock:.1f}",
            f"{size / took.clock / 1e6:.0f}",
            f"{took.cpu:.1f}",
            f"{took.peak:.0f}",
            *(" and ".join(f"{ratio:.2f}" for ratio in pair) for pair in ratios or ("", "")),
        )
        yield f"| {' | '.join(cells)} |"


def building(spec: Path, repeat: int, folder: Path) -> Iterator[str]:
    """A spec to a model beside onnx.helper and onnx.save, which are given nodes, types and arrays."""
    import onnx
    from onnx import helper, numpy_helper

    from onnxconv.network import Network, read
    from onnxconv.weights import given

    path, other = folder / "ours.onnx", folder / "theirs.onnx"
    read(spec).build(path)
    model = onnx.load(path)
    arrays = {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in model.graph.initializer}
    nodes = [
        (n.op_type, list(n.input), list(n.output), n.name, {a.name: helper.get_attribute_value(a) for a in n.attribute})
        for n in model.graph.node
    ]
    held = given(arrays)

    def helped() -> None:
        made = [helper.make_node(op, ins, outs, name=name, **more) for op, ins, outs, name, more in nodes]
        tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        graph = helper.make_graph(made, "g", list(model.graph.input), list(model.graph.output), tensors)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), other)

    def from_arrays() -> None:
        network = read(spec)
        Network(network.graph, held).build(path)

    calls: dict[str, Callable[[], Any]] = {
        "onnx.helper and onnx.save, of arrays": helped,
        "onnxconv, of the spec and the same arrays": from_arrays,
        "onnxconv, of the spec, drawing the weights": lambda: read(spec).build(path),
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeat + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if turn:
                taken[name].append(time.process_time() - start)
    first, *_ = taken.values()
    yield from (f"| {spec.stem}, {path.stat().st_size / 1e6:.0f} MB | s | ÷ onnx.helper |", "|---|---|---|")
    for name, seconds in taken.items():
        yield f"| {name} | {spread(seconds)} | {spread([a / b for a, b in zip(seconds, first, strict=True)])} |"


def page(asked: argparse.Namespace, folder: Path) -> Iterator[str]:
    yield "# Starting, reporting, building\n"
    layers = " ".join(map(str, asked.layers))
    yield f"    python benchmarks/building.py --repeat {asked.repeat} --gigabytes {asked.gigabytes} --layers {layers}\n"
    used_here = ", ".join(f"{name} {version(name)}" for name in ("numpy", "onnx", "onnx-ir", "click", "pyyaml"))
    yield f"{datetime.date.today():%d %B %Y}, {processor()}, {os.cpu_count()} processors, {os.getloadavg()[0]:.0f} processes at work at the start,"
    yield f"Python {platform.python_version()}, {used_here}. Times are of the processor, user and system, unless told otherwise;"
    yield f"medians of {asked.repeat} rounds after a warm-up with the least and the largest in brackets, ratios within a round.\n"
    yield "## Starting\n"
    yield from starting(asked.repeat, folder)
    yield "\n## Growing\n\n`onnxconv report` of 3 × 3 convolutions one after the other, written as a `repeat`; the least of three runs, one run of the deepest:\n"
    yield from growing(asked.layers, folder)
    if asked.gigabytes:
        yield f"\n## Writing\n\nA model of {asked.gigabytes} GiB of weights beside it, flushed to disk, in turn with as many bytes that need not be made, once each:\n"
        yield from writing(asked.gigabytes, folder)
    yield "\n## Building\n"
    yield from building(asked.spec, asked.repeat, folder)


def main() -> None:
    asked = arguments()
    told: list[str] = []
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for line in page(asked, Path(folder)):
            told.append(line)
            print(line, flush=True)
    if asked.output:
        asked.output.write_text("\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
