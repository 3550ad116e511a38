"""The model of this folder on Apache TVM: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tvm
from interface import HERE, OUTPUTS, fitting
from tvm import relax


class Model:
    """A compiled model."""

    def __init__(self, path: str | Path = HERE / "model.onnx") -> None:
        """Load what was compiled from `path`: the shared library of its name."""
        library = tvm.runtime.load_module(str(Path(path).with_suffix(".tvm.so")))
        self._main = relax.VirtualMachine(library, tvm.cpu())["main"]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where the inputs do not fit."""
        found = self._main(*(tvm.runtime.tensor(x) for x in fitting(inputs).values()))
        values = (found,) if hasattr(found, "numpy") else tuple(found)
        return {name: value.numpy() for name, value in zip(OUTPUTS, values, strict=True)}
