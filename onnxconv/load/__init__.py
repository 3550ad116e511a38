"""An ONNX model as a graph and its weights, every default filled in and every padding an integer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnxconv.errors import ModelError
from onnxconv.graph import Graph
from onnxconv.load.file import message, refuse
from onnxconv.load.functions import without_functions
from onnxconv.load.inference import Inference
from onnxconv.load.inputs import inputs_of
from onnxconv.load.layers import READERS
from onnxconv.load.walk import Walk
from onnxconv.ops import Shape
from onnxconv.weights import Weights, given

__all__ = ["READERS", "load"]


def load(
    path: str | Path, *, input_shapes: Mapping[str, Shape] | None = None, partial: bool = False, seed: int = 0
) -> tuple[Graph, Weights]:
    """Read an ONNX model, with external data if it has any. Shapes are derived anew, not taken from the file.

    `input_shapes`: sizes for those that the inputs leave open. `partial`: what is not understood is opaque or unread in
    the graph; else it raises `ModelError`, with a diagnostic for each such node. A file that is not a valid model raises
    it in any case, and shapes that contradict the model raise `UsageError`. Weights that are inputs of the model are
    drawn from `seed`.
    """
    file = Path(path)
    try:
        model = without_functions(message(file), file)
        inputs = inputs_of(model, file, input_shapes or {})
        with Inference() as inference:
            walk = Walk(model, file, inputs, inference, partial=partial)
            graph = walk.whole()
    except UnicodeDecodeError as reason:
        raise refuse(file, "not-onnx", "it holds text that is not UTF-8", "", "export it again") from reason
    if walk.lost.refused and not partial:
        raise ModelError(walk.lost.refused)
    assert partial or not graph.unread, "what is unread was refused"
    return graph, given(walk.out.arrays, drawn=inputs.weights, seed=seed)
