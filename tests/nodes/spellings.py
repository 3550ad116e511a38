"""One-node models in the spellings of each opset, and two oracles that run them: onnxruntime and onnx.reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Spelling:
    """A node of an opset. `inputs` are given when it runs, `held` are initializers; both in the order of its operands."""

    op: str
    opset: int
    inputs: Arrays
    held: Arrays = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Oracles that are of no use here → why."""

    def __str__(self) -> str:
        said = [f"{name}={value}" for name, value in self.attributes.items()]
        said += [f"{name}:{array.tolist() if array.size < 9 else array.shape}" for name, array in self.held.items()]
        first = next(iter(self.inputs.values()))
        return f"{self.op}-{self.opset} {first.dtype}{list(first.shape)} {' '.join(said)}".strip()

    def model(self) -> onnx.ModelProto:
        """Operands whose name begins with ``_`` are left out; no output says its shape."""
        operands = ["" if name.startswith("_") else name for name in (*self.inputs, *self.held)]
        outputs = [f"y{index}" for index in range(self.outputs)]
        types = _types(self, outputs)
        graph = helper.make_graph(
            [helper.make_node(self.op, operands, outputs, **self.attributes)],
            "one",
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                for name, array in self.inputs.items()
            ],
            [helper.make_tensor_value_info(name, types[name], None) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in self.held.items() if not name.startswith("_")],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def _types(of: Spelling, outputs: list[str]) -> dict[str, int]:
    """The element types of the outputs, which onnxruntime wants to be told."""
    operands = [helper.np_dtype_to_tensor_dtype(array.dtype) for array in (*of.inputs.values(), *of.held.values())]
    first = {"Cast": of.attributes.get("to"), "QuantizeLinear": operands[-1], "DequantizeLinear": operands[-2:][0]}
    answers = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not")
    first |= dict.fromkeys(answers, onnx.TensorProto.BOOL) | {"Where": operands[-1]}
    second = {"MaxPool": onnx.TensorProto.INT64, "Dropout": onnx.TensorProto.BOOL}.get(of.op, operands[0])
    return dict(zip(outputs, (first.get(of.op) or operands[0], *[second] * 9), strict=False))


def by_onnxruntime(model: onnx.ModelProto, inputs: Arrays) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, dict(inputs))


def by_reference(model: onnx.ModelProto, inputs: Arrays) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(model).run(None, dict(inputs))


ORACLES: dict[str, Callable[[onnx.ModelProto, Arrays], list[np.ndarray]]] = {
    "onnxruntime": by_onnxruntime,
    "onnx.reference": by_reference,
}


def normal(*shape: int, seed: int = 0, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def counted(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def real(number: float, dtype: str = "float32") -> np.ndarray:
    return np.array(number, dtype)


def at(
    opsets: tuple[int, ...],
    op: str,
    x: np.ndarray | tuple[np.ndarray, ...],
    held: Arrays | None = None,
    *,
    outputs: int = 1,
    ort: str = "",
    ref: str = "",
    **attributes: Any,
) -> Iterator[Spelling]:
    """The same node in each of the opsets; `ort` and `ref` say why that oracle is of no use."""
    xs = x if isinstance(x, tuple) else (x,)
    wrong = {name: why for name, why in (("onnxruntime", ort), ("onnx.reference", ref)) if why}
    inputs = {f"x{i}": array for i, array in enumerate(xs)}
    for opset in opsets:
        yield Spelling(op, opset, inputs, held or {}, attributes, outputs, wrong)
