"""The command line, called in this process or in a shell of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from onnxconv.cli import commands

ROOT = Path(__file__).parents[2]

NET = """\
name: net
parameters: {classes: 10}
inputs: {x: "float32[N, 3, 16, 16]"}
layers:
  - conv: {filters: 4, kernel: 3, stride: 2, pad: 1}
    name: stem
  - relu
  - global_average_pool
  - flatten
  - dense: classes
    name: y
"""
OPEN = 'name: open\ninputs: {x: "float32[N, 3, H, W]"}\nlayers: [{conv: {filters: 4, kernel: 3}, name: y}]\n'
"""A spec with open sizes."""
BAD = 'inputs: {x: "float32[N, 64, 8, 8]"}\nlayers: [{conv: {filters: 8, kernel: 3, group: 3}}]\n'
"""64 channels in 3 groups."""

WRONG = """\
import onnxruntime

def prepare(model_path):
    session = onnxruntime.InferenceSession(model_path)
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: {name: y + 1 for name, y in zip(names, session.run(None, inputs))}
"""
"""A runtime of one's own whose outputs are off by one."""


def call(*arguments: str, input: str | bytes | None = None, **settings: Any) -> Result:
    """A command in this process; `stdout`, `stderr` and `exit_code` of what happened."""
    return CliRunner().invoke(commands, list(arguments), input=input, **settings)


def shell(*arguments: str, cwd: Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    return subprocess.run(
        line(*arguments), cwd=cwd, capture_output=True, text=True, check=False, timeout=120, **settings
    )


def line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "onnxconv", *arguments]
