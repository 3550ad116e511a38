"""Damaged models: every one is reported on, or refused with a diagnostic; within bounds of time and memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from load import mutations


def answers(first: int, count: int) -> dict[str, int]:
    """How many of so many damaged models were reported, reported in part, or refused, in a process of their own."""
    command = [sys.executable, mutations.__file__, str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return {kind: int(number) for number, kind in re.findall(r"(\d+) (\w+)", done.stdout)}


@pytest.mark.slow
def test_no_damage_makes_a_report_fail() -> None:
    found = answers(0, 20)
    assert sum(found.values()) == 20
    assert found["partly"] > 2, found
    assert found["refused"] > 2, found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", [1000, 2000])
def test_no_damage_at_all_makes_a_report_fail(first: int) -> None:
    assert sum(answers(first, 250).values()) == 250


def test_the_models_are_reported_before_they_are_damaged(tmp_path: Path) -> None:
    import onnxconv

    for make in mutations.MODELS:
        (tmp_path / "model.onnx").write_bytes(make().SerializeToString())
        assert onnxconv.report(tmp_path / "model.onnx").document["layers"]
