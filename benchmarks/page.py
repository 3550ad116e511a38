"""What the pages that benchmarks write have in common."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxconv.runtimes import Absent, Available

__all__ = ["hand_out", "processor", "ran", "versions"]


def ran(command: str, more: str = "") -> list[str]:
    """The command, the date and the machine."""
    return [
        f"    {command}",
        "",
        f"on {datetime.date.today()}, {platform.machine()} with {os.cpu_count()} processors.{more}",
        "",
    ]


def processor() -> str:
    """The model that Linux tells, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def versions(states: Mapping[str, Available | Absent]) -> list[str]:
    """A table of runtimes, with the reason where one is absent."""
    from onnxconv.runtimes import Absent

    rows = [
        f"| `{name}` | {state.reason if isinstance(state, Absent) else state.version} |"
        for name, state in states.items()
    ]
    return ["| runtime | version |", "|---|---|", *rows]


def hand_out(lines: list[str], path: Path | None) -> None:
    """To the file, or to standard output."""
    text = "\n".join(lines)
    if path:
        path.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
