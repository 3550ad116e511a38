"""Target `ort-c`: onnxruntime in C, by its shared library."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onnxconv.embed.target import Need, Obstacle, Target
from onnxconv.embed.targets.shared import C_TYPES, C, compiler, golden_text
from onnxconv.graph import Graph

__all__ = ["TARGET"]


def obstacles(graph: Graph) -> Iterator[Obstacle]:
    """The check compares numbers of C's own types."""
    types = graph.types()
    for name in (*(name for name, _ in graph.inputs), *graph.outputs):
        if types[name].dtype not in C_TYPES:
            yield Obstacle("", f"has no type for {types[name].dtype}, which {name!r} has")


def convert(folder: Path, _: dict[str, Any]) -> None:
    golden_text(folder)


TARGET = Target(
    name="ort-c",
    title="onnxruntime in C",
    language="C",
    files=(C, Path(__file__).parent / "files"),
    check=("sh", "check.sh"),
    needs=(
        Need("onnxruntime", "pip install onnxruntime", module="onnxruntime"),
        Need("a C compiler", "apt install gcc", found=compiler),
        Need("make", "apt install make", program="make"),
    ),
    limits=("checked on onnxruntime's CPU provider, on Linux",),
    obstacles=obstacles,
    convert=convert,
)
