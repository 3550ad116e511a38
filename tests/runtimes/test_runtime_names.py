"""Names of runtimes: ours, strangers', bring-your-own, and wrong ones."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from onnxconv.errors import UsageError
from onnxconv.runtimes import Absent, Available, RuntimeAbsent, conflicts, names, start, status
from onnxconv.runtimes.registry import BUILT_IN, FORMS, GROUP, SHOWN_FORMS, split_options

ROOT = Path(__file__).parents[2]

PLUGIN = """
import json
from onnxconv.runtimes import RuntimeAbsent

class Fancy:
    version = "7.1"
    def __init__(self, options):
        if "gpu" in options:
            raise RuntimeAbsent("no fancy GPU", "buy one")
        self.gain = float(options.get("gain", 1))
    def load(self, model_path):
        self.placement, self.unplaced = {"fancy": 2, "plain": 1}, ("twice",)
        return self
    def run(self, inputs):
        return {name: array * self.gain for name, array in inputs.items()}
"""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder on the path, as if a stranger's package were installed there."""
    (tmp_path / "fancy.py").write_text(PLUGIN)
    info = tmp_path / "fancy-7.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fancy\nVersion: 7.1\n")
    points = ["[onnxconv.runtimes]", "fancy:npu = fancy:Fancy", "numpy = fancy:Fancy"]
    (info / "entry_points.txt").write_text("\n".join(points))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_built_in_table_is_what_the_package_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][GROUP] == BUILT_IN


def test_names_are_those_of_the_contract() -> None:
    assert names()[:4] == ("numpy", "onnx-reference", "onnxruntime:cpu", "onnxruntime:cuda")
    assert [shown.partition(":")[0] for shown in SHOWN_FORMS] == list(FORMS)


@pytest.mark.usefixtures("installed")
def test_a_strangers_runtime(model: Path, x: np.ndarray) -> None:
    assert "fancy:npu" in names()
    assert status("fancy:npu") == Available("7.1")
    with start("fancy:npu", options={"gain": 2}) as worker:
        loaded = worker.load(model)
        assert (loaded.placement, loaded.unplaced) == ({"fancy": 2, "plain": 1}, ("twice",))
        np.testing.assert_array_equal(worker.run({"x": x})["x"], 2 * x)
    with pytest.raises(RuntimeAbsent) as caught:
        start("fancy:npu", options={"gpu": True})
    assert (caught.value.reason, caught.value.fix, caught.value.exit_code) == ("no fancy GPU", "buy one", 3)


@pytest.mark.usefixtures("installed")
def test_a_stranger_cannot_take_our_names() -> None:
    assert status("numpy") == Available(np.__version__)


def test_status_of_a_broken_strangers_runtime(installed: Path) -> None:
    (installed / "fancy.py").write_text("import no_such_module")
    found = status("fancy:npu")
    assert isinstance(found, Absent)
    assert found.reason == "raised ModuleNotFoundError: No module named 'no_such_module' while starting"
    (installed / "fancy.py").write_text("import os; os._exit(5)")
    assert status("fancy:npu") == Absent("exited with status 5 while starting")


