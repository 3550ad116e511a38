"""Target `opencv`: OpenCV in Python."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import PYTHON, fixed_sizes

__all__ = ["TARGET"]

TARGET = Target(
    name="opencv",
    title="OpenCV in Python",
    language="Python",
    files=(PYTHON, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(
        Need("OpenCV 5", "pip install opencv-python-headless", module="cv2"),
        Need("NumPy", "pip install numpy", module="numpy"),
    ),
    limits=("checked on OpenCV's own CPU engine",),
    obstacles=fixed_sizes,
)
