"""Models made by hand, and runtimes written into files, for the tests of the workers."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x[N, 1, 4] -> Conv(w = [1, 2], b = 0.5) -> Relu -> y[N, 1, 3], and z = x + x."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["y"], name="relu"),
        helper.make_node("Add", ["x", "x"], ["z"], name="twice"),
    ]
    weights = {"w": np.array([[[1, 2]]], np.float32), "b": np.array([0.5], np.float32)}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 4])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 1, s]) for n, s in (("y", 3), ("z", 4))],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    path = tmp_path_factory.mktemp("models") / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def x() -> np.ndarray:
    return np.array([[[1, 2, -3, 4]], [[0, 0, 0, 1]]], np.float32)


@pytest.fixture(scope="session")
def expected() -> dict[str, list[list[list[float]]]]:
    """By hand: y = relu(x[i] + 2·x[i + 1] + 0.5)."""
    return {
        "y": [[[5.5, 0.0, 5.5]], [[0.5, 0.5, 2.5]]],
        "z": [[[2.0, 4.0, -6.0, 8.0]], [[0.0, 0.0, 0.0, 2.0]]],
    }


@pytest.fixture
def runtime(tmp_path: Path) -> Callable[..., str]:
    """Make a ``python:FILE.py`` runtime of the body of its run (or of its whole text) and give its name."""

    def make(body: str, whole: bool = False) -> str:
        text = textwrap.dedent(body)
        if not whole:
            lines = ["import ctypes, os, signal, sys, time", "import numpy as np", "def prepare(model_path):"]
            lines += ["    def run(inputs):", *("        " + line for line in text.splitlines()), "    return run", ""]
            text = "\n".join(lines)
        file = tmp_path / "fake_runtime.py"
        file.write_text(text)
        return f"python:{file}"

    return make
