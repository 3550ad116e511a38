"""`onnxconv bench`: what it prints, for whom, and how it ends. Nothing passes or fails on time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.shell import call

pytestmark = pytest.mark.worker

SLOW = """
import time
def prepare(model_path):
    def run(inputs):
        time.sleep(0.05)
        return {"y": next(iter(inputs.values()))}
    return run
"""
DEAD = """
import os
calls = []
def prepare(model_path):
    def run(inputs):
        calls.append(1)
        if len(calls) > 3:
            os._exit(7)
        return inputs
    return run
"""
PROBLEM = "mb1_ic4ih8iw8_oc4_kh3kw3_ph1pw1"


def test_json_has_the_promised_keys(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    mine = f"python:{tmp_path / 'slow.py'}"
    arguments = ("bench", PROBLEM, "--runtime", "numpy:fast", "--runtime", mine, "--repeat", "3", "--format", "json")
    told = call(*arguments)
    assert told.exit_code == 0, told.stderr
    results = json.loads(told.stdout)["results"]
    assert [r["runtime"] for r in results] == ["numpy:fast", mine]
    first, second = results
    for r in results:
        assert {"source", "runtime", "threads", "median_ms", "min_ms", "max_ms", "peak_mb"} <= set(r)
        assert (r["source"], r["threads"], r["rounds"], r["reason"]) == (PROBLEM, 1, 3, "")
        assert r["min_ms"] <= r["median_ms"] <= r["max_ms"]
        assert 10 < r["peak_mb"] < 10_000
    assert first["peak_mb"] != second["peak_mb"]
    assert first["ratio"] == 1
    assert second["median_ms"] >= 50
    assert (first["runs"] > 1, second["runs"]) == (True, 1)
    assert second["ratio"] > 1


def test_what_cannot_be_timed_is_told(tmp_path: Path) -> None:
    (tmp_path / "dead.py").write_text(DEAD)
    mine = f"python:{tmp_path / 'dead.py'}"
    told = call("bench", PROBLEM, "--runtime", "numpy", "--runtime", mine, "--repeat", "4")
    assert told.exit_code == 3
    heading, columns, _, numpy, dead, *reason = told.stdout.splitlines()
    assert heading == PROBLEM
    assert columns.split() == "runtime version threads median ms min max ÷ first peak MB".split()
    assert numpy.split()[-2] == "1.00"
    assert dead.split()[-1] == "1"
    assert " ".join(" ".join(reason).split()).endswith("exited with status 7 while running the model")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--runtime", "nunpy"), "did you mean 'numpy'?"),
        (("--threads", "0"), "0 is not in the range x>=1"),
        (("--repeat", "0"), "0 is not in the range x>=1"),
        (("--runtime", "numpy", "--runtime-option", "thread=1"), "numpy has no option 'thread'"),
        (("--runtime", "numpy:fast", "--runtime-option", "threads=x"), "it is a whole number from 0"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    told = call("bench", PROBLEM, *arguments)
    assert (told.exit_code, told.stdout) == (2, "")
    assert said in told.stderr
