"""Target `litert`: LiteRT in Python, converted by onnx2tf."""

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from onnxconv.embed.target import Need, Obstacle, Target
from onnxconv.embed.targets.shared import PYTHON, fixed_sizes
from onnxconv.embed.targets.shared.compiled import SOURCES, converted, pin
from onnxconv.graph import Graph
from onnxconv.ops import AveragePool, Conv, ConvTranspose, MaxPool

__all__ = ["TARGET"]

INSTALL = "pip install 'onnxconv[litert]', in a virtual environment of its own"
RUNTIME = Need("LiteRT", INSTALL, module="ai_edge_litert", converts=True)
CONVERTER = Need("onnx2tf", f"{INSTALL}, of Python 3.12 or later", module="onnx2tf", converts=True)


def obstacles(graph: Graph) -> Iterator[Obstacle]:
    """What onnx2tf 2.6.9 refuses, or leaves to an operator that LiteRT has not."""
    yield from fixed_sizes(graph)
    types = graph.types()
    for node in graph.nodes:
        match node.op:
            case MaxPool(window=window) if any(axis.dilation > 1 for axis in window):
                yield Obstacle(node.name, "has no max pool with dilation", "max-of-slices")
            case AveragePool(window=window) if any(axis.dilation > 1 for axis in window):
                yield Obstacle(node.name, "has no average pool with dilation", "sums-for-averages")
            case Conv(window=window, groups=groups) if len(window) == 1 and groups not in (
                1,
                types[node.inputs[0]].shape[1],
            ):
                yield Obstacle(node.name, "has no convolution in groups along one axis", "split-groups")
            case ConvTranspose(window=window, groups=groups) if len(window) == 3 and groups > 1:
                yield Obstacle(node.name, "has no transposed convolution in groups of volumes", "split-groups")


def convert(folder: Path, facts: dict[str, Any]) -> None:
    """``.tflite`` beside each model, and ``layout.json``."""
    converted(folder, "onnx2tf", (RUNTIME, CONVERTER), sys.executable, "-B", "convert.py")
    facts["made_with"]["onnx2tf"] = version("onnx2tf")
    pin(folder, f"ai-edge-litert>={version('ai-edge-litert')}")


TARGET = Target(
    name="litert",
    title="LiteRT in Python",
    language="Python",
    files=(PYTHON, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(RUNTIME, CONVERTER, Need("NumPy", "pip install numpy", module="numpy")),
    precision={"onnx2tf": "the float32 file"},
    limits=(
        "outputs may have their channels last in the file, which model.py puts back",
        "checked on LiteRT's CPU kernels in Python; the bytes are the same as long as the version of onnx2tf is",
    ),
    checking=(*SOURCES, "convert.py"),
    obstacles=obstacles,
    convert=convert,
)
