"""What several targets share: checks in one language, and what they cannot take."""

from collections.abc import Iterator
from pathlib import Path

from onnxconv.embed.target import Obstacle
from onnxconv.graph import Graph

__all__ = ["PYTHON", "fixed_sizes"]

PYTHON = Path(__file__).parent / "python"
"""``check.py``, which runs the class `Model` of ``model.py``, and the ``interface.py`` of both."""


def fixed_sizes(graph: Graph) -> Iterator[Obstacle]:
    """Every input must have numbers for sizes."""
    for name, type in graph.inputs:
        if not all(isinstance(n, int) for n in type.shape):
            shape = ", ".join(map(str, type.shape))
            yield Obstacle("", f"takes fixed sizes only, and input {name!r} is [{shape}]", "fixed-sizes")
