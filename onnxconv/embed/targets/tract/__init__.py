"""Target `tract`: tract in Python."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import PYTHON

__all__ = ["TARGET"]

TARGET = Target(
    name="tract",
    title="tract in Python",
    language="Python",
    files=(PYTHON, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(
        Need("tract", "pip install tract", module="tract"),
        Need("NumPy", "pip install numpy", module="numpy"),
    ),
)
