"""The inputs of an ONNX model: tensors, and weights that are left open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from onnxconv.dtypes import FLOATS, numpy_dtype
from onnxconv.errors import Diagnostic, Refusal, Where
from onnxconv.geometry import Size, evaluated, names
from onnxconv.graph import TensorType
from onnxconv.load.branch import captured
from onnxconv.load.declared import declared
from onnxconv.load.step import Constant
from onnxconv.ops import Shape
from onnxconv.resolve.open import opened

__all__ = ["Inputs", "inputs_of"]

WEIGHTS = {
    "BatchNormalization": (1, 2, 3, 4),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "PRelu": (1,),
}
"""By ONNX operator: the inputs that are weights."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model is given. `weights`: inputs that nodes read as their weights, with zeros in place of numbers.

    `lost`: inputs whose type is not known, `refused` what is to be said about them.
    `symbols`: sizes given for open ones. `pin`: how to give them.
    """

    tensors: Mapping[str, TensorType]
    weights: Mapping[str, Constant]
    lost: Mapping[str, str]
    refused: tuple[Diagnostic, ...]
    symbols: Mapping[str, Size]
    pin: str


def inputs_of(model: onnx.ModelProto, file: Path, shapes: Mapping[str, Shape]) -> Inputs:
    """The inputs, with the sizes in `shapes` for those left open. Raises `UsageError` where these contradict the model."""
    held = {tensor.name for tensor in model.graph.initializer}
    held |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    types: dict[str, TensorType] = {}
    lost: dict[str, str] = {}
    refused: list[Diagnostic] = []
    for value in model.graph.input:
        if value.name in held:
            continue
        try:
            types[value.name] = declared(value.type, value.name, {}, "input")
        except Refusal as reason:
            lost[value.name] = reason.what
            refused.append(reason.at(Where(str(file))))
    weights = dict(_weights(model.graph, types))
    tensors = {name: type for name, type in types.items() if name not in weights}
    symbols = opened(tuple(tensors.items()), shapes, str(file))
    pinned = {
        name: replace(type, shape=tuple(evaluated(n, symbols) for n in type.shape)) for name, type in tensors.items()
    }
    return Inputs(pinned, weights, lost, tuple(refused), symbols, _pin(pinned))


def _weights(graph: onnx.GraphProto, types: Mapping[str, TensorType]) -> Iterator[tuple[str, Constant]]:
    """Inputs of a fixed shape that are read as weights and as nothing else."""
    plain = {name for node in graph.node for name in captured(node)} | {value.name for value in graph.output}
    used: set[str] = set()
    for node in graph.node:
        places = WEIGHTS.get(node.op_type, ())
        for index, name in enumerate(node.input):
            (used if index in places else plain).add(name)
    for name in types:
        type = types[name]
        if name in used - plain and type.dtype in FLOATS and all(isinstance(n, int) for n in type.shape):
            shape = tuple(int(n) for n in type.shape)
            yield name, Constant(name, np.broadcast_to(np.zeros((), numpy_dtype(type.dtype)), shape))


def _pin(inputs: Mapping[str, TensorType]) -> str:
    """How to give numbers for the sizes that are open."""
    said = [
        f"--input-shape {name}={','.join(map(str, type.shape))}"
        for name, type in inputs.items()
        if any(isinstance(n, str) for n in type.shape)
    ]
    open = dict.fromkeys(name for type in inputs.values() for n in type.shape for name in sorted(names(n)))
    return f"write a number for {', '.join(open)}: {' '.join(said)}" if said else ""
