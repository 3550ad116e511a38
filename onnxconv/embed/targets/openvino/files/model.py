"""The model of this folder on OpenVINO: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from interface import HERE, OUTPUTS, fitting

# Importing openvino 2026.4 sends an event to its vendor through this package, and does without where there is none.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402


class Model:
    """A compiled model."""

    def __init__(self, path: str | Path = HERE / "model.onnx", device: str = "CPU") -> None:
        """Compile `path`. Without the hint, OpenVINO computes in bfloat16 on processors that have it."""
        self._request = (
            openvino.Core().compile_model(str(path), device, {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
        )

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where the inputs do not fit."""
        self._request.infer(fitting(inputs))
        return {name: self._request.get_output_tensor(i).data.copy() for i, name in enumerate(OUTPUTS)}
