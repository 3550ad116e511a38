"""Running a bundle's own check, in its own folder, by its own program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxconv.embed.bundle import CHECKED
from onnxconv.embed.target import Target
from onnxconv.files import whole_files

__all__ = ["STATUS", "Checked", "check", "keep"]

STATUS = ("pass", "fail", "not_run")
"""What a status means."""
TIMED = ("loaded", "ran")


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check. `status`: 0 right, 1 wrong or changed, 2 could not run. `said`: what the program printed."""

    status: int
    said: str

    @property
    def start_up(self) -> dict[str, float | None]:
        """Milliseconds to load the model, the runtime too, and to run it the first time; None where the program does not say."""
        loaded, ran = (re.search(rf"^model: .*?{word} in ([0-9.]+) ms", self.said, re.MULTILINE) for word in TIMED)
        return {"load_ms": loaded and float(loaded[1]), "first_run_ms": ran and float(ran[1])}


def keep(folder: Path, found: Checked) -> None:
    """Write what a check came to into ``check.json``, which is none of the bundle's own files."""
    told = {"status": STATUS[found.status], "start_up": found.start_up, "said": found.said}
    with whole_files(folder / CHECKED) as (stream,):
        stream.write((json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())


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
