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
        return OnnxReferenceSession(self._evaluator(model_path))


class OnnxReferenceSession:
    """A model in the evaluator."""

    def __init__(self, evaluator: Any) -> None:
        self.evaluator = evaluator

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        values = self.evaluator.run(None, dict(inputs))
        return dict(zip(self.evaluator.output_names, values, strict=True))
