"""Target `python`: onnxruntime in Python."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import PYTHON

__all__ = ["TARGET"]

TARGET = Target(
    name="python",
    title="onnxruntime in Python",
    language="Python",
    files=(PYTHON, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(
        Need("onnxruntime", "pip install onnxruntime", module="onnxruntime"),
        Need("NumPy", "pip install numpy", module="numpy"),
    ),
    limits=("checked on onnxruntime's CPU provider",),
)
