"""Target `ort-c`: onnxruntime in C, by its shared library."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import C_TOOLS, DLOPEN, c_arrays, with_golden_text

__all__ = ["TARGET"]

TARGET = Target(
    name="ort-c",
    title="onnxruntime in C",
    language="C",
    files=(*DLOPEN, Path(__file__).parent / "files"),
    check=("sh", "check.sh"),
    needs=(Need("onnxruntime", "pip install onnxruntime", module="onnxruntime"), *C_TOOLS),
    limits=("checked on onnxruntime's CPU provider, on Linux",),
    obstacles=c_arrays,
    convert=with_golden_text,
)
