"""Target `iree`: IREE in Python, compiled by LLVM."""

from collections.abc import Iterator
from pathlib import Path

from onnxconv.embed.target import Need, Obstacle, Target
from onnxconv.embed.targets.shared import PYTHON, fixed_sizes
from onnxconv.embed.targets.shared.compiled import COMPILE, SOURCES, compiling
from onnxconv.graph import Graph
from onnxconv.ops import ConvTranspose

__all__ = ["TARGET"]

COMPILER = Need("IREE's compiler", "pip install 'onnxconv[iree]'", module="iree.compiler", converts=True)


def obstacles(graph: Graph) -> Iterator[Obstacle]:
    yield from fixed_sizes(graph)
    for node in graph.nodes:
        if isinstance(node.op, ConvTranspose) and any(axis.pad[0] != axis.pad[1] for axis in node.op.window):
            yield Obstacle(node.name, "has no transposed convolution that crops its ends differently", "explicit-pads")


TARGET = Target(
    name="iree",
    title="IREE in Python",
    language="Python",
    files=(PYTHON, COMPILE, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(
        COMPILER,
        Need("IREE's runtime", "pip install 'onnxconv[iree]'", module="iree.runtime"),
        Need("NumPy", "pip install numpy", module="numpy"),
    ),
    limits=(
        "compiled for one kind of processor; the bytes are the same as long as the versions of iree-base-compiler and onnx are",
        "subnormal numbers are flushed to 0",
    ),
    checking=SOURCES,
    obstacles=obstacles,
    convert=compiling("IREE", (COMPILER,), "iree-base-compiler", "iree-base-runtime"),
)
