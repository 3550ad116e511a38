"""Target `ncnn`: ncnn in Python, converted by pnnx."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from onnxconv.embed.target import CHECKING, Need, Obstacle, Target
from onnxconv.embed.targets.shared import PYTHON, fixed_sizes
from onnxconv.errors import Diagnostic, NotAvailable, UsageError, Where
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph, Node
from onnxconv.ops import AveragePool, ConvTranspose, LayerNorm, MaxPool, Softmax
from onnxconv.runtimes import RuntimeAbsent
from onnxconv.runtimes.engines.ncnn import converter

__all__ = ["TARGET"]


def obstacles(graph: Graph) -> Iterator[Obstacle]:
    yield from fixed_sizes(graph)
    types = graph.types()
    for name in (*(name for name, _ in graph.inputs), *graph.outputs):
        shape = types[name].shape
        if not shape or (isinstance(shape[0], int) and shape[0] != 1):
            yield Obstacle("", f"runs one image at a time, and {name!r} has the shape {list(shape)}")
        if types[name].dtype != "float32":
            yield Obstacle("", f"takes float32, and {name!r} is {types[name].dtype}")
    for node in graph.nodes:
        yield from _layer(node, len(node.type.shape))


def _layer(node: Node, rank: int) -> Iterator[Obstacle]:
    """What pnnx has no layer of ncnn for, or ncnn computes otherwise (seen with versions of October 2026)."""
    match node.op:
        case Softmax(axis=axis) if axis != rank - 1:
            yield Obstacle(node.name, "takes softmax along the last axis alone, whatever a model says")
        case LayerNorm() if rank > 2:
            yield Obstacle(node.name, "normalises other numbers together than this layer does")
        case ConvTranspose(window=window) if _lopsided(window):
            yield Obstacle(node.name, "has no transposed convolution that crops its ends differently", "explicit-pads")
        case MaxPool(window=window) if _lopsided(window):
            yield Obstacle(node.name, "pads both ends of a max pool alike", "explicit-pads")
        case MaxPool(window=window) if any(a.dilation > 1 for a in window):
            yield Obstacle(node.name, "has no max pool with dilation", "max-of-slices")
        case AveragePool(window=window) if _lopsided(window) or any(a.dilation > 1 for a in window):
            yield Obstacle(
                node.name, "has no such average pool, with dilation or ends padded differently", "sums-for-averages"
            )


def _lopsided(window: Sequence[Axis | TransposedAxis]) -> bool:
    return any(a.pad[0] != a.pad[1] for a in window)


def convert(folder: Path, _: dict[str, Any]) -> None:
    """``.ncnn.param`` and ``.ncnn.bin`` beside each model, which stays: it is what they were made of."""
    try:
        program = converter()
    except RuntimeAbsent as absent:
        raise NotAvailable(Diagnostic(Where(), "converter", absent.reason, "", absent.fix)) from absent
    for file in sorted(folder.glob("*.onnx")):
        before = set(folder.iterdir())
        done = subprocess.run([program, file.name, "fp16=0"], cwd=folder, capture_output=True, text=True, check=False)
        kept = {file.with_suffix(ending) for ending in (".ncnn.param", ".ncnn.bin")}
        for made in set(folder.iterdir()) - before - kept:
            made.unlink()
        if done.returncode or not all(path.exists() for path in kept):
            raise UsageError(
                Diagnostic(Where(), "target", f"pnnx does not convert this model: status {done.returncode}")
            )
        _demand_known(file.with_suffix(".ncnn.param"))


def _demand_known(described: Path) -> None:
    """Raises `UsageError` with every layer that pnnx has no layer of ncnn for."""
    if importlib.util.find_spec("ncnn") is None:
        return
    import ncnn

    lines = described.read_text(encoding="utf-8").splitlines()[2:]
    foreign = dict.fromkeys(
        line.split()[0] for line in lines if line.strip() and ncnn.layer_to_index(line.split()[0]) < 0
    )
    if foreign:
        raise UsageError(Diagnostic(Where(), "target", f"ncnn has no layer {kind!r}") for kind in foreign)


TARGET = Target(
    name="ncnn",
    title="ncnn in Python",
    language="Python",
    files=(PYTHON, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(
        Need("ncnn", "pip install ncnn", module="ncnn"),
        Need("pnnx", "pip install --no-deps pnnx", module="pnnx", converts=True),
        Need("NumPy", "pip install numpy", module="numpy"),
    ),
    precision={
        "use_fp16_*": "off",
        "use_bf16_*": "off",
        "use_int8_*": "off",
        "use_winograd_*": "off",
        "pnnx": "fp16=0",
    },
    limits=("one image at a time", "checked without Winograd and float16, which ncnn uses unless it is told"),
    checking=(*CHECKING, "model.onnx"),
    obstacles=obstacles,
    convert=convert,
)
