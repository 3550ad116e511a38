"""Files that a runtime's own converter makes, in a process of its own: it may be slow to load, and may crash."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from onnxconv.embed.target import CHECKING, Need
from onnxconv.errors import Diagnostic, NotAvailable, UsageError, Where

__all__ = ["COMPILE", "SOURCES", "compiling", "converted", "pin"]

COMPILE = Path(__file__).parent / "compile"
"""``compile.py``, which calls `compiled` of the ``compiler.py`` beside it on each model."""

SOURCES = (*CHECKING, "*.onnx", "*.onnx.data", "compile*.py")
"""What a product does without where the model is another file, made of ``model.onnx``."""


def compiling(title: str, needs: Sequence[Need], compiler: str, runtime: str) -> Callable[[Path, dict[str, Any]], None]:
    """How to convert by ``compile.py``, with the versions of the two packages written down; see `converted`."""

    def convert(folder: Path, facts: dict[str, Any]) -> None:
        facts["compiled"] = json.loads(converted(folder, title, needs, sys.executable, "-B", "compile.py"))
        facts["made_with"][compiler] = version(compiler)
        pin(folder, f"{runtime}=={version(runtime)}")

    return convert


def converted(folder: Path, title: str, needs: Sequence[Need], *command: str) -> str:
    """What a program prints that makes files in the folder.

    Raises `NotAvailable` without one of the needs, `UsageError` for a model that the program does not take.
    """
    for need in needs:
        if need.missing():
            raise NotAvailable(Diagnostic(Where(), "converter", f"{need.what} is missing", "", need.fix))
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise UsageError(Diagnostic(Where(), "target", f"{title} does not convert this model: {said[-1]}"))
    return done.stdout


def pin(folder: Path, package: str) -> None:
    """Write ``requirements.txt`` for a check in Python."""
    (folder / "requirements.txt").write_text(f"numpy>=1.26\n{package}\n", encoding="utf-8")
