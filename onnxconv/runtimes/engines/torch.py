"""PyTorch on the CPU, through onnx2torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxconv.runtimes.options import count, read_options
from onnxconv.runtimes.packages import imported, version_of
from onnxconv.runtimes.protocol import Array
from onnxconv.runtimes.shapes import signature


class Torch:
    """A model converted to a `torch.nn.Module`. Option `threads`: 0, the default, leaves it to PyTorch."""

    def __init__(self, options: Mapping[str, str]) -> None:
        values = read_options("torch", options, {"threads": count})
        self.torch = imported("torch", "torch")
        self.onnx2torch = imported("onnx2torch", "onnx2torch")
        self.version = version_of("torch", "onnx2torch")
        if values.get("threads"):
            self.torch.set_num_threads(values["threads"])

    def load(self, model_path: str) -> TorchSession:
        import onnx

        declared = signature(model_path)
        module = self.onnx2torch.convert(onnx.load(model_path)).eval()
        return TorchSession(self.torch, module, tuple(declared.inputs), tuple(declared.outputs))


class TorchSession:
    """A module; arrays go in and come out by position."""

    def __init__(self, torch: Any, module: Any, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        self.torch, self.module, self.inputs, self.outputs = torch, module, inputs, outputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        with self.torch.no_grad():
            values = self.module(*(self.torch.from_numpy(np.array(inputs[name])) for name in self.inputs))
        listed = values if isinstance(values, (tuple, list)) else (values,)
        return {name: value.numpy() for name, value in zip(self.outputs, listed, strict=True)}
