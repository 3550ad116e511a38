"""The model of this folder on onnxruntime: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).parent


class Model:
    """A loaded model. `inputs` and `outputs`: names in order, with data type and shape (a text where a size is open)."""

    def __init__(self, path: str | Path = HERE / "model.onnx", threads: int = 0) -> None:
        """Load `path`; `threads`: 0 for as many as onnxruntime likes."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: (i.type, tuple(i.shape)) for i in self._session.get_inputs()}
        self.outputs = {o.name: (o.type, tuple(o.shape)) for o in self._session.get_outputs()}

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where an input is missing, unknown, or of another shape."""
        if inputs.keys() != self.inputs.keys():
            raise ValueError(f"inputs are {sorted(self.inputs)}, not {sorted(inputs)}")
        for name, (_, shape) in self.inputs.items():
            fits = len(shape) == inputs[name].ndim and all(
                isinstance(n, str) or n is None or n == m for n, m in zip(shape, inputs[name].shape, strict=True)
            )
            if not fits:
                raise ValueError(f"input {name!r} has shape {list(inputs[name].shape)}, the model takes {list(shape)}")
        outputs = self._session.run(None, {name: np.ascontiguousarray(x) for name, x in inputs.items()})
        return dict(zip(self.outputs, outputs, strict=True))
