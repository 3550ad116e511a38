"""Compiling by IREE."""

from __future__ import annotations

from pathlib import Path

import onnx
from iree.compiler import compile_str, ir
from iree.compiler.extras.onnx_importer import ModelInfo, NodeImporter


def compiled(file: Path, processor: str, folder: Path) -> None:
    """Compile one model for IREE's virtual machine."""
    model = ModelInfo(onnx.load(file))
    module = model.create_module(context=ir.Context()).operation
    NodeImporter.define_function(model.main_graph, module).import_all()
    flags = [f"--iree-llvmcpu-target-cpu={processor}"]
    made = compile_str(module.get_asm(), input_type="onnx", target_backends=["llvm-cpu"], extra_args=flags)
    (folder / f"{file.stem}.vmfb").write_bytes(made)
