"""The rooms of the package may only import downwards, and the oracles import nothing of it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "onnxconv"
ORACLES = Path(__file__).parents[1] / "oracles"

ROOMS = (
    "errors deferred dtypes files geometry ops graph spec resolve weights quantize specify emit load execute "
    "receptive box context cost advice runtimes verify portable reduce bench embed report network cli"
).split()
"""Lowest first: a room imports only from rooms before it."""

MUST_NOT_KNOW = {
    "geometry": {"onnx", "onnx_ir", "onnxruntime"},
    "ops": {"onnx", "onnx_ir", "onnxruntime", "graph"},
    "graph": {"numpy", "onnx", "onnx_ir", "onnxruntime"},
    "spec": {"numpy", "onnx", "onnx_ir", "onnxruntime", "ops", "graph"},
    "resolve": {"onnx", "onnx_ir", "onnxruntime", "runtimes"},
    "weights": {"onnx", "onnx_ir", "onnxruntime"},
    "specify": {"onnx", "onnx_ir", "onnxruntime", "numpy"},
    "emit": {"onnxruntime", "runtimes"},
    "load": {"onnxruntime", "runtimes"},
    "execute": {"onnx", "onnx_ir", "onnxruntime"},
    "receptive": {"numpy", "onnx", "onnx_ir", "onnxruntime", "weights"},
    "box": {"numpy", "onnx", "onnx_ir", "onnxruntime", "weights"},
    "context": {"numpy", "onnx", "onnx_ir", "onnxruntime", "weights"},
    "cost": {"numpy", "onnx", "onnx_ir", "onnxruntime", "weights"},
    "advice": {"numpy", "onnx", "onnx_ir", "onnxruntime", "weights"},
    "runtimes": {"execute", "verify", "resolve", "spec"},
    "verify": {"geometry", "ops", "spec", "resolve"},
    "report": {"numpy", "onnx", "onnx_ir", "onnxruntime", "geometry"},
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(room or foreign top-level module, line) of every import statement, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names = [
                f"{node.module}.{alias.name}" if node.module == "onnxconv" else str(node.module) for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield (parts[1] if parts[0] == "onnxconv" and len(parts) > 1 else parts[0]), node.lineno


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    assert room in ROOMS, f"{room} is not a room: give it a place in the order"
    rank = ROOMS.index(room)
    for imported, line in imports(path):
        if imported in ROOMS:
            assert ROOMS.index(imported) <= rank, f"{path.name}:{line}: {room} may not import {imported}"
        known = "numpy" if imported == "deferred" else imported
        assert known not in MUST_NOT_KNOW.get(room, set()), f"{path.name}:{line}: {room} must not know {known}"


def test_the_walk_sees_imports() -> None:
    """The check above can fail: it finds imports at the top and inside functions."""
    found = {name for path in sources() for name, _ in imports(path)}
    assert {"errors", "geometry", "numpy", "difflib"} <= found


@pytest.mark.parametrize("path", sorted(ORACLES.rglob("*.py")), ids=lambda p: p.name)
def test_oracles_are_independent(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        assert not any(name.split(".")[0] == "onnxconv" for name in names), f"{path.name} imports the product"


def test_there_are_oracles() -> None:
    assert list(ORACLES.rglob("*.py"))


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["report", "specs/resnet50.yaml"], ["report", "--format", "json", "specs/resnet50.yaml"], ["schema"]],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from onnxconv.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'numpy', 'onnx', 'onnx_ir', 'onnxruntime'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=PACKAGE.parent, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
