"""The CUDA provider on a real GPU; elsewhere these are skipped, each with the reason. They need pytest and onnxconv alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxconv
from onnxconv.errors import NotAvailable
from onnxconv.runtimes import RuntimeFailed, start
from onnxconv.runtimes.gpu import CUDA

NAME = "onnxruntime:cuda"

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module", autouse=True)
def _gpu() -> None:
    try:
        start(NAME).close()
    except NotAvailable as absent:
        pytest.skip(str(absent))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """x[N, 1, 4] -> Conv(w = [1, 2], b = 0.5) -> Relu -> y[N, 1, 3], and z = x + x."""
    path = tmp_path / "small.onnx"
    text = """<ir_version: 8, opset_import: ["" : 17]>
    small (float[N, 1, 4] x) => (float[N, 1, 3] y, float[N, 1, 4] z)
    <float[1, 1, 2] w = {1, 2}, float[1] b = {0.5}>
    { c = Conv (x, w, b)
      y = Relu (c)
      z = Add (x, x) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    return path


X = np.array([[[1, 2, -3, 4]], [[0, 0, 0, 1]]], np.float32)
Y = [[[5.5, 0.0, 5.5]], [[0.5, 0.5, 2.5]]]

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"use_tf32": 1},
    {"prefer_nhwc": 1},
    {"enable_cuda_graph": 1},
    {"optimization": "off"},
    {"cudnn_conv_algo_search": "DEFAULT"},
    {"cudnn_conv_algo_search": "HEURISTIC", "cudnn_conv_use_max_workspace": 0},
    {"cpu_fallback": 0},
    {"device_id": 0},
)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_outputs_by_hand(model: Path, options: dict[str, Any]) -> None:
    with start(NAME, options=options) as worker:
        loaded = worker.load(model)
        assert loaded.unplaced == ()
        assert set(loaded.placement) == {CUDA}
        for x in (X, X[:1], X):
            assert worker.run({"x": x})["y"].tolist() == Y[: len(x)]
            assert worker.run({"x": x})["z"].tolist() == (2 * x).tolist()


def test_a_graph_that_is_replayed_reads_new_numbers(model: Path) -> None:
    with start(NAME, options={"enable_cuda_graph": 1}) as worker:
        worker.load(model)
        for factor in (1, 2, -1, 1):
            x = X * np.float32(factor)
            expected = np.maximum(x[..., :-1] + 2 * x[..., 1:] + np.float32(0.5), 0)
            assert worker.run({"x": x})["y"].tolist() == expected.tolist()


def test_what_is_left_to_the_cpu_is_named_or_refused(tmp_path: Path) -> None:
    """A window function, which the provider had no kernel for when this was written."""
    path = tmp_path / "window.onnx"
    text = """<ir_version: 8, opset_import: ["" : 17]>
    window (int64 n) => (float[K] y) { w = HannWindow (n)
      y = Relu (w) }"""
    onnx.save(onnx.parser.parse_model(text), path)
    with start(NAME) as worker:
        placed = worker.load(path)
    if not placed.unplaced:
        pytest.skip("this provider has a Hann window")
    assert CUDA in placed.placement or "CPUExecutionProvider" in placed.placement
    with (
        start(NAME, options={"cpu_fallback": 0}) as worker,
        pytest.raises(RuntimeFailed, match="raised NotImplemented"),
    ):
        worker.load(path)


def test_a_layer_passes_every_probe_or_its_arithmetic_is_named() -> None:
    """Without TF32: whatever cuDNN chose, what `exact` names must then hold."""
    spec = {"inputs": {"x": "float32[N, 8, 20, 18]"}, "layers": [{"conv": {"filters": 12, "kernel": 3, "pad": 1}}]}
    found = onnxconv.verify(spec, [NAME], probes=["exact"])
    (check,) = found.checks
    assert not check.unplaced
    if check.verdict == "fail":
        assert check.finding.arithmetic, check.reason
        again = onnxconv.verify(spec, [NAME], probes=["exact", "bound"], arithmetic=check.finding.arithmetic)
        assert again.verdict == "pass", [c.reason for c in again.checks]


def test_tf32_is_named() -> None:
    spec = {"inputs": {"x": "float32[N, 32, 20, 18]"}, "layers": [{"conv": {"filters": 64, "kernel": 1}}]}
    (check,) = onnxconv.verify(spec, [f"{NAME},use_tf32=1"], probes=["exact"]).checks
    if check.verdict == "pass":
        pytest.skip("the provider computes this layer in float32, although it may use TF32")
    assert check.finding.arithmetic == "tf32", check.reason
