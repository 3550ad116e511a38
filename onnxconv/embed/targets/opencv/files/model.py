"""The model of this folder on OpenCV's module dnn: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from interface import HERE, OUTPUTS, fitting


class Model:
    """A network that was read."""

    def __init__(self, path: str | Path = HERE / "model.onnx") -> None:
        self._net = cv2.dnn.readNetFromONNX(str(path))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where the inputs do not fit."""
        for name, x in fitting(inputs).items():
            self._net.setInput(x, name)
        return dict(zip(OUTPUTS, self._net.forward(list(OUTPUTS)), strict=True))
