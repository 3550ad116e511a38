"""Running a bundle's own check, in its own folder, by its own program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxconv.embed.target import Target

__all__ = ["Checked", "check"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check. `status`: 0 right, 1 wrong or changed, 2 could not run. `said`: what the program printed."""

    status: int
    said: str


def check(folder: Path, target: Target, *, timeout: float = 600.0) -> Checked:
    """Run the check of a bundle; `timeout` in seconds. A status that no check has, such as a crash, is 1.

    The program finds this interpreter in the variable PYTHON of its environment.
    """
    lacking = target.missing()
    if lacking:
        return Checked(2, "".join(f"{need.what} is missing\n    fix: {need.fix}\n" for need in lacking))
    command = [part.format(python=sys.executable) for part in target.check]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as absent:
        return Checked(2, f"{_line(command)}: {absent.strerror}\n")
    except subprocess.TimeoutExpired as late:
        return Checked(
            2, f"{_line(command)}: not done after {timeout:g} s\n{(late.output or b'').decode(errors='replace')}"
        )
    said = done.stdout.decode(errors="replace")
    if done.returncode in (0, 1, 2):
        return Checked(done.returncode, said)
    return Checked(1, f"{said}{_line(command)} ended with status {done.returncode}\n")


def _line(command: Sequence[str]) -> str:
    return " ".join(command)
