"""Compiling by Apache TVM, and linking by the C compiler."""

from __future__ import annotations

import platform
from pathlib import Path

import onnx
import tvm
from tvm.relax.frontend.onnx import from_onnx


def compiled(file: Path, processor: str, folder: Path) -> None:
    """Compile one model of known sizes into a shared library."""
    model = onnx.load(file)
    shapes = {x.name: [d.dim_value for d in x.type.tensor_type.shape.dim] for x in model.graph.input}
    target = tvm.target.Target({"kind": "llvm", "mtriple": f"{platform.machine()}-linux-gnu", "mcpu": processor})
    tvm.compile(from_onnx(model, shape_dict=shapes), target=target).export_library(str(folder / f"{file.stem}.tvm.so"))
