"""The model of this folder on IREE: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from interface import HERE, OUTPUTS, fitting
from iree import runtime


class Model:
    """A compiled model."""

    def __init__(self, path: str | Path = HERE / "model.onnx", driver: str = "local-task") -> None:
        """Load what was compiled from `path`: the file of its name that ends in .vmfb. `driver`: local-sync is one thread."""
        module = runtime.load_vm_flatbuffer_file(str(Path(path).with_suffix(".vmfb")), driver=driver)
        # Beside the model's function there are its asynchronous twin, "…$async", and "__init".
        (name,) = (n for n in module.vm_module.function_names if "$" not in n and not n.startswith("__"))
        self._main = module[name]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name. Raises `ValueError` where the inputs do not fit."""
        found = self._main(*fitting(inputs).values())
        values = found if isinstance(found, (tuple, list)) else (found,)
        return {name: np.array(value.to_host()) for name, value in zip(OUTPUTS, values, strict=True)}
