"""Apache TVM, compiled by LLVM for this machine's processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxconv.runtimes.options import read_options
from onnxconv.runtimes.packages import imported, version_of
from onnxconv.runtimes.protocol import Array
from onnxconv.runtimes.shapes import BySize, Run, signature


class Tvm:
    """A model through Relax, for every set of sizes anew."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read_options("tvm", options, {})
        self.tvm = imported("tvm", "apache-tvm")
        self.relax = imported("tvm.relax", "apache-tvm")
        self.frontend = imported("tvm.relax.frontend.onnx", "apache-tvm")
        self.version = version_of("apache-tvm")

    def load(self, model_path: str) -> BySize:
        return BySize(model_path, self._ready)

    def _ready(self, file: Path, _folder: Path) -> Run:
        import onnx

        declared = signature(str(file))
        module = self.frontend.from_onnx(onnx.load(file), shape_dict=declared.fixed)
        machine = self.relax.VirtualMachine(self.tvm.compile(module, target="llvm"), self.tvm.cpu())

        def run(inputs: Mapping[str, Array]) -> dict[str, Any]:
            found = machine["main"](*(self.tvm.runtime.tensor(inputs[name]) for name in declared.inputs))
            values = (found,) if hasattr(found, "numpy") else tuple(found)
            return {name: value.numpy() for name, value in zip(declared.outputs, values, strict=True)}

        return run
