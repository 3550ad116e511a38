"""What is installed here, whether it works, and what to do where it does not."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["NEEDED", "Finding", "examine"]

NEEDED = {
    "click": "click",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnx-ir": "onnx_ir",
    "onnxruntime": "onnxruntime",
    "pyyaml": "yaml",
    "rich": "rich",
    "threadpoolctl": "threadpoolctl",
}
"""Packages that onnxconv depends on, and the modules that they bring."""

NEEDED_RUNTIMES = ("numpy", "onnxruntime:cpu")
"""The reference, and what `onnxconv verify` checks by default."""

IMPORT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `state`: ``ok``, ``note`` (optional, and absent) or ``problem``; `fix`: what to do about it."""

    subject: str
    state: str
    found: str
    fix: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> Iterator[Finding]:
    """Python, the packages needed, their conflicts, the scratch folder, and every runtime."""
    yield Finding("python", "ok", platform.python_version())
    for package, module in NEEDED.items():
        yield _package(package, module)
    yield from _conflicts()
    yield _scratch()
    yield from _cuda()
    yield from _runtimes()


def _package(package: str, module: str) -> Finding:
    """Imported in a process of its own: a broken binary may take its process with it."""
    program, fix = f"import {module}", f"pip install --force-reinstall {package}"
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(package, "problem", f"importing {module} takes more than {IMPORT_SECONDS} s", fix)
    if done.returncode < 0:
        return Finding(package, "problem", f"importing {module} dies with signal {-done.returncode}", fix)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it cannot be imported"])[-1]
        return Finding(package, "problem", last, fix)
    return Finding(package, "ok", _version(package, module))


def _version(package: str, module: str) -> str:
    """onnxruntime comes in several packages with one module, so the package's name is not always known."""
    owners = importlib.metadata.packages_distributions().get(module.partition(".")[0], [])
    for name in (package, *owners):
        try:
            return importlib.metadata.version(name) + ("" if name == package else f" ({name})")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "version unknown"


def _conflicts() -> Iterator[Finding]:
    from onnxconv.runtimes import conflicts

    for conflict in conflicts():
        yield Finding("packages", "problem", f"{conflict.what}: {conflict.why}", conflict.fix)


def _cuda() -> Iterator[Finding]:
    """What the CUDA provider needs; looked for in a process of its own, since libraries stay loaded."""
    program = "import json; from onnxconv.runtimes.gpu import pieces; print(json.dumps(list(pieces())))"
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=IMPORT_SECONDS, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError):
        found = [("CUDA provider", "looking for CUDA's libraries ended the process that did so", "see nvidia-smi")]
    for subject, told, fix in found:
        yield Finding(subject, "note" if fix else "ok", told, fix)


def _scratch() -> Finding:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"\0")
    except OSError as reason:
        return Finding(
            "scratch folder", "problem", str(reason), "make space, or let TMPDIR name a folder that can be written"
        )
    return Finding("scratch folder", "ok", "can be written")


def _runtimes() -> Iterator[Finding]:
    from onnxconv.runtimes import Absent, statuses

    for name, state in statuses().items():
        if isinstance(state, Absent):
            yield Finding(f"runtime {name}", "problem" if name in NEEDED_RUNTIMES else "note", state.reason, state.fix)
        else:
            yield Finding(f"runtime {name}", "ok", state.version)
