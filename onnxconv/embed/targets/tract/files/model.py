"""The model of this folder on tract: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tract
from interface import HERE, OUTPUTS, fitting


class Model:
    """A model ready to run."""

    def __init__(self, path: str | Path = HERE / "model.onnx") -> None:
        self._runnable = tract.onnx().load(str(path)).into_model().into_runnable()

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where the inputs do not fit."""
        values = self._runnable.run(list(fitting(inputs).values()))
        return {name: value.to_numpy() for name, value in zip(OUTPUTS, values, strict=True)}
