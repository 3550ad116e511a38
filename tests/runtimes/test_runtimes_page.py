"""Every example of docs/runtimes.md is a runtime that works."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from onnxconv.runtimes import RuntimeAbsent, names, start
from onnxconv.runtimes.engines import onnxruntime as engine
from onnxconv.runtimes.registry import SHOWN_FORMS

PAGE = (Path(__file__).parents[2] / "docs" / "runtimes.md").read_text(encoding="utf-8")

Expected = dict[str, list[list[list[float]]]]


def example(heading: str, kind: str = "py") -> str:
    """The first block of that kind under a heading."""
    found = re.search(rf"^#+ {heading}$.*?^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def answers(name: str, model: Path, x: np.ndarray, expected: Expected) -> bool:
    with start(name) as worker:
        worker.load(model)
        return {output: array.tolist() for output, array in worker.run({"x": x}).items()} == expected


def test_python_file(tmp_path: Path, model: Path, x: np.ndarray, expected: Expected) -> None:
    (tmp_path / "mine.py").write_text(example("A Python file"))
    assert answers(f"python:{tmp_path / 'mine.py'}", model, x, expected)


def test_backend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path, x: np.ndarray, expected: Expected
) -> None:
    (tmp_path / "my_backend.py").write_text(example("An ONNX backend"))
    monkeypatch.syspath_prepend(tmp_path)
    assert answers("onnx-backend:my_backend", model, x, expected)
    assert answers("onnx-backend:onnxruntime.backend", model, x, expected)


def test_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path, x: np.ndarray, expected: Expected
) -> None:
    program = tmp_path / "mine"
    program.write_text(example("A program"))
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert answers("command:./mine", model, x, expected)


def test_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path, x: np.ndarray) -> None:
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "onnxconv_runtime.py").write_text(example("A package with a runtime"))
    points = re.sub(r'"', "", example("A package with a runtime", "toml").replace("project.entry-points.", ""))
    info = tmp_path / "mypackage-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    assert "myengine:npu" in names()
    with start("myengine:npu") as worker:
        assert worker.load(model).unplaced == ("softmax",)
        assert worker.run({"x": x})["y"].shape == (1, 10)
    with pytest.raises(RuntimeAbsent, match="the licence has expired"):
        start("myengine:npu", options={"licence": "expired"})


def test_every_name_and_option_is_on_the_page() -> None:
    for word in (
        *names(),
        *SHOWN_FORMS,
        *engine.SESSION_OPTIONS,
        *engine.CUDA_OPTIONS,
        *engine.PLACING,
        *engine.LEVELS,
    ):
        assert f"`{word}`" in PAGE, word
