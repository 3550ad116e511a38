"""The model of this folder on onnxruntime, from the file that a phone loads, for checking it.

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

    def __init__(self, path: str | Path = HERE / "model.onnx") -> None:
        """Load what was made of `path`: the file of its name that ends in .ort."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.load_model_format", "ORT")
        file = str(Path(path).with_suffix(".ort"))
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where the inputs do not fit."""
        return dict(zip(OUTPUTS, self._session.run(list(OUTPUTS), fitting(inputs)), strict=True))
