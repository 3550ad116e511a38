"""The runtimes that come with an extra: run where they are installed, absent with a remedy where they are not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import onnxconv
from onnxconv.errors import UsageError
from onnxconv.runtimes import Absent, RuntimeAbsent, RuntimeFailed, registry, start, status
from onnxconv.runtimes.engines.emx import EmxC
from onnxconv.runtimes.engines.iree import Iree
from onnxconv.runtimes.engines.ncnn import Ncnn
from onnxconv.runtimes.engines.opencv import OpenCV
from onnxconv.runtimes.engines.openvino import TELEMETRY, OpenVino
from onnxconv.runtimes.engines.tinygrad import Tinygrad
from onnxconv.runtimes.engines.torch import Torch
from onnxconv.runtimes.engines.tract import Tract
from onnxconv.runtimes.engines.tvm import Tvm
from onnxconv.runtimes.packages import imported, program, version_of
from onnxconv.verify import Verdict

ROOT = Path(__file__).parents[2]

OPEN = {
    "openvino": (OpenVino, "openvino", "openvino"),
    "tract": (Tract, "tract", "tract"),
    "opencv": (OpenCV, "cv2", "opencv-python-headless"),
    "tinygrad": (Tinygrad, "tinygrad", "tinygrad"),
    "torch": (Torch, "onnx2torch", "onnx2torch"),
    "emx-c": (EmxC, "emx_onnx_cgen", "emx-onnx-cgen"),
    "tvm": (Tvm, "tvm", "apache-tvm"),
    "iree": (Iree, "iree", "iree-base-compiler"),
    "ncnn": (Ncnn, "ncnn", "ncnn"),
}
"""Runtime, module and package by name."""

HERE = [pytest.param(name, marks=pytest.mark.extra(name)) for name in OPEN]

Expected = dict[str, list[list[list[float]]]]


state_of = cache(status)


def demand(name: str) -> None:
    state = state_of(name)
    if isinstance(state, Absent):
        pytest.skip(f"{state.reason}: {state.fix}")


@pytest.mark.parametrize("name", HERE)
def test_outputs_by_name_for_every_size(name: str, model: Path, x: np.ndarray, expected: Expected) -> None:
    demand(name)
    with start(name, timeout=300) as worker:
        loaded = worker.load(model)
        for count in (2, 1, 2):
            got = worker.run({"x": x[:count]})
            assert {output: array.tolist() for output, array in got.items()} == {
                output: values[:count] for output, values in expected.items()
            }
            assert {array.dtype.name for array in got.values()} == {"float32"}
    assert loaded.version == worker.version != ""


@pytest.mark.parametrize("name", HERE)
def test_outputs_outlive_the_next_run(name: str, model: Path, x: np.ndarray, expected: Expected) -> None:
    """A runtime may hand out memory that it writes again."""
    demand(name)
    session = OPEN[name][0]({}).load(str(model))
    first = session.run({"x": x})
    session.run({"x": x + 1})
    assert {output: array.tolist() for output, array in first.items()} == expected


@pytest.mark.parametrize("name", HERE)
def test_a_network_in_direct_float32(name: str) -> None:
    demand(name)
    network = onnxconv.read(ROOT / "specs" / "quickstart.yaml")
    found = network.verify(runtimes=[name], probes=["shape", "impulse", "bound"], timeout=300)
    assert found.verdict is Verdict.PASS, [check.reason for check in found.checks]


@pytest.mark.parametrize("name", HERE)
def test_what_cannot_be_loaded_is_no_end(name: str, tmp_path: Path, model: Path, x: np.ndarray) -> None:
    demand(name)
    (tmp_path / "rubbish.onnx").write_bytes(b"\xff" * 64)
    with start(name, timeout=300) as worker:
        with pytest.raises(RuntimeFailed):
            worker.load(tmp_path / "rubbish.onnx")
        worker.load(model)
        assert worker.run({"x": x})["y"].shape == (2, 1, 3)


@pytest.mark.parametrize("name", OPEN)
def test_absent_with_the_line_that_installs_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, module, package = OPEN[name]
    for variable in ("DEV", "CACHELEVEL"):
        monkeypatch.setenv(variable, "")
    for loaded in [m for m in sys.modules if m.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, TELEMETRY, None)
    if name == "torch":
        monkeypatch.setitem(sys.modules, "torch", object())
    monkeypatch.setattr(sys, "meta_path", [Without(module), *sys.meta_path])
    with pytest.raises(RuntimeAbsent) as caught:
        runtime({})
    assert (caught.value.reason, caught.value.fix) == (
        f"{package} is not installed",
        f"pip install {'--no-deps ' * (name == 'openvino')}{package}",
    )


class Without:
    """A finder that finds everything but one module."""

    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == self.module:
            raise ModuleNotFoundError(f"No module named {self.module!r}", name=self.module)


def test_ncnn_asks_for_a_converter_without_its_dependencies(monkeypatch: pytest.MonkeyPatch) -> None:
    """pnnx depends on PyTorch, which converting ONNX models does not need."""
    monkeypatch.setitem(sys.modules, "ncnn", object())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeAbsent) as caught:
        Ncnn({})
    assert (caught.value.reason, caught.value.fix) == ("pnnx is not installed", "pip install --no-deps pnnx")


@pytest.mark.extra("iree")
@pytest.mark.parametrize("options", [{"threads": "1"}, {"threads": "2", "optimize": "3"}])
def test_iree_with_options(options: dict[str, str], model: Path, x: np.ndarray, expected: Expected) -> None:
    demand("iree")
    with start("iree", timeout=300, options=options) as worker:
        worker.load(model)
        assert {name: y.tolist() for name, y in worker.run({"x": x}).items()} == expected


@pytest.mark.extra("ncnn")
def test_ncnn_joins_along_the_axis_that_is_meant() -> None:
    """Of a lone join pnnx cannot tell which axis is the batch, and leaves it in."""
    demand("ncnn")
    spec = {"inputs": {"x": "float32[2, 4, 5, 6]", "y": "float32[2, 3, 5, 6]"}, "layers": [{"concat": ["x", "y"]}]}
    found = onnxconv.verify(spec, ["ncnn"], probes=["shape", "exact"], timeout=300)
    assert found.verdict is Verdict.PASS, [check.reason for check in found.checks]


@pytest.mark.extra("ncnn")
def test_ncnn_as_it_comes_is_told_by_its_arithmetic() -> None:
    demand("ncnn")
    spec = {"inputs": {"x": "float32[1, 16, 14, 14]"}, "layers": [{"conv": {"filters": 16, "kernel": 3, "pad": 1}}]}
    verdicts = {}
    for runtime in ("ncnn", "ncnn,winograd=1"):
        verdicts[runtime] = onnxconv.verify(spec, [runtime], probes=["exact"], timeout=300).checks[0]
    assert verdicts["ncnn"].verdict is Verdict.PASS, verdicts["ncnn"].reason
    assert verdicts["ncnn,winograd=1"].finding.arithmetic.startswith("winograd")


def test_a_package_that_cannot_be_imported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_one.py").write_text("raise OSError('libgone.so: cannot open\\nand more')")
    with pytest.raises(RuntimeAbsent) as caught:
        imported("broken_one", "broken")
    assert caught.value.reason == "broken cannot be imported: libgone.so: cannot open"
    assert caught.value.fix == "pip install --force-reinstall broken"
    (tmp_path / "needy_one.py").write_text("import never_heard_of_it")
    with pytest.raises(RuntimeAbsent) as caught:
        imported("needy_one", "needy")
    assert caught.value.reason == "needy cannot be imported: No module named 'never_heard_of_it'"
    assert caught.value.fix == "pip install never_heard_of_it"
    (tmp_path / "half_one").mkdir()
    (tmp_path / "half_one" / "__init__.py").write_text("import half_one.gone")
    with pytest.raises(RuntimeAbsent) as caught:
        imported("half_one", "half")
    assert caught.value.fix == "pip install --force-reinstall half"


def test_a_program_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeAbsent) as caught:
        program(("cc", "gcc"), "the C is compiled", "install one")
    assert caught.value.reason == "the C is compiled with cc or gcc, which is not on PATH"
    (tmp_path / "gcc").write_text("#!/bin/sh\n")
    (tmp_path / "gcc").chmod(0o755)
    assert program(("cc", "gcc"), "", "") == str(tmp_path / "gcc")


def test_versions_of_several_packages() -> None:
    assert version_of("numpy") == np.__version__
    assert version_of("numpy", "onnxconv") == f"numpy {np.__version__}, onnxconv {onnxconv.__version__}"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("openvino", {"precision": "bf16"}, "it is one of f32, default"),
        ("openvino", {"thread": "1"}, "did you mean 'threads'?"),
        ("tract", {"threads": "1"}, "this runtime has no options"),
        ("opencv", {"threads": "1"}, "this runtime has no options"),
        ("tinygrad", {"device": "gpu"}, "it is one of cpu, python"),
        ("torch", {"threads": "all"}, "it is a whole number from 0"),
        ("emx-c", {"optimize": "fast"}, "it is one of 0, 1, 2, 3"),
        ("tvm", {"target": "cuda"}, "this runtime has no options"),
        ("iree", {"optimize": "4"}, "it is one of 0, 1, 2, 3"),
        ("ncnn", {"winograd": "yes"}, "it is 0 or 1"),
    ],
)
def test_wrong_options_are_the_users_mistake(name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        OPEN[name][0](options)
    assert message in str(caught.value)


def test_each_is_an_extra_but_openvino_whose_package_brings_telemetry() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name, (_, _, package) in OPEN.items():
        assert name in registry.BUILT_IN
        if name == "openvino":
            assert name not in extras
            continue
        assert package in [line.partition(">")[0] for line in extras[name]]


@pytest.mark.extra("openvino")
def test_importing_openvino_tells_nobody() -> None:
    demand("openvino")
    program = (
        "import sys; from onnxconv.runtimes.engines.openvino import *; OpenVino({}); "
        "sys.exit(sys.modules[TELEMETRY] is not None or 'openvino' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=120).returncode == 0


def bfloat16_processor() -> bool:
    flags = Path("/proc/cpuinfo")
    return flags.exists() and any(word in flags.read_text() for word in ("avx512_bf16", "amx_bf16"))


@pytest.mark.extra("openvino")
def test_openvino_as_it_comes_computes_in_bfloat16_where_the_processor_does() -> None:
    demand("openvino")
    network = onnxconv.read(ROOT / "specs" / "quickstart.yaml")
    found = network.verify(runtimes=["openvino,precision=default"], probes=["exact"], timeout=300)
    named = ("fail", "bfloat16") if bfloat16_processor() else ("pass", "direct")
    assert (found.verdict.value, found.checks[0].finding.arithmetic) == named
