"""Every combination of the values of a runtime's options."""

from __future__ import annotations

import json

import pytest
from cli.shell import ROOT, call

from onnxconv.errors import UsageError
from onnxconv.runtimes import MATRICES, combinations
from onnxconv.runtimes.engines import onnxruntime as engine
from onnxconv.runtimes.options import read_options


def test_all_combinations_in_order() -> None:
    found = combinations(("onnxruntime:cpu", "onnxruntime:cpu,threads=3"), {"optimization": ("off", "all")})
    assert found == (
        "onnxruntime:cpu,optimization=off",
        "onnxruntime:cpu,optimization=all",
        "onnxruntime:cpu,threads=3,optimization=off",
        "onnxruntime:cpu,threads=3,optimization=all",
    )


def test_own_matrices_are_made_of_options_that_there_are() -> None:
    readers = {
        "onnxruntime:cpu": engine.SESSION_OPTIONS,
        "onnxruntime:cuda": engine.SESSION_OPTIONS | engine.CUDA_OPTIONS,
    }
    assert set(MATRICES) == set(readers)
    for name, matrix in MATRICES.items():
        for key, values in matrix.items():
            assert len(set(values)) > 1
            for value in values:
                read_options(name, {key: value}, readers[name])
    assert len(combinations(["onnxruntime:cuda"])) == 48


def test_too_many_are_refused_before_any_is_started() -> None:
    many = tuple(map(str, range(40)))
    with pytest.raises(UsageError, match="64000 combinations of onnxruntime:cpu"):
        combinations(["onnxruntime:cpu"], {"a": many, "b": many, "c": many})


def test_programs_have_no_options() -> None:
    with pytest.raises(UsageError, match="takes no options"):
        combinations(["command:true"], {"threads": ("1",)})


def test_each_combination_is_checked_under_its_own_name() -> None:
    source = str(ROOT / "specs" / "quickstart.yaml")
    told = call("verify", source, "--probe", "shape", "--format", "json", "--runtime-matrix", "optimization=off,all")
    assert told.exit_code == 0, told.output
    checks = json.loads(told.stdout)["checks"]
    assert [c["runtime"] for c in checks] == ["onnxruntime:cpu,optimization=off", "onnxruntime:cpu,optimization=all"]
    assert all(f"--runtime {c['runtime']} " in c["reproduce"] for c in checks)
