"""Everything about the CUDA provider that needs a GPU, in one call; installs nothing.

    python tests/cuda/run.py [--seconds 540] [-o docs/results]

Writes ``cuda-<card>-<date>.json``, and a Markdown page from it, every few seconds: what was measured by then is whole even if the
run is killed. In order: what the machine is, the tests marked ``cuda``, times of whole networks (alone on the machine), then, on as
many processes as there are processors, all probes on all families of layers × data types × settings of the provider, and whole
networks. What there is no time for is counted as such. README.md beside this file says how the packages get there.

``--runtime onnxruntime:cpu`` does the same on the CPU, which is how this file itself is tested.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

if TYPE_CHECKING:
    from results import Results

NEEDED = {
    "click": "click",
    "ml_dtypes": "ml_dtypes",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnx_ir": "onnx-ir",
    "onnxruntime": "onnxruntime-gpu",
    "pytest": "pytest",
    "rich": "rich",
    "threadpoolctl": "threadpoolctl",
    "yaml": "pyyaml",
}
"""Modules, and the packages that bring them."""

NOT_HERE = 3
SHARES = {"tests": 0.2, "times": 0.25}
"""Of all seconds, at most, for what comes before the probes."""
SETTLING = 8.0
"""Seconds kept for the last page."""
EVERY = 3.0
"""Seconds between pages."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", default="onnxruntime:cuda", help="onnxruntime:cuda or onnxruntime:cpu")
    parser.add_argument("--seconds", type=float, default=540.0, help="for all of it")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one load or run")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 2), help="processes at a time")
    parser.add_argument("--stage", action="append", choices=("tests", "times", "probes"), help="by default all")
    parser.add_argument("--networks", type=int, default=99, help="how many networks at most")
    parser.add_argument("-o", "--output", type=_absolute, default=ROOT / "docs" / "results", help="folder")
    return parser.parse_args()


def _absolute(path: str) -> Path:
    return Path(path).absolute()


def missing() -> str:
    """What has to be installed first, in words; empty if nothing."""
    absent = [package for module, package in NEEDED.items() if not _there(module)]
    if not absent:
        return ""
    line = (
        "pip download --only-binary=:all: --no-deps --python-version 3.12 --platform manylinux_2_28_x86_64 -d wheels "
    )
    return f"not installed: {', '.join(absent)}\nwhere there is a network: {line}{' '.join(absent)}\nthen here: " + (
        "pip install --no-index --no-deps wheels/*"
    )


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def tests(results: Results, seconds: float) -> None:
    """The tests marked `cuda`, with nothing of pytest's but pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-o", "addopts=", "--import-mode=importlib"]
    command += ["-p", "no:cacheprovider", f"--confcutdir={HERE}", "-m", "cuda", str(HERE)]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        said, status = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        status = -1
    results.document["tests"] = {"exit": status, "said": said.splitlines()[-40:]}


def times(asked: argparse.Namespace, results: Results, until: float) -> None:
    """Networks timed one after the other, for as long as there is time."""
    from cases import NETWORKS
    from measure import time_network

    wide = asked.runtime + ",use_tf32=1,prefer_nhwc=1,enable_cuda_graph=1"
    device = [asked.runtime, wide] if asked.runtime.endswith("cuda") else [asked.runtime]
    runtimes = list(dict.fromkeys([*device, "onnxruntime:cpu", "numpy:fast"]))
    for done, name in enumerate(NETWORKS[: asked.networks]):
        if time.time() > until:
            results.document["stages"]["times"] = f"{done} of {len(NETWORKS)} networks"
            return
        source = str((ROOT / "specs" / f"{name}.yaml").relative_to(ROOT))
        time_network(source, runtimes, os.cpu_count() or 1, 5, asked.timeout, results.part("1-times"))
        results.write()


def jobs(
    asked: argparse.Namespace, results: Results, until: float
) -> Iterator[tuple[Callable[..., None], tuple[Any, ...]]]:
    """What is measured in processes, in the order in which it is begun."""
    from cases import NETWORKS, tasks
    from measure import probe_families, probe_network

    every = tasks(asked.runtime)
    default = every[0][0]
    for i, (setting, dtype) in enumerate(every[:4]):
        yield probe_families, (setting, dtype, until, asked.timeout, results.part(f"2-defaults-{i}"))
    for name in NETWORKS[: asked.networks]:
        source, part = f"specs/{name}.yaml", results.part(f"4-network-{name}")
        yield probe_network, (source, default, "direct", until, asked.timeout, part)
        if asked.runtime.endswith("cuda"):
            narrow = results.part(f"4-network-{name}-tf32")
            yield probe_network, (source, f"{asked.runtime},use_tf32=1", "tf32", until, asked.timeout, narrow)
    for i, (setting, dtype) in enumerate(every[4:]):
        yield probe_families, (setting, dtype, until, asked.timeout, results.part(f"3-matrix-{i:03d}"))
    yield probe_families, (default, "float32", until, asked.timeout, results.part("5-again"), True)


def probes(asked: argparse.Namespace, results: Results, until: float) -> None:
    """All jobs, each in a process of its own, the document written meanwhile; what had no time to begin is counted."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["TMPDIR"] = str(results.folder)
    # Spawned, not forked: CUDA does not survive a fork.
    context = multiprocessing.get_context("spawn")
    waiting = list(jobs(asked, results, until))
    total, written = len(waiting), 0.0
    running: list[multiprocessing.process.BaseProcess] = []
    while (waiting or running) and time.time() < until:
        running = [process for process in running if process.is_alive()]
        while waiting and len(running) < asked.jobs:
            what, given = waiting.pop(0)
            running.append(context.Process(target=what, args=given, daemon=False))
            running[-1].start()
        time.sleep(0.2)
        if time.time() > written + EVERY:
            results.document["stages"]["probes"] = f"{total - len(waiting)} of {total} jobs begun"
            results.write()
            written = time.time()
    ended = total - len(waiting) - sum(process.is_alive() for process in running)
    results.document["stages"]["probes"] = f"{total - len(waiting)} of {total} jobs begun, {ended} of them finished"
    for process in running:
        process.kill()
        process.join()


def main() -> int:
    asked = arguments()
    if lacking := missing():
        print(lacking, file=sys.stderr)
        return NOT_HERE
    from results import Results

    from onnxconv.runtimes import Absent, status

    state = status(asked.runtime)
    if isinstance(state, Absent):
        print(f"{asked.runtime}: {state.reason}\nfix: {state.fix}", file=sys.stderr)
        return NOT_HERE
    os.chdir(ROOT)
    stages = asked.stage or ["tests", "times", "probes"]
    with tempfile.TemporaryDirectory(prefix="onnxconv-") as folder:
        results = Results(asked, Path(folder))
        end = results.began + asked.seconds - min(SETTLING, asked.seconds / 5)
        results.write()
        if "tests" in stages:
            tests(results, SHARES["tests"] * asked.seconds)
            results.write()
        if "times" in stages:
            times(asked, results, time.time() + SHARES["times"] * asked.seconds)
        if "probes" in stages:
            probes(asked, results, end)
        results.write()
    print(results.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
