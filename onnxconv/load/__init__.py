"""An ONNX model as a graph and its weights, every default filled in and every padding an integer."""

from __future__ import annotations

from pathlib import Path

from onnxconv.errors import ModelError
from onnxconv.graph import Graph
from onnxconv.load.file import check, message, refuse
from onnxconv.load.layers import READERS
from onnxconv.load.walk import Walk, unknown_operators
from onnxconv.weights import Weights, given

__all__ = ["READERS", "load"]


def load(path: str | Path) -> tuple[Graph, Weights]:
    """Read an ONNX model, with external data if it has any. Shapes are derived anew, not taken from the file.

    Raises `ModelError` for a file that is not a valid model, and for operators or attributes that are not understood.
    """
    file = Path(path)
    try:
        model = message(file)
        unknown = unknown_operators(model, file)
        if unknown:
            raise ModelError(unknown)
        if model.graph.sparse_initializer:
            raise refuse(file, "sparse", "it has sparse initializers", "weights are dense tensors")
        walk = Walk(model, file)
        check(model, file)
        graph = walk.whole()
    except UnicodeDecodeError as reason:
        raise refuse(file, "not-onnx", "it holds text that is not UTF-8", "", "export it again") from reason
    return graph, given(walk.arrays)
