"""Target `tract-c`: tract in C, by its shared library."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import C_TOOLS, DLOPEN, c_arrays, with_golden_text

__all__ = ["TARGET"]

TARGET = Target(
    name="tract-c",
    title="tract in C",
    language="C",
    files=(*DLOPEN, Path(__file__).parent / "files"),
    check=("sh", "check.sh"),
    needs=(Need("tract", "pip install tract", module="tract"), *C_TOOLS),
    limits=("checked on Linux, with the shared library in tract's package for Python",),
    obstacles=c_arrays,
    convert=with_golden_text,
)
