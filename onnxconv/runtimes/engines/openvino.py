"""OpenVINO on the CPU, in float32 unless told otherwise."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxconv.runtimes.options import count, one_of, read_options
from onnxconv.runtimes.packages import imported
from onnxconv.runtimes.protocol import Array
from onnxconv.runtimes.shapes import signature

TELEMETRY = "openvino_telemetry"
"""A package that openvino asks for. Importing openvino 2026.4 sends an event to its vendor through it, and does without
where it cannot be imported. So openvino is installed without what it depends on (NumPy is there), and is no extra."""

UNKNOWN_OPERATION = "does not support the following ONNX operations"


class OpenVino:
    """Option `precision`: ``f32`` (unless given), or ``default``, which is bfloat16 on processors that have it.
    Option `threads`: 0, the default, leaves it to OpenVINO."""

    def __init__(self, options: Mapping[str, str]) -> None:
        readers = {"precision": one_of("f32", "default"), "threads": count}
        values = read_options("openvino", options, readers)
        sys.modules.setdefault(TELEMETRY, None)  # type: ignore[arg-type]
        self.openvino = imported("openvino", "openvino", "--no-deps ")
        self.version = str(self.openvino.__version__).partition("-")[0]
        self.properties: dict[str, Any] = {}
        if values.get("precision", "f32") == "f32":
            self.properties["INFERENCE_PRECISION_HINT"] = "f32"
        if values.get("threads"):
            self.properties["INFERENCE_NUM_THREADS"] = values["threads"]

    def load(self, model_path: str) -> OpenVinoSession:
        core = self.openvino.Core()
        try:
            compiled = core.compile_model(model_path, "CPU", self.properties)
        except RuntimeError as error:
            if UNKNOWN_OPERATION in str(error):
                raise NotImplementedError(str(error)) from error
            raise
        return OpenVinoSession(compiled, tuple(signature(model_path).outputs))


class OpenVinoSession:
    """A compiled model."""

    def __init__(self, compiled: Any, outputs: tuple[str, ...]) -> None:
        self.request = compiled.create_infer_request()
        self.outputs = outputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.request.infer(dict(inputs), share_inputs=False)
        return {name: np.array(self.request.get_output_tensor(i).data) for i, name in enumerate(self.outputs)}
