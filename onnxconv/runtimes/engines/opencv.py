"""OpenCV's module dnn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxconv.runtimes.options import read_options
from onnxconv.runtimes.packages import imported
from onnxconv.runtimes.protocol import Array
from onnxconv.runtimes.shapes import BySize, Run, signature


class OpenCV:
    """`cv2.dnn.readNetFromONNX`, on the CPU. Sizes are fixed when a model is read, so it is read for every size."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read_options("opencv", options, {})
        self.cv2 = imported("cv2", "opencv-python-headless")
        self.version = str(self.cv2.__version__)

    def load(self, model_path: str) -> BySize:
        return BySize(model_path, self._ready)

    def _ready(self, file: Path, _folder: Path) -> Run:
        net: Any = self.cv2.dnn.readNetFromONNX(str(file))
        outputs = list(signature(str(file)).outputs)

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            for name, array in inputs.items():
                net.setInput(array, name)
            return dict(zip(outputs, net.forward(outputs), strict=True))

        return run
