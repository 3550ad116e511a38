"""Target `opencv`: OpenCV in Python."""

from collections.abc import Iterator
from pathlib import Path

from onnxconv.embed.target import Need, Obstacle, Target
from onnxconv.embed.targets.shared import PYTHON, fixed_sizes
from onnxconv.graph import Graph
from onnxconv.ops import GlobalAveragePool, GlobalMaxPool

__all__ = ["TARGET"]


def obstacles(graph: Graph) -> Iterator[Obstacle]:
    yield from fixed_sizes(graph)
    types = graph.types()
    for node in graph.nodes:
        if isinstance(node.op, GlobalAveragePool | GlobalMaxPool) and len(types[node.inputs[0]].spatial) > 2:
            yield Obstacle(node.name, "has no pool over all positions of a volume", "windowed-global-pools")


TARGET = Target(
    name="opencv",
    title="OpenCV in Python",
    language="Python",
    files=(PYTHON, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(
        Need("OpenCV 5", "pip install opencv-python-headless", module="cv2"),
        Need("NumPy", "pip install numpy", module="numpy"),
    ),
    limits=("checked on OpenCV's own CPU engine",),
    obstacles=obstacles,
)
