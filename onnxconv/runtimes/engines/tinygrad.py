"""tinygrad, which makes a kernel of every fused step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from onnxconv.runtimes.options import one_of, read_options
from onnxconv.runtimes.packages import imported, program, version_of
from onnxconv.runtimes.protocol import Array

CLANG = "install clang (apt install clang), or ask for tinygrad,device=python, which takes minutes for a small network"


class Tinygrad:
    """Option `device`: ``cpu`` (unless given) compiles with clang; ``python`` interprets and needs nothing more."""

    def __init__(self, options: Mapping[str, str]) -> None:
        values = read_options("tinygrad", options, {"device": one_of("cpu", "python")})
        device = values.get("device", "cpu")
        # Both are read when tinygrad is imported; its kernels are not to be kept in the user's home.
        os.environ.update(DEV=device.upper(), CACHELEVEL="0")
        self.tinygrad = imported("tinygrad", "tinygrad")
        if device == "cpu":
            program(("clang",), "tinygrad compiles", CLANG)
        self.onnx = imported("tinygrad.nn.onnx", "tinygrad")
        self.version = version_of("tinygrad")

    def load(self, model_path: str) -> TinygradSession:
        return TinygradSession(lambda: self.onnx.OnnxRunner(model_path), self.tinygrad.Tensor)


class TinygradSession:
    """A model whose steps are traced anew at every run. A runner keeps symbolic sizes as they were first (0.14)."""

    def __init__(self, make: Callable[[], Any], tensor: Any) -> None:
        self.make, self.tensor = make, tensor
        self.runner = make()
        self.shapes: dict[str, tuple[int, ...]] = {}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        shapes = {name: array.shape for name, array in inputs.items()}
        if self.shapes not in ({}, shapes):
            self.runner = self.make()
        self.shapes = shapes
        values = self.runner({name: self.tensor(array) for name, array in inputs.items()})
        # Realised one by one, an output may be computed again inside another, and be rounded otherwise there (0.14).
        self.tensor.realize(*values.values())
        return {name: value.numpy() for name, value in values.items()}
