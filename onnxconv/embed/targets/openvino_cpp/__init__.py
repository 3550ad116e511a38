"""Target `openvino-cpp`: OpenVINO in C++."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import C_TOOLS, LIBRARY, C, c_arrays, cxx_compiler, with_golden_text

__all__ = ["TARGET"]

TARGET = Target(
    name="openvino-cpp",
    title="OpenVINO in C++",
    language="C++",
    files=(C, LIBRARY, Path(__file__).parent / "files"),
    check=("sh", "check.sh"),
    needs=(
        Need("OpenVINO", "pip install --no-deps openvino", module="openvino"),
        Need("a C++ compiler", "apt install g++", found=cxx_compiler),
        *C_TOOLS,
    ),
    precision={"INFERENCE_PRECISION_HINT": "f32"},
    limits=("checked on OpenVINO's CPU device, on Linux",),
    obstacles=c_arrays,
    convert=with_golden_text,
)
