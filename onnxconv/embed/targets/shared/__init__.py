"""What several targets share: checks in one language, and what they cannot take."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from onnxconv.embed.target import Obstacle
from onnxconv.graph import Graph

__all__ = ["C_TYPES", "PYTHON", "C", "browser", "compiler", "fixed_sizes", "golden_text", "node_package"]

PYTHON = Path(__file__).parent / "python"
"""``check.py``, which runs the class `Model` of ``model.py``, and the ``interface.py`` of both."""

C = Path(__file__).parent / "c"
"""Golden vectors and SHA-256 in C; they read what `golden_text` writes."""

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "bool": "_Bool",
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""C's types of what a model may take and give."""


def golden_text(folder: Path) -> None:
    """``golden/golden.txt`` and ``sets.txt``: ``golden.json`` for languages that do not read JSON, a line for each array."""
    sets = json.loads((folder / "golden" / "golden.json").read_text(encoding="utf-8"))["sets"]
    lines = []
    for one in sets:
        lines.append(f"set {one['name']} {one['model']}")
        for word in ("input", "output"):
            for entry in one[f"{word}s"]:
                shape = " ".join(map(str, [len(entry["shape"]), *entry["shape"]]))
                numbers = f"{entry['dtype']} {entry.get('tolerance', 0)!r} {entry['file']} {shape}"
                lines.append(f"{word} {numbers} {entry['name']}")
    (folder / "golden" / "golden.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "golden" / "sets.txt").write_text("".join(f"{one['name']}\n" for one in sets), encoding="utf-8")


def fixed_sizes(graph: Graph) -> Iterator[Obstacle]:
    """Every input must have numbers for sizes."""
    for name, type in graph.inputs:
        if not all(isinstance(n, int) for n in type.shape):
            shape = ", ".join(map(str, type.shape))
            yield Obstacle("", f"takes fixed sizes only, and input {name!r} is [{shape}]", "fixed-sizes")


def node_package(name: str) -> Callable[[], bool]:
    """Whether Node.js finds a package: in a folder above, or by NODE_PATH."""

    def found() -> bool:
        try:
            asked = subprocess.run(["node", "-e", f"require.resolve({name!r})"], capture_output=True, check=False)
        except FileNotFoundError:
            return False
        return asked.returncode == 0

    return found


def browser() -> bool:
    """A browser that the check can start."""
    return any(map(shutil.which, (os.environ.get("CHROMIUM") or "chromium", "chromium-browser", "google-chrome")))


def compiler() -> bool:
    """A C compiler that make finds."""
    return any(map(shutil.which, ("cc", "gcc", "clang")))
