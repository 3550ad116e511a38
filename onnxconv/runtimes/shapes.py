"""A model's inputs and outputs, and models whose sizes are all numbers, for runtimes that know no others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxconv.runtimes.protocol import Array

Shapes = dict[str, tuple[int, ...]]
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs by name, in the model's order, with their sizes: None where it is not a number."""

    inputs: dict[str, tuple[int | None, ...]]
    outputs: dict[str, tuple[int | None, ...]]

    @property
    def fixed(self) -> Shapes | None:
        """The shapes of all inputs, if they are numbers."""
        shapes = {name: tuple(n for n in shape if n is not None) for name, shape in self.inputs.items()}
        return shapes if all(len(shapes[name]) == len(shape) for name, shape in self.inputs.items()) else None


def signature(model_path: str) -> Signature:
    """What a model declares; weights that are listed among its inputs are none."""
    import onnx

    graph = onnx.load(model_path, load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: _sizes(value) for value in graph.input if value.name not in weights}
    return Signature(inputs, {value.name: _sizes(value) for value in graph.output})


def sized(model_path: str, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """The model with inputs of these shapes, and every size that follows from them, its weights in memory."""
    import onnx

    model = onnx.load(model_path)
    for value in model.graph.input:
        for axis, n in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            axis.dim_value = n
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


class BySize:
    """A model made ready anew for every set of input shapes, of which the last is kept.

    `ready(file, folder)`: how a model of fixed sizes is made ready; both are its own until the next one.
    """

    def __init__(self, model_path: str, ready: Callable[[Path, Path], Run]) -> None:
        self.model_path, self.ready = model_path, ready
        self._shapes: Shapes | None = None
        self._run: Run | None = None
        shapes = signature(model_path).fixed
        if shapes is not None:
            self.prepare(shapes)

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        self.prepare({name: array.shape for name, array in inputs.items()})
        assert self._run is not None, "a model was made ready"
        return self._run(inputs)

    def prepare(self, shapes: Shapes) -> None:
        """Make the model ready for inputs of these shapes, unless it is."""
        if self._run is not None and shapes == self._shapes:
            return
        import onnx

        self._run = self._shapes = None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            onnx.save(sized(self.model_path, shapes), file)
            self._run = self.ready(file, Path(folder))
        self._shapes = shapes


def _sizes(value: Any) -> tuple[int | None, ...]:
    return tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in value.type.tensor_type.shape.dim)