def test_status_of_what_is_here() -> None:
    assert status("onnxruntime:cpu") == Available(version("onnxruntime"))


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("onnxruntime:gpu", "did you mean 'onnxruntime:cpu'?"),
        ("onnxruntime", "did you mean 'onnxruntime:cpu'?"),
        ("nunpy", "did you mean 'numpy'?"),
        ("onnx_reference", "did you mean 'onnx-reference'?"),
        ("pyton:file.py", "did you mean 'python:FILE.py'?"),
        ("", "known here: command:PROGRAM, emx-c, iree, ncnn, numpy, numpy:fast, onnx-backend:MODULE"),
        ("tensor", "known here: command:PROGRAM, emx-c, iree, ncnn, numpy, numpy:fast, onnx-backend:MODULE"),
        ("python:", "write python:FILE.py"),
        ("command:", "write command:PROGRAM"),
        ("python:no_such_file.py", "write python:FILE.py"),
        ("command:no-such-program --flag", "give its path and make it executable"),
        ("command:'unclosed", "rule: No closing quotation"),
        ("command: ", "give its path and make it executable"),
    ],
)
def test_wrong_names_are_the_users_mistake(name: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        start(name)
    assert caught.value.exit_code == 2
    assert fix in str(caught.value)


@pytest.mark.parametrize(
    ("name", "plain", "options"),
    [
        ("onnxruntime:cpu", "onnxruntime:cpu", {}),
        ("onnxruntime:cpu,threads=1,optimization=off", "onnxruntime:cpu", {"threads": "1", "optimization": "off"}),
        ("onnx-backend:a.b:C,device=CUDA:1", "onnx-backend:a.b:C", {"device": "CUDA:1"}),
        ("python:a,b.py,gain=", "python:a,b.py", {"gain": ""}),
        ("python:a,b.py", "python:a,b.py", {}),
        ("command:run --set,a=1", "command:run --set,a=1", {}),
    ],
)
def test_options_in_a_name(name: str, plain: str, options: dict[str, str]) -> None:
    assert split_options(name) == (plain, options)


def test_options_in_a_name_are_checked_and_given() -> None:
    with pytest.raises(UsageError, match="option threads of onnxruntime:cpu is 'many'"):
        start("onnxruntime:cpu,threads=many")
    with pytest.raises(UsageError, match="option threads of onnxruntime:cpu is 'few'"):
        start("onnxruntime:cpu,threads=many", options={"threads": "few"})


def test_a_file_without_prepare(runtime: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="it defines no function prepare") as caught:
        start(runtime("def Prepare(model_path): pass", whole=True))
    assert caught.value.diagnostics[0].where.file.endswith("fake_runtime.py")


@pytest.mark.parametrize("text", ["import no_such_module", "raise ValueError('no licence')", "def prepare(", "exit(3)"])
def test_a_file_that_cannot_be_imported_is_absent(runtime: Callable[..., str], text: str) -> None:
    with pytest.raises(RuntimeAbsent, match=r"^python:fake_runtime.py cannot be imported: \w+"):
        start(runtime(text, whole=True))


def test_a_file_may_take_options(runtime: Callable[..., str], model: Path, x: np.ndarray) -> None:
    text = """
    __version__ = "3"
    def prepare(model_path, options):
        return lambda inputs: {"x": inputs["x"] * int(options["gain"])}
    """
    with start(runtime(text, whole=True), options={"gain": 5}) as worker:
        assert worker.load(model).version == "3"
        np.testing.assert_array_equal(worker.run({"x": x})["x"], 5 * x)
    with pytest.raises(UsageError, match="has no option 'gain'"):
        start(runtime("return inputs"), options={"gain": 5})


def test_asking_for_names_imports_no_runtime() -> None:
    check = "import sys, onnxconv.runtimes as r; r.names(); r.conflicts(); sys.exit('onnx' in sys.modules or 'onnxruntime' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, env={"PYTHONPATH": str(ROOT)})


def test_a_package_without_metadata_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "half_gone-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert conflicts() == ()


def test_two_onnxruntimes_are_a_conflict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert conflicts() == ()
    packages = (("onnxruntime_gpu", "onnxruntime"), ("onnxruntime-genai", "onnxruntime_genai"))
    for name, brought in (*packages, ("onnxruntime", "onnxruntime")):
        info = tmp_path / f"{name.replace('-', '_')}-1.31.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.31.1\n")
        (info / "RECORD").write_text(f"{brought}/__init__.py,,\n")
        if brought != name:
            monkeypatch.syspath_prepend(tmp_path)
        if name != "onnxruntime":
            assert conflicts() == (), "another folder's is hidden, not overwritten"
    (found,) = conflicts()
    assert found.code == "two-onnxruntimes"
    assert "onnxruntime_gpu 1.31.1 are installed together" in found.what
    assert "genai" not in found.what
    assert found.fix.startswith("pip uninstall -y onnxruntime onnxruntime_gpu && pip install onnxruntime")
