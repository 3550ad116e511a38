"""Target `ort-mobile`: onnxruntime's own format, and what a reduced build of it must hold."""

import contextlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import PYTHON
from onnxconv.embed.targets.shared.compiled import SOURCES, converted, pin

__all__ = ["TARGET"]

ORT = Need("onnxruntime", "pip install onnxruntime", module="onnxruntime", converts=True)
CONFIG = "required_operators_and_types.config"
"""As onnxruntime calls it."""


def convert(folder: Path, facts: dict[str, Any]) -> None:
    """``.ort`` beside each model, and the operators and types of both, whose comments name no folder of this machine."""
    program = (*_steady(), sys.executable, "-m", "onnxruntime.tools.convert_onnx_models_to_ort")
    words = (".", "--optimization_style", "Fixed", "--target_platform", "arm", "--enable_type_reduction")
    converted(folder, "onnxruntime", (ORT,), *program, *words)
    lines = (folder / CONFIG).read_text(encoding="utf-8").splitlines()
    told = ["# Generated from model.ort and proof.ort", *(line for line in lines if line and not line.startswith("#"))]
    (folder / CONFIG).write_text("".join(f"{line}\n" for line in told), encoding="utf-8")
    facts["made_with"]["onnxruntime"] = version("onnxruntime")
    pin(folder, f"onnxruntime>={version('onnxruntime')}")


def _steady() -> tuple[str, ...]:
    """What runs a program at the same addresses every time: onnxruntime 1.32 writes tensors in an order that depends on them."""
    steady = ("setarch", "-R")
    with contextlib.suppress(OSError):
        if subprocess.run([*steady, "true"], capture_output=True, check=False).returncode == 0:
            return steady
    return ()


TARGET = Target(
    name="ort-mobile",
    title="onnxruntime on phones",
    language="Kotlin, Swift",
    files=(PYTHON, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(ORT, Need("NumPy", "pip install numpy", module="numpy")),
    limits=(
        "checked on onnxruntime's CPU provider in Python: neither on a phone nor with a reduced build",
        "the bytes are the same as long as the version of onnxruntime is, and on Linux alone, where setarch -R may be used",
    ),
    checking=(*SOURCES, "*.py", "requirements.txt"),
    convert=convert,
)
