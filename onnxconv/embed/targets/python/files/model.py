"""The model of this folder on onnxruntime: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from interface import HERE, OUTPUTS, fitting


class Model:
    """A loaded model."""

    def __init__(self, path: str | Path = HERE / "model.onnx", threads: int = 0) -> None:
        """Load `path`; `threads`: 0 for as many as onnxruntime likes."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where the inputs do not fit."""
        return dict(zip(OUTPUTS, self._session.run(list(OUTPUTS), fitting(inputs)), strict=True))
