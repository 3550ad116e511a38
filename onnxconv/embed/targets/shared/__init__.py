"""What several targets share: checks in one language, and what they cannot take."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from onnxconv.embed.target import Need, Obstacle
from onnxconv.graph import Graph

__all__ = [
    "C_TOOLS",
    "C_TYPES",
    "DLOPEN",
    "JAVASCRIPT",
    "LIBRARY",
    "PYTHON",
    "C",
    "browser",
    "c_arrays",
    "compiler",
    "cxx_compiler",
    "fixed_sizes",
    "golden_text",
    "node_package",
    "with_golden_text",
]

PYTHON = Path(__file__).parent / "python"
"""``check.py``, which runs the class `Model` of ``model.py``, and the ``interface.py`` of both."""

JAVASCRIPT = Path(__file__).parent / "js"
"""``session.mjs``, what a session takes and gives, and ``compare.mjs``, the check, for browsers and for Node.js."""

C = Path(__file__).parent / "c"
"""Golden vectors and SHA-256 in C; they read what `golden_text` writes."""

LIBRARY = Path(__file__).parent / "library"
"""``check.sh`` for programs that are built with a runtime, of which ``library.sh`` tells where it is."""

DLOPEN = (C, LIBRARY, Path(__file__).parent / "dlopen")
"""A check in C of a ``model.c`` that opens a runtime's shared library."""

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "bool": "_Bool",
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""C's types of what a model may take and give."""

MOST_ARRAYS, MOST_AXES, LONGEST_NAME = 64, 8, 255
"""What ``check.h`` has room for."""


def golden_text(folder: Path) -> None:
    """``golden/golden.txt`` and ``sets.txt``: ``golden.json`` for languages that do not read JSON, a line for each array."""
    sets = json.loads((folder / "golden" / "golden.json").read_text(encoding="utf-8"))["sets"]
    lines = []
    for one in sets:
        lines.append(f"set {one['name']} {one['model']}")
        for word in ("input", "output"):
            for entry in one[f"{word}s"]:
                shape = " ".join(map(str, [len(entry["shape"]), *entry["shape"]]))
                tolerance = f"{entry.get('tolerance', 0)!r} {entry.get('basis', 'none')}"
                lines.append(f"{word} {entry['dtype']} {tolerance} {entry['file']} {shape} {entry['name']}")
    (folder / "golden" / "golden.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "golden" / "sets.txt").write_text("".join(f"{one['name']}\n" for one in sets), encoding="utf-8")


def with_golden_text(folder: Path, _: dict[str, Any]) -> None:
    """What to convert where a check is in C, and the models stay as they are."""
    golden_text(folder)


def c_arrays(graph: Graph) -> Iterator[Obstacle]:
    """What `golden_text` cannot tell, or ``golden.c`` has no room for."""
    types = graph.types()
    for what, names in (("inputs", [name for name, _ in graph.inputs]), ("outputs", list(graph.outputs))):
        if len(names) > MOST_ARRAYS:
            yield Obstacle("", f"is checked with at most {MOST_ARRAYS} {what}, and the model has {len(names)}")
        for name in names:
            type = types[name]
            if type.dtype not in C_TYPES:
                yield Obstacle("", f"has no type for {type.dtype}, which {name!r} has")
            if not name.isprintable() or name != name.strip() or len(name.encode()) > LONGEST_NAME:
                yield Obstacle("", f"is checked with names of one line and {LONGEST_NAME} bytes, and {name!r} is none")
            if len(type.shape) > MOST_AXES:
                yield Obstacle(
                    "", f"is checked on tensors of at most {MOST_AXES} axes, and {name!r} has {len(type.shape)}"
                )


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


def cxx_compiler() -> bool:
    """A C++ compiler that make finds."""
    return any(map(shutil.which, ("c++", "g++", "clang++")))


C_TOOLS = (
    Need("a C compiler", "apt install gcc", found=compiler),
    Need("make", "apt install make", program="make"),
)
"""What compiles a check."""
