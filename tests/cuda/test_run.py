"""The runner itself, on the CPU: what it writes, that a killed run leaves it whole, and the page made of it."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
RECORDED = HERE / "golden" / "onnxruntime-cpu.json"
"""Recorded from onnxruntime's CPU provider by the runner, and shortened: no result of a GPU."""

page = runpy.run_path(str(HERE / "page.py"))["page"]


def test_the_page_is_that_of_its_records() -> None:
    """Set ONNXCONV_WRITE_GOLDEN=1 to write it anew, and look at it again."""
    text = page(json.loads(RECORDED.read_text(encoding="utf-8")))
    if os.environ.get("ONNXCONV_WRITE_GOLDEN") == "1":
        RECORDED.with_suffix(".md").write_text(text, encoding="utf-8")
    assert text == RECORDED.with_suffix(".md").read_text(encoding="utf-8")
    assert "onnxruntime:cpu on" in text


def test_what_is_wrong_stands_on_the_page() -> None:
    """Of records made up here: a failure, a node elsewhere, another arithmetic, a broken measurement."""
    document = json.loads(RECORDED.read_text(encoding="utf-8"))
    label = {"setting": 0, "dtype": "float32", "family": "made up"}
    trace: dict[str, Any] = {"arithmetic": "tf32", "fingerprint": {"operand_bits": 11}, "fits": "tf32"}
    document["records"] = [
        {"kind": "check", **label, "probe": "exact", "verdict": "fail", "reason": "it | is wrong", "bound_used": 3.5},
        {"kind": "check", **label, "probe": "shape", "verdict": "pass", "unplaced": ["lonely"]},
        {
            "kind": "check",
            **label,
            "probe": "special",
            "verdict": "pass",
            "told": [{"of": "NaN", "says": "it was lost"}],
        },
        {"kind": "trace", **label, **trace, "used": {"direct": 40.0, "tf32": 0.25}},
        {
            "kind": "allowed",
            **label,
            "probe": "bound",
            "verdict": "pass",
            "arithmetic_asked": "tf32",
            "bound_used": 0.5,
        },
        {"kind": "failure", **label, "reason": "ValueError: of its own"},
    ]
    text = page(document)
    for words in (
        "| made up | float32 | 1 | 3.5 | exact fail |",
        "lonely",
        "tf32",
        "| 40 | 0.25 |",
        "of its own",
        "it was lost",
    ):
        assert words in text
    assert "it \\| is wrong" in text


def test_committed_pages_are_made_of_committed_results() -> None:
    for results in sorted((HERE.parents[1] / "docs" / "results").glob("*.json")):
        document = json.loads(results.read_text(encoding="utf-8"))
        assert results.with_suffix(".md").read_text(encoding="utf-8") == page(document), results.name
        assert document["runtime"].endswith("cuda"), "results of a CPU are not committed"


def test_every_family_is_a_network() -> None:
    import onnxconv

    made = runpy.run_path(str(HERE / "cases.py"))
    for dtype in made["DTYPES"]:
        for family in made["families"](dtype):
            onnxconv.parse(made["spec"](family, dtype))
    (first, *others) = made["settings"]("onnxruntime:cuda")
    assert "use_tf32=0" in first
    assert len({first, *others}) == 48
    assert made["tasks"]("onnxruntime:cuda")[:2] == [(first, "float32"), (first, "float16")]


def test_what_is_missing_is_named() -> None:
    made = runpy.run_path(str(HERE / "run.py"))
    assert made["missing"]() == ""
    made["missing"].__globals__["NEEDED"] = {"numpy": "numpy", "none.such": "none-such"}
    told = made["missing"]()
    assert told.startswith("not installed: none-such\n")
    assert "pip download" in told


def run(*arguments: str, output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "run.py"), "--runtime", "onnxruntime:cpu", "-o", str(output), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.slow
def test_it_runs_on_the_cpu_within_its_time(tmp_path: Path) -> None:
    began = time.time()
    process = run("--seconds", "30", "--jobs", "2", "--stage", "probes", "--networks", "0", output=tmp_path)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert time.time() - began < 60
    path = Path(told.strip())
    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.name.startswith("cpu-")
    checks = [record for record in document["records"] if record["kind"] == "check"]
    assert {record["verdict"] for record in checks if record["dtype"] == "float32"} == {"pass"}
    assert path.with_suffix(".md").read_text(encoding="utf-8") == page(document)
    assert list(tmp_path.iterdir()) == [path, path.with_suffix(".md")] or len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    process = run("--seconds", "300", "--jobs", "1", "--stage", "probes", "--networks", "0", output=tmp_path)
    try:
        end, records = time.time() + 60, []
        while not records and time.time() < end:
            time.sleep(0.3)
            for path in tmp_path.glob("*.json"):
                records = json.loads(path.read_text(encoding="utf-8"))["records"]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert records
    (path,) = tmp_path.glob("*.json")
    assert json.loads(path.read_text(encoding="utf-8"))["records"]
