"""IREE, which compiles a model by MLIR and LLVM for this machine's processor: https://iree.dev."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from onnxconv.runtimes.options import count, one_of, read_options
from onnxconv.runtimes.packages import imported, version_of
from onnxconv.runtimes.protocol import Array
from onnxconv.runtimes.shapes import BySize, Run, signature

COMPILER, RUNTIME = "iree-base-compiler", "iree-base-runtime"


class Iree:
    """A model compiled for every set of sizes anew. Option `optimize`: 0 to 3, IREE's own level unless given.

    Option `threads`: 1 runs in the calling thread; 0, the default, leaves it to IREE.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        readers = {"optimize": one_of("0", "1", "2", "3"), "threads": count}
        values = read_options("iree", options, readers)
        self.compiler = imported("iree.compiler", COMPILER)
        self.ir = imported("iree.compiler.ir", COMPILER)
        self.importer = imported("iree.compiler.extras.onnx_importer", COMPILER)
        self.runtime = imported("iree.runtime", RUNTIME)
        self.version = version_of(COMPILER)
        self.flags = ["--iree-llvmcpu-target-cpu=host"]
        if "optimize" in values:
            self.flags.append(f"--iree-opt-level=O{values['optimize']}")
        threads = values.get("threads", 0)
        self.driver = "local-sync" if threads == 1 else "local-task"
        if threads > 1:
            self.runtime.flags.parse_flags(f"--task_topology_group_count={threads}")

    def load(self, model_path: str) -> BySize:
        return BySize(model_path, self._ready)

    def _ready(self, file: Path, _folder: Path) -> Run:
        declared = signature(str(file))
        module = self.runtime.load_vm_flatbuffer(self._compiled(file), driver=self.driver)
        # Beside the function of the model there are its asynchronous twin, "…$async", and "__init".
        (name,) = (n for n in module.vm_module.function_names if "$" not in n and not n.startswith("__"))
        function = module[name]

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            found = function(*(np.ascontiguousarray(inputs[name]) for name in declared.inputs))
            values = found if isinstance(found, (tuple, list)) else (found,)
            return {n: np.array(value.to_host()) for n, value in zip(declared.outputs, values, strict=True)}

        return run

    def _compiled(self, file: Path) -> bytes:
        """Raises NotImplementedError for what IREE has no lowering of."""
        import onnx

        info = self.importer.ModelInfo(onnx.load(file))
        module = info.create_module(context=self.ir.Context()).operation
        try:
            self.importer.NodeImporter.define_function(info.main_graph, module).import_all()
            compiled: bytes = self.compiler.compile_str(
                module.get_asm(), input_type="onnx", target_backends=["llvm-cpu"], extra_args=self.flags
            )
        except self.importer.OnnxImportError as error:
            raise NotImplementedError(str(error)) from error
        except self.compiler.CompilerToolError as error:
            raise _refusal(str(error)) from error
        return compiled


def _refusal(said: str) -> Exception:
    """NotImplementedError, naming the operator, where the compiler says that it has no lowering."""
    wrong = next(iter(re.findall(r"error: (.+)", said)), "iree-compile failed")
    operator = re.search(r"onnx\.\w+", wrong)
    if "failed to legalize" in wrong:
        return NotImplementedError(f"IREE has no lowering of this {operator[0] if operator else 'operator'}")
    return RuntimeError(wrong)
