"""Target `openvino`: OpenVINO in Python."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import PYTHON

__all__ = ["TARGET"]

TARGET = Target(
    name="openvino",
    title="OpenVINO in Python",
    language="Python",
    files=(PYTHON, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(
        Need("OpenVINO", "pip install --no-deps openvino", module="openvino"),
        Need("NumPy", "pip install numpy", module="numpy"),
    ),
    precision={"INFERENCE_PRECISION_HINT": "f32"},
    limits=("checked on OpenVINO's CPU device",),
)
