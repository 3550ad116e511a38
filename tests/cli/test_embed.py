"""``onnxconv embed``: what is written, told and returned."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli.shell import call

from onnxconv.embed import Checked, checking, find, names, registry
from onnxconv.report import targets_text

ROOT = Path(__file__).parents[2]
SPEC = """\
inputs: {x: "float32[N, 2, 6, 5]"}
layers:
  - conv: {filters: 3, kernel: 2}
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    file = tmp_path / "net.yaml"
    file.write_text(SPEC)
    return str(file)


def test_a_bundle_is_written_and_checked(spec: str, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    told = call("embed", spec, "--target", "python", "-o", str(folder), "--check")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.splitlines()[-1] == "ok"
    assert f"wrote {folder}" in told.stderr
    assert (folder / "bundle.json").is_file()


def test_json_is_one_document(spec: str, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    told = call("embed", spec, "--target", "python", "-o", str(folder), "--check", "--format", "json")
    document = json.loads(told.stdout)
    assert document["target"] == "python"
    assert document["check"]["status"] == "pass"
    accounted = {*json.loads((folder / "bundle.json").read_text())["files"], "bundle.json", "SHA256SUMS"}
    assert document["bytes"] == sum((folder / name).stat().st_size for name in accounted)


def test_start_up_is_measured_by_the_check_and_kept_beside_the_bundle(spec: str, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    told = call("embed", spec, "--target", "python", "-o", str(folder), "--check", "--format", "json")
    kept = json.loads((folder / "check.json").read_text(encoding="utf-8"))
    assert json.loads(told.stdout)["check"] == kept
    assert kept["start_up"]["load_ms"] > 0
    assert kept["start_up"]["first_run_ms"] > 0
    bundle = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert "check.json" not in {**bundle["files"], **bundle["product"]}, "what is measured is none of its files"
    assert call("embed", spec, "--target", "python", "-o", str(folder)).exit_code == 0
    assert not (folder / "check.json").exists(), "another bundle, which was not checked"


def test_a_rewrite_by_name_is_made_and_told(spec: str, tmp_path: Path) -> None:
    asked = ("embed", spec, "--target", "python", "-o", str(tmp_path / "bundle"), "--rewrite")
    told = call(*asked, "fixed-sizes")
    assert told.exit_code == 0, told.stderr
    assert "changed for onnxruntime in Python: fixed-sizes: one image" in told.stderr
    told = call(*asked, "explicit-pads")
    assert told.exit_code == 2
    assert "'explicit-pads' fits no layer" in told.stderr


@pytest.mark.parametrize(("status", "code", "word"), [(0, 0, "pass"), (1, 1, "fail"), (2, 3, "not_run")])
def test_exit_codes(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: int, word: str
) -> None:
    monkeypatch.setattr("onnxconv.embed.check", lambda *_, **__: Checked(status, "said\n"))
    arguments = ("embed", spec, "--target", "python", "-o", str(tmp_path / "b"), "--check")
    assert call(*arguments).exit_code == code
    told = call(*arguments, "--format", "json")
    assert told.exit_code == code
    nothing = {"load_ms": None, "first_run_ms": None}
    assert json.loads(told.stdout)["check"] == {"status": word, "start_up": nothing, "said": "said\n"}


@pytest.mark.parametrize("arguments", [("--list", "--format", "json"), ("--format", "json", "--list")])
def test_the_list_is_of_all_targets(arguments: tuple[str, ...]) -> None:
    told = call("embed", *arguments)
    assert told.exit_code == 0
    found = json.loads(told.stdout)["targets"]
    assert [entry["name"] for entry in found] == list(names())
    python = next(entry for entry in found if entry["name"] == "python")
    assert python["checkable"] is python["writable"] is True


def test_the_list_in_text_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxconv.embed.target.importlib.util.find_spec", lambda _: None)
    told = call("embed", "--list")
    rows = [line.split() for line in told.stdout.splitlines() if line]
    assert ["python", "elsewhere"] in [row[:2] for row in rows], "it writes what another machine can check"
    assert ["iree", "not", "here"] in [row[:3] for row in rows], "it has nothing to compile with"
    assert "onnxruntime is missing; fix: pip install onnxruntime" in told.stdout
    assert "fold-batch-norm" in told.stdout


class Stranger:
    """An entry point of another package."""

    name, dist = "alien", SimpleNamespace(name="alien-targets")

    def __init__(self, value: str) -> None:
        self.value = value


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("no_such_module:TARGET", "No module named 'no_such_module'"),
        ("json:dumps", "is a function, not an onnxconv.embed.Target"),
    ],
)
def test_a_target_of_a_strangers_that_does_not_load_is_told(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, words: str
) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda **_: [Stranger(place)])
    told = call("embed", spec, "--target", "alien", "-o", str(tmp_path / "b"))
    assert told.exit_code == 2
    assert f"target 'alien' of the package 'alien-targets' ({place})" in told.stderr
    assert words in told.stderr
    entries = json.loads(call("embed", "--list", "--format", "json").stdout)["targets"]
    (row,) = (entry for entry in entries if entry["name"] == "alien")
    assert words in row["broken"]
    assert words in targets_text([row], [], width=1000)
    assert row["checkable"] is row["writable"] is False


def test_what_cannot_be_written_here_is_told_as_such(spec: str, tmp_path: Path) -> None:
    """Where something that converts the model is missing, and nowhere else."""
    folder = tmp_path / "b"
    for name in ("python", *(name for name in names() if not find(name).writable())):
        written = call("embed", spec, "--target", name, "--adapt", "-o", str(folder)).exit_code
        assert written == (0 if name == "python" else 3)


def test_the_package_registers_its_own_targets() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"][registry.GROUP] == registry.BUILT_IN


def test_a_check_that_takes_too_long_has_not_run(tmp_path: Path) -> None:
    from dataclasses import replace

    target = replace(find("python"), check=("{python}", "-c", "import time; time.sleep(60)"))
    found = checking.check(tmp_path, target, timeout=0.1)
    assert found.status == 2
    assert "not done after 0.1 s" in found.said


def test_without_the_generator_nothing_is_written(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "emx_onnx_cgen.compiler", None)
    folder = tmp_path / "bundle"
    told = call("embed", spec, "--target", "c", "-o", str(folder), "--adapt")
    assert told.exit_code == 3
    assert "emx-onnx-cgen is missing" in told.stderr
    assert "pip install" in told.stderr
    assert not folder.exists()
