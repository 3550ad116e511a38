"""The model of this folder on ncnn: load once, run many.

>>> model = Model()
>>> outputs = model.run({"x": x})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ncnn
import numpy as np
from interface import HERE, OUTPUTS, fitting

NARROW = ("use_fp16", "use_bf16", "use_int8", "use_winograd")
"""What ncnn does faster and less exactly; storage in float16 is on unless it is told."""


class Model:
    """A network that was loaded."""

    def __init__(self, path: str | Path = HERE / "model.onnx", exact: bool = True) -> None:
        """Load what was made of `path`: the files that end in .ncnn.param and .ncnn.bin. `exact`: in float32, by direct sums."""
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        for option in dir(self._net.opt):
            if exact and option.startswith(NARROW):
                setattr(self._net.opt, option, False)
        param, bin = (str(Path(path).with_suffix(ending)) for ending in (".ncnn.param", ".ncnn.bin"))
        if self._net.load_param(param) or self._net.load_model(bin):
            raise OSError(f"ncnn does not load {param} and {bin}")

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name, of one image. Raises `ValueError` where the inputs do not fit."""
        extractor = self._net.create_extractor()
        for n, x in enumerate(fitting(inputs).values()):
            extractor.input(f"in{n}", ncnn.Mat(x[0]).clone())
        return {name: _image(name, *extractor.extract(f"out{n}")) for n, name in enumerate(OUTPUTS)}


def _image(name: str, status: int, found: ncnn.Mat) -> np.ndarray:
    """An output in its own shape: ncnn has no axis for the batch, and leaves out or adds axes of one position."""
    if status:
        raise ValueError(f"ncnn computes no {name}: extract gave {status}")
    y, shape = np.array(found), OUTPUTS[name][1]
    if [n for n in y.shape if n > 1] != [n for n in shape if n > 1]:
        raise ValueError(f"ncnn computes {name} in the shape {list(y.shape)}, not {list(shape)}")
    return y.reshape(shape)
