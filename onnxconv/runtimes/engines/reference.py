"""ONNX's own reference evaluator, in Python: slow, and wrong in places (see docs/runtimes.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxconv.runtimes.options import read_options
from onnxconv.runtimes.protocol import Array, RuntimeAbsent


class OnnxReference:
    """`onnx.reference.ReferenceEvaluator`."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read_options("onnx-reference", options, {})
        try:
            import onnx
            import onnx.reference
        except ImportError as error:
            raise RuntimeAbsent(f"onnx cannot be imported: {error}", "pip install onnx") from error
        self.version: str = onnx.__version__
        self._evaluator = onnx.reference.ReferenceEvaluator

    def load(self, model_path: str) -> OnnxReferenceSession:
        session = OnnxReferenceSession(self._evaluator(model_path))
        _demand_bfloat16(session.evaluator.proto_.graph)
        return session


class OnnxReferenceSession:
    """A model in the evaluator."""

    def __init__(self, evaluator: Any) -> None:
        self.evaluator = evaluator

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        values = self.evaluator.run(None, dict(inputs))
        return dict(zip(self.evaluator.output_names, values, strict=True))


def _demand_bfloat16(graph: Any) -> None:
    """Raise NotImplementedError for a graph with bfloat16 where onnx, as 1.17, has 16 bits without a meaning for it."""
    import ml_dtypes
    from onnx import TensorProto, helper

    types = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    types |= {tensor.data_type for tensor in graph.initializer}
    if TensorProto.BFLOAT16 in types and helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16) != ml_dtypes.bfloat16:
        raise NotImplementedError("this version of onnx evaluates no bfloat16")
