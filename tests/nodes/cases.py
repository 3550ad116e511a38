"""ONNX's own test vectors for the operators of convolutional networks, as models and arrays.

The node cases are generated in memory by onnx (`onnx.backend.test.case.node`, one module an operator), from a fixed
seed; the stored ones lie in the wheel as files of opsets 6 to 12, most of them exported from torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case import node as generated

OPERATORS = """
Add And AveragePool BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv ConvInteger ConvTranspose
DeformConv DepthToSpace DequantizeLinear Div Dropout DynamicQuantizeLinear Elu Equal Exp Expand Flatten Gather Gelu
Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity If
InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Loop LpPool LRN MatMul MatMulInteger MaxPool
MaxUnpool Mish Mul Not Or Pad Pow PRelu QLinearConv QLinearMatMul QuantizeLinear ReduceMax ReduceMean ReduceSum Relu
Reshape Resize Scan Shape Sigmoid Slice Softmax Softplus SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Transpose
Unsqueeze Upsample Where Xor
""".split()
"""Those of convolutional networks that onnx has node cases of; it has none of GlobalLpPool."""

STORED = ("pytorch-converted", "pytorch-operator", "simple")
"""Folders of stored cases; of these, the models made of `OPERATORS` alone are taken."""

SETTINGS: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Clip": (1, 2),
    "ConstantOfShape": (0,),
    "Conv": (1, 2),
    "ConvInteger": (1, 2, 3),
    "ConvTranspose": (1, 2),
    "DeformConv": (1, 3),
    "DequantizeLinear": (1, 2),
    "Dropout": (1, 2),
    "Expand": (1,),
    "Gather": (1,),
    "Gemm": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "MaxUnpool": (2,),
    "PRelu": (1,),
    "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7, 8),
    "QuantizeLinear": (1, 2),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceSum": (1,),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
"""Operands that are weights or settings of a layer. The cases give them as inputs of the model; here they become
initializers of the same values. Every other operand, the data, stays an input."""


MODULES = {
    "BatchNormalization": "batch_normalization",
    "And": "and_",
    "GreaterOrEqual": "greater_or_equal",
    "If": "if_",
    "InstanceNormalization": "instance_normalization",
    "LessOrEqual": "less_or_equal",
    "Not": "not_",
    "Or": "or_",
}
"""Modules of node cases that are not called as their operator in lower case."""


@dataclass(frozen=True)
class Case:
    """A model, an array for each of its inputs that is data, and the arrays that it gives."""

    name: str
    model: onnx.ModelProto
    inputs: dict[str, np.ndarray]
    outputs: dict[str, object]
    rtol: float
    atol: float


@cache
def cases(source: str) -> tuple[Case, ...]:
    """The node cases of an operator, also with its node expanded by its function; or those of a stored folder."""
    if source in STORED:
        return tuple(_stored(Path(onnx.__file__).parent / "backend/test/data" / source))
    before = len(generated._NodeTestCases)
    np.random.seed(0)
    with np.errstate(all="ignore"):
        importlib.import_module(f"{generated.__name__}.{MODULES.get(source, source.lower())}")
    found = generated._NodeTestCases[before:]
    assert found, f"onnx {onnx.__version__} has no cases of {source}, or they were generated before"
    settings = {case.name: _settings(case.model) for case in found if "_expanded" not in case.name}
    return tuple(
        _case(case.name, case.model, settings[case.name.split("_expanded")[0]], data, (case.rtol, case.atol))
        for case in found
        for data in case.data_sets
    )


def _settings(model: onnx.ModelProto) -> set[str]:
    return {
        name
        for node in model.graph.node
        for index, name in enumerate(node.input)
        if index in SETTINGS.get(node.op_type, ())
    }


def _case(
    name: str,
    given: onnx.ModelProto,
    settings: set[str],
    data: tuple[Sequence[object], Sequence[object]],
    tolerance: tuple[float, float],
) -> Case:
    """The same model, where the inputs named in `settings` are initializers."""
    model = onnx.ModelProto()
    model.CopyFrom(given)
    inputs = dict(zip((value.name for value in _inputs(model)), map(_array, data[0]), strict=True))
    for value in _inputs(model):
        if value.name in settings:
            model.graph.initializer.append(numpy_helper.from_array(inputs.pop(value.name), value.name))
            model.graph.input.remove(value)
    outputs = dict(zip((value.name for value in model.graph.output), map(_array, data[1]), strict=True))
    return Case(name, model, inputs, outputs, *tolerance)


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    held = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in held]


def _array(given: object) -> object:
    return numpy_helper.to_array(given) if isinstance(given, onnx.TensorProto) else given


def _stored(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*/model.onnx")):
        model, data = onnx.load(path), path.parent / "test_data_set_0"
        if {node.op_type for node in model.graph.node} <= {*OPERATORS}:
            inputs = [onnx.load_tensor(data / f"input_{i}.pb") for i in range(len(_inputs(model)))]
            outputs = [onnx.load_tensor(data / f"output_{i}.pb") for i in range(len(model.graph.output))]
            yield _case(path.parent.name, model, _settings(model), (inputs, outputs), (1e-3, 1e-7))
