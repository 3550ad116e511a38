"""A model as its author wrote it, in a runtime that shares nothing with our reading of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from onnxconv.dtypes import numpy_dtype
from onnxconv.errors import OnnxconvError
from onnxconv.graph import Graph, Param
from onnxconv.load import load
from onnxconv.load.file import message
from onnxconv.runtimes import RuntimeAbsent
from onnxconv.runtimes.external import external_files
from onnxconv.verify.case import Bench
from onnxconv.verify.words import Array
from onnxconv.weights import Weights

__all__ = ["Original"]


class Original(Bench):
    """A runtime's worker that is given the author's file instead of a model that we emit: probes then judge our reading.

    Tensors are made outputs of it, and its weights replaced, in the file itself; its nodes stay as they are.
    """

    def __init__(self, file: Path, weights: Weights, runtime: str, timeout: float, options: Mapping[str, str]) -> None:
        super().__init__(runtime, timeout, options)
        self._file, self._own = file, weights
        self.shown: frozenset[str] = frozenset()
        """Tensors that the model loaded last puts out; what is inside of a function, or a part of a node, is not."""

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        """Load the file, with other weights unless they are its own.

        Raises `RuntimeFailed`; `RuntimeAbsent` where other weights have no place in the file.
        """
        model = message(self._file)
        if weights is not self._own:
            _replace_weights(model, graph, weights)
        made = {name for node in model.graph.node for name in node.output}
        self.shown = frozenset(made.intersection(node.output for node in graph.nodes))
        if every_tensor:
            _show(model, graph, self.shown)
        self._path.write_bytes(model.SerializeToString())
        for location in external_files(self._file):
            (self._path.parent / location).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._file.parent / location, self._path.parent / location)
        if weights is not self._own:
            _demand_meaning(self._path, graph, weights)
        self.loaded(self._worker.load(self._path))


def _show(model: onnx.ModelProto, graph: Graph, shown: frozenset[str]) -> None:
    """Make these tensors outputs of the model."""
    types, already = graph.types(), {value.name for value in model.graph.output}
    for name in (node.output for node in graph.nodes if node.output in shown and node.output not in already):
        number = onnx.helper.np_dtype_to_tensor_dtype(numpy_dtype(types[name].dtype))
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, number, None))


def _replace_weights(model: onnx.ModelProto, graph: Graph, weights: Weights) -> None:
    """Put these weights where the file holds its own: in an initializer, or in place of a node that makes a constant."""
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    for param in graph.params():
        array, name = weights[param], param.name
        if name not in held and name not in makers:
            name, array = _before(param, array, held)
        if name in makers:
            model.graph.node.remove(makers[name])
            held[name] = model.graph.initializer.add()
        held[name].CopyFrom(onnx.numpy_helper.from_array(np.array(array, order="C"), name))


def _before(param: Param, array: Array, held: Mapping[str, onnx.TensorProto]) -> tuple[str, Array]:
    """The initializer that a weight was transposed or reshaped from, and the array to put there."""
    name = param.name.rpartition(".")[0]
    if name in held:
        shape = tuple(held[name].dims)
        if shape == array.shape[::-1] and param.name.startswith(f"{name}.T"):
            return name, array.T
        if np.prod(shape) == array.size:
            return name, array.reshape(shape)
    raise RuntimeAbsent(f"the weight {param.name!r} is not stored in the model as it is used")


def _demand_meaning(path: Path, graph: Graph, weights: Weights) -> None:
    """Raise `RuntimeAbsent` unless the changed file reads as the same graph with these weights."""
    try:
        again, arrays = load(path, input_shapes={name: type.shape for name, type in graph.inputs})
    except OnnxconvError as error:
        raise RuntimeAbsent(f"with other weights the model does not read: {error.diagnostics[0].what}") from error
    mine = {param.name: param for param in again.params()}
    same = [node.op for node in again.nodes] == [node.op for node in graph.nodes] and all(
        param.name in mine and np.array_equal(arrays[mine[param.name]], weights[param]) for param in graph.params()
    )
    if not same:
        raise RuntimeAbsent("weights of the model are used in several ways, so that others cannot take their place")
