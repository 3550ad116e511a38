"""Target `tvm`: Apache TVM in Python, compiled by LLVM."""

from pathlib import Path

from onnxconv.embed.target import Need, Target
from onnxconv.embed.targets.shared import PYTHON, compiler, fixed_sizes
from onnxconv.embed.targets.shared.compiled import COMPILE, SOURCES, compiling

__all__ = ["TARGET"]

TVM = Need("Apache TVM", "pip install 'onnxconv[tvm]'", module="tvm", converts=True)
LINKER = Need("a C compiler", "apt install gcc", found=compiler, converts=True)

TARGET = Target(
    name="tvm",
    title="Apache TVM in Python",
    language="Python",
    files=(PYTHON, COMPILE, Path(__file__).parent / "files"),
    check=("{python}", "check.py"),
    needs=(TVM, Need("NumPy", "pip install numpy", module="numpy"), LINKER),
    limits=(
        "compiled for Linux and one kind of processor; the bytes are the same as long as the versions of Apache TVM, onnx and the C "
        "compiler are",
        "not tuned: schedules are those that Apache TVM takes without measuring",
    ),
    checking=SOURCES,
    obstacles=fixed_sizes,
    convert=compiling("Apache TVM", (TVM, LINKER), "apache-tvm", "apache-tvm"),
)
