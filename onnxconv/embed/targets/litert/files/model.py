"""The model of this folder on LiteRT: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from interface import HERE, OUTPUTS, fitting


class Model:
    """A loaded model."""

    def __init__(self, path: str | Path = HERE / "model.onnx", threads: int | None = None) -> None:
        """Load what was converted from `path`: the file of its name that ends in .tflite."""
        file = Path(path).with_suffix(".tflite")
        self._interpreter = Interpreter(str(file), num_threads=threads)
        self._run = self._interpreter.get_signature_runner()
        self._orders = json.loads((HERE / "layout.json").read_text(encoding="utf-8"))[file.stem]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where the inputs do not fit."""
        found = self._run(**fitting(inputs))
        return {name: np.ascontiguousarray(found[name].transpose(self._orders[name])) for name in OUTPUTS}
