"""tract, an engine in Rust: https://github.com/sonos/tract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxconv.runtimes.options import read_options
from onnxconv.runtimes.packages import imported, version_of
from onnxconv.runtimes.protocol import Array
from onnxconv.runtimes.shapes import signature


class Tract:
    """tract's CPU runtime, with its own optimisations."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read_options("tract", options, {})
        self.tract = imported("tract", "tract")
        self.version = version_of("tract")

    def load(self, model_path: str) -> TractSession:
        declared = signature(model_path)
        runnable = self.tract.onnx().load(model_path).into_model().into_runnable()
        return TractSession(runnable, tuple(declared.inputs), tuple(declared.outputs))


class TractSession:
    """A model ready to run; arrays go in and come out by position."""

    def __init__(self, runnable: Any, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        self.runnable, self.inputs, self.outputs = runnable, inputs, outputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        values = self.runnable.run([inputs[name] for name in self.inputs])
        return {name: value.to_numpy() for name, value in zip(self.outputs, values, strict=True)}
