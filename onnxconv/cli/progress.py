"""How far long work has come: a bar on standard error, on a terminal only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

from onnxconv.cli.output import colourful

__all__ = ["Told", "progress"]

Told: TypeAlias = Callable[[float, float, str], None]
"""(done, total, what is going on)"""


@contextlib.contextmanager
def progress(title: str) -> Iterator[Told | None]:
    """Something to tell about progress, or None where nobody watches. The bar is gone when the block ends."""
    if not colourful(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    parts = (
        TextColumn("{task.fields[title]}"),
        BarColumn(24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, title=title)
        yield lambda done, total, doing: bar.update(task, description=doing, completed=done, total=total)
