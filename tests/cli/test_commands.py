"""Each command does what it says: results, files, several sources, standard input, and every exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import click
import ml_dtypes
import numpy as np
import onnx
import pytest
from cli.shell import NET, call

import onnxconv
from onnxconv.cli.verify import status
from onnxconv.errors import OnnxconvError
from onnxconv.network import Network

pytestmark = pytest.mark.usefixtures("here")


def write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


# report


def test_report_prints_the_table() -> None:
    told = call("report", "net.yaml")
    assert told.exit_code == 0
    assert told.stdout == str(onnxconv.report("net.yaml")) + "\n"
    assert not told.stderr


@pytest.mark.parametrize("format", ["text", "json", "csv", "markdown", "html"])
def test_report_in_a_file_is_what_it_prints(format: str) -> None:
    printed = call("report", "net.yaml", "--format", format)
    told = call("report", "net.yaml", "--format", format, "-o", "report.out")
    assert told.exit_code == 0
    assert not told.stdout
    assert told.stderr == "wrote report.out\n"
    assert Path("report.out").read_text(encoding="utf-8") == printed.stdout


def test_report_formats_agree() -> None:
    document = json.loads(call("report", "net.yaml", "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(call("report", "net.yaml", "--format", "csv").stdout)))
    assert [row["params"] for row in rows] == [str(layer["params"]) for layer in document["layers"]]
    assert document["totals"]["params"] == 4 * 27 + 4 + 4 * 10 + 10


def test_report_takes_parameters_and_shapes() -> None:
    document = json.loads(call("report", "net.yaml", "--set", "classes=7", "--format", "json").stdout)
    assert document["outputs"][0]["shape"] == ["N", 7]
    opened = json.loads(call("report", "open.yaml", "--input-shape", "x=N,3,9,W", "--format", "json").stdout)
    assert opened["outputs"][0]["shape"] == ["N", 4, 7, "W-2"]
    assert opened["totals"]["macs"] is None


def test_report_tells_positions() -> None:
    asked = ("report", "net.yaml", "--at", "stem=0,-1", "--at", "y")
    positions = json.loads(call(*asked, "--format", "json").stdout)["positions"]
    assert [(entry["layer"], entry["position"]) for entry in positions] == [("stem", [0, 7]), ("y", [])]
    rows, columns = positions[0]["inputs"]["x"]
    assert (rows["seen"], rows["clipped"], rows["samples"]) == ([0, 1], [1, 0], 2)
    assert (columns["seen"], columns["clipped"], columns["samples"]) == ([13, 15], [0, 0], 3)
    assert [axis["field"] for axis in positions[1]["inputs"]["x"]] == [None, None]
    for format in ("text", "markdown", "html"):
        told = call(*asked, "--format", format).stdout
        assert told.index("at stem [0, 7]") < told.index("at y")


def test_report_tells_seconds() -> None:
    write(
        "sound.yaml",
        'inputs: {x: "float32[N, 1, 99]"}\nlayers: [{conv: {filters: 1, kernel: 5, stride: 2}, name: y}]\n',
    )
    asked = ("report", "sound.yaml", "--sample-rate", "1000")
    context = json.loads(call(*asked, "--format", "json").stdout)["layers"][0]["context"]["x"]
    assert (context["right"], context["latency"], context["seconds"]["latency"], context["seconds"]["rate"]) == (
        4,
        5,
        0.005,
        500,
    )
    (row,) = csv.DictReader(io.StringIO(call(*asked, "--format", "csv").stdout))
    assert (row["context_latency_x"], row["seconds_latency_x"], row["seconds_rate_x"]) == ("5", "0.005", "500.0")
    for format in ("text", "markdown", "html"):
        assert "0.005" in call(*asked, "--format", format).stdout


@pytest.mark.parametrize("source", ["net.yaml", "net.json", "-", "made.onnx"])
def test_every_kind_of_source_gives_the_same_layers(source: str) -> None:
    spec = {
        "name": "net",
        "inputs": {"x": "float32[N, 3, 16, 16]"},
        "layers": [
            {"conv": {"filters": 4, "kernel": 3, "stride": 2, "pad": 1}, "name": "stem"},
            "relu",
            "global_average_pool",
            "flatten",
            {"dense": 10, "name": "y"},
        ],
    }
    write("net.json", json.dumps(spec))
    call("build", "net.yaml", "-o", "made.onnx")
    expected = json.loads(call("report", "net.yaml", "--format", "json").stdout)
    found = json.loads(call("report", source, "--format", "json", input=NET).stdout)
    assert found["source"] == source
    assert found["layers"] == expected["layers"]
    assert found["totals"] == expected["totals"]


def test_a_one_line_problem_is_a_source() -> None:
    told = call("report", 'mb1_ic64ih56iw56_oc64_kh3kw3_ph1pw1_n"res2a"', "--format", "json")
    assert told.exit_code == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["layers"][0]["macs"] == 64 * 64 * 9 * 56 * 56
    assert document["layers"][0]["window"][0]["dilation"] == 1


# build


def test_build_writes_a_checked_model() -> None:
    told = call("build", "net.yaml", "-o", "net.onnx")
    assert told.exit_code == 0
    assert not told.stdout
    assert told.stderr == "wrote net.onnx\n"
    model = onnx.load("net.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 17
    assert model.ir_version == 8


def test_bfloat16_files() -> None:
    """NumPy stores bfloat16 as raw pairs of bytes, and reads it back so."""
    text = Path("net.yaml").read_text().replace("float32[", "bfloat16[")
    Path("half.yaml").write_text(text)
    bfloat16 = np.dtype(ml_dtypes.bfloat16)
    first = call("run", "half.yaml", "-o", "y.npz", "--every-tensor", "--seed", "3")
    assert first.exit_code == 0, first.stderr
    (name, type_), *_ = onnxconv.read("half.yaml").graph.inputs
    x = onnxconv.read("half.yaml", seed=3).inputs({}, 3)[name]
    assert (x.dtype, type_.dtype) == (bfloat16, "bfloat16")
    np.save("x.npy", x)
    again = call("run", "half.yaml", "-o", "z.npz", "--every-tensor", "--seed", "3", "--input", f"{name}=x.npy")
    assert again.exit_code == 0, again.stderr
    assert Path("y.npz").read_bytes() == Path("z.npz").read_bytes()
    with np.load("y.npz") as arrays:
        for array in arrays.values():
            assert array.dtype == np.dtype("V2")
            assert np.isfinite(array.view(bfloat16).astype(float)).all()


BUILDS: dict[str, Any] = {
    "--opset 19": lambda m: m.opset_import[0].version == 19,
    "--ir-version 9": lambda m: m.ir_version == 9,
    "--dtype float64": lambda m: m.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE,
    "--dtype float16": lambda m: m.graph.initializer[0].data_type == onnx.TensorProto.FLOAT16,
    "--dtype bfloat16 --opset 22": lambda m: m.graph.initializer[0].data_type == onnx.TensorProto.BFLOAT16,
    "--weights-as inputs": lambda m: len(m.graph.input) == 5,
    "--weights-as constants": lambda m: len(m.graph.input) == 1,
    "--external-data always": lambda _: Path("net.onnx.data").is_file(),
    "--external-data never": lambda _: not Path("net.onnx.data").exists(),
    "--external-data auto": lambda _: not Path("net.onnx.data").exists(),
    "--set classes=3": lambda m: m.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 3,
    "--input-shape x=2,3,8,8": lambda m: m.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2,
}


@pytest.mark.parametrize("flags", BUILDS)
def test_build_does_as_asked(flags: str) -> None:
    told = call("build", "net.yaml", "-o", "net.onnx", *flags.split())
    assert told.exit_code == 0, told.stderr
    assert BUILDS[flags](onnx.load("net.onnx"))


def test_build_draws_from_the_seed() -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        call("build", "net.yaml", "-o", f"{name}.onnx", "--seed", seed)
    a, b, c = (Path(f"{name}.onnx").read_bytes() for name in "abc")
    assert a == b != c


def test_build_reads_weights() -> None:
    rng = np.random.default_rng(0)
    shapes = {"stem.weight": (4, 3, 3, 3), "stem.bias": (4,), "y.weight": (10, 4), "y.bias": (10,)}
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    np.savez("w.npz", **arrays)
    told = call("build", "net.yaml", "-o", "net.onnx", "--weights", "w.npz")
    assert told.exit_code == 0, told.stderr
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load("net.onnx").graph.initializer}
    assert all((stored[name] == array).all() for name, array in arrays.items())


def test_build_fills_a_folder() -> None:
    told = call("build", "net.yaml", "open.yaml", "-o", "deep/models")
    assert told.exit_code == 0, told.stderr
    assert sorted(p.name for p in Path("deep/models").iterdir()) == ["net.onnx", "open.onnx"]
    alone = call("build", "net.yaml", "-o", "single/")
    assert alone.stderr == "wrote single/net.onnx\n"
    call("build", "net.yaml", "-o", "direct.onnx")
    assert Path("single/net.onnx").read_bytes() == Path("direct.onnx").read_bytes()


def test_build_moves_external_data_along() -> None:
    for _ in range(2):
        told = call("build", "net.yaml", "open.yaml", "-o", "out", "--external-data", "always")
        assert told.exit_code == 0, told.stderr
    assert sorted(p.name for p in Path("out").iterdir()) == ["net.onnx", "net.onnx.data", "open.onnx", "open.onnx.data"]
    onnx.checker.check_model("out/net.onnx", full_check=True)


def test_build_names_what_is_no_file_after_the_network() -> None:
    assert call("build", "-", "-o", "out", input=NET).exit_code == 0
    assert [p.name for p in Path("out").iterdir()] == ["net.onnx"]


# run


def test_run_writes_the_outputs() -> None:
    told = call("run", "net.yaml", "-o", "y.npz")
    assert told.exit_code == 0, told.stderr
    with np.load("y.npz") as found:
        assert found.files == ["y"]
        assert (found["y"] == onnxconv.run("net.yaml")["y"]).all()
        assert found["y"].shape == (1, 10)


def test_run_is_reproducible_to_the_byte() -> None:
    for name in "ab":
        call("run", "net.yaml", "-o", f"{name}.npz", "--seed", "3")
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()


def test_run_writes_every_tensor() -> None:
    call("run", "net.yaml", "-o", "all.npz", "--every-tensor")
    with np.load("all.npz") as found:
        assert found.files == ["stem", "relu", "global_average_pool", "flatten", "y"]


@pytest.mark.parametrize("form", ["x=x.npy", "all.npz"])
def test_run_reads_inputs(form: str) -> None:
    x = np.linspace(-1, 1, 2 * 3 * 256, dtype=np.float32).reshape(2, 3, 16, 16)
    np.save("x.npy", x)
    np.savez("all.npz", x=x)
    assert call("run", "net.yaml", "-o", "y.npz", "--input", form).exit_code == 0
    with np.load("y.npz") as found:
        assert found["y"].shape == (2, 10)
        assert (found["y"] == onnxconv.run("net.yaml", {"x": x})["y"]).all()


def test_run_on_another_runtime() -> None:
    call("run", "net.yaml", "-o", "a.npz", "--every-tensor")
    told = call(
        "run",
        "net.yaml",
        "-o",
        "b.npz",
        "--every-tensor",
        "--runtime",
        "onnxruntime:cpu",
        "--runtime-option",
        "threads=1",
    )
    assert told.exit_code == 0, told.stderr
    with np.load("a.npz") as a, np.load("b.npz") as b:
        assert set(a.files) == set(b.files)
        assert all(np.allclose(a[name], b[name], atol=1e-5) for name in a.files)


def test_run_keeps_scalars_and_odd_names() -> None:
    from onnxconv.cli.run import _write

    arrays = {"a/b.c": np.float32(3).reshape(()), "file": np.arange(4.0)[::2]}
    with open("odd.npz", "wb") as stream:
        _write(stream, arrays)
    with np.load("odd.npz") as found:
        assert found["a/b.c"].shape == ()
        assert found["file"].tolist() == [0, 2]


# verify


def test_verify_passes_by_default_on_onnxruntime() -> None:
    told = call("verify", "net.yaml")
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("net.yaml: pass\n")
    assert "onnxruntime:cpu" in told.stdout
    assert not told.stderr


def test_verify_in_json_has_the_contracts_keys() -> None:
    document = json.loads(call("verify", "net.yaml", "--format", "json", "--probe", "exact", "--seed", "5").stdout)
    assert document["source"] == "net.yaml"
    assert document["verdict"] == "pass"
    (check,) = document["checks"]
    keys = "runtime version probe output verdict mismatches elements max_error bound_used first_divergence placement seed reproduce"
    assert set(keys.split()) <= set(check)
    assert (check["runtime"], check["probe"], check["seed"]) == ("onnxruntime:cpu", "exact", 5)


def test_verify_several_sources() -> None:
    told = call("verify", "net.yaml", "open.yaml", "--probe", "shape", "--format", "json")
    assert [document["source"] for document in json.loads(told.stdout)] == ["net.yaml", "open.yaml"]


def test_probes_with_commas_between() -> None:
    told = call("verify", "net.yaml", "--probe", "exact,shape", "--probe", "bound", "--format", "json")
    assert told.exit_code == 0
    assert {check["probe"] for check in json.loads(told.stdout)["checks"]} == {"exact", "shape", "bound"}


def test_verify_several_sources_in_text() -> None:
    text = call("verify", "net.yaml", "open.yaml", "--probe", "shape")
    assert "net.yaml: pass\n" in text.stdout
    assert "\n\nopen.yaml: pass\n" in text.stdout
    filed = call("verify", "net.yaml", "open.yaml", "--probe", "shape", "-o", "verdicts.txt")
    assert not filed.stdout
    assert Path("verdicts.txt").read_text(encoding="utf-8") == text.stdout


def test_verify_blames_a_wrong_runtime() -> None:
    told = call("verify", "net.yaml", "--runtime", "python:wrong.py", "--probe", "exact")
    assert told.exit_code == 1, told.output
    assert told.stdout.startswith("net.yaml: fail\n")
    assert "onnxconv verify net.yaml --runtime python:wrong.py --probe exact --seed 0" in told.stdout


def test_verify_says_fail_when_only_one_of_two_disagrees() -> None:
    told = call(
        "verify", "net.yaml", "--runtime", "onnxruntime:cpu", "--runtime", "python:wrong.py", "--probe", "exact"
    )
    assert told.exit_code == 1


def test_verify_tells_what_cannot_run_here() -> None:
    told = call("verify", "net.yaml", "--runtime", "onnx-backend:nonesuch", "--probe", "shape")
    assert told.exit_code == 3, told.output
    assert told.stdout.startswith("net.yaml: not_run\n")


def test_a_reproduction_line_has_all_that_was_set() -> None:
    told = call(
        *(
            "verify",
            "net.yaml",
            "--set",
            "classes=3",
            "--input-shape",
            "x=2,3,16,16",
            "--timeout",
            "30",
            "--trials",
            "2",
        ),
        *("--probe", "shape", "--format", "json", "--runtime-option", "threads=1", "--seed", "4"),
    )
    (check,) = json.loads(told.stdout)["checks"]
    again = call(*check["reproduce"].split()[1:], "--format", "json")
    assert again.stdout == told.stdout
    assert "--set classes=3 --input-shape x=2,3,16,16 --runtime-option threads=1 --timeout 30" in check["reproduce"]


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ({"pass"}, 0),
        ({"pass", "fail"}, 1),
        ({"fail", "not_run", "untrusted"}, 1),
        ({"pass", "not_run"}, 3),
        ({"untrusted"}, 3),
        (set(), 3),
    ],
)
def test_exit_status_of_verdicts(verdicts: set[str], code: int) -> None:
    assert status(verdicts) == code


# runtimes, schema, doctor


CORE = ("numpy", "onnx-reference", "onnxruntime:cpu", "onnxruntime:cuda")


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no extra were known: to start every engine takes long."""
    from onnxconv.runtimes import registry

    monkeypatch.setattr(registry, "names", lambda: CORE)


@pytest.mark.slow
def test_runtimes_lists_all() -> None:
    entries = json.loads(call("runtimes", "--format", "json").stdout)["runtimes"]
    assert [entry["name"] for entry in entries] == list(onnxconv.runtimes.names())
    assert all(entry["version"] if entry["available"] else entry["reason"] for entry in entries)


@pytest.mark.usefixtures("core")
def test_runtimes_tells_versions_and_reasons() -> None:
    entries = json.loads(call("runtimes", "--format", "json").stdout)["runtimes"]
    by_name = {entry["name"]: entry for entry in entries}
    assert tuple(by_name) == CORE
    assert by_name["numpy"]["available"]
    assert by_name["numpy"]["version"] == np.__version__
    assert all(entry["version"] if entry["available"] else entry["reason"] for entry in entries)


def test_schema_is_one_json_document() -> None:
    told = call("schema")
    assert json.loads(told.stdout)["$schema"].startswith("https://json-schema.org/")
    call("schema", "-o", "schema.json")
    assert Path("schema.json").read_text(encoding="utf-8") == told.stdout


@pytest.mark.slow
def test_doctor_asks_every_runtime() -> None:
    told = call("doctor", "--format", "json")
    asked = {finding["subject"] for finding in json.loads(told.stdout)["findings"]}
    assert {f"runtime {name}" for name in onnxconv.runtimes.names()} <= asked


@pytest.mark.usefixtures("core")
def test_doctor_finds_nothing_wrong_here() -> None:
    told = call("doctor", "--format", "json")
    document = json.loads(told.stdout)
    assert told.exit_code == 0, told.stdout
    assert document["healthy"]
    found = {finding["subject"]: finding for finding in document["findings"]}
    assert found["numpy"]["found"] == np.__version__
    assert found["runtime onnxruntime:cpu"]["state"] == "ok"
    assert {"CUDA provider", "NVIDIA driver"} <= set(found)


def test_doctor_sees_two_onnxruntimes_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from onnxconv.errors import Diagnostic, Where

    both = Diagnostic(Where(), "two-onnxruntimes", "both are installed", "they overwrite each other", "uninstall both")
    import onnxconv.cli.installation as room

    monkeypatch.setattr(room, "NEEDED", {"numpy": "numpy"})
    monkeypatch.setattr(room, "_runtimes", lambda: iter(()))
    monkeypatch.setattr(sys.modules["onnxconv.runtimes"], "conflicts", lambda: (both,))
    told = call("doctor")
    assert told.exit_code == 3
    assert "both are installed: they overwrite each other" in told.stdout
    assert "fix: uninstall both" in told.stdout


def test_doctor_imports_each_package_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxconv.cli.installation as room

    monkeypatch.setattr(room, "NEEDED", {"nonesuch": "nonesuch", "crash": "os; os.abort()"})
    monkeypatch.setattr(room, "_runtimes", lambda: iter(()))
    told = call("doctor", "--format", "json")
    assert told.exit_code == 3
    found = {finding["subject"]: finding for finding in json.loads(told.stdout)["findings"]}
    assert found["nonesuch"]["state"] == "problem"
    assert found["nonesuch"]["found"] == "ModuleNotFoundError: No module named 'nonesuch'"
    assert found["crash"]["found"].endswith("dies with signal 6")
    assert found["crash"]["fix"] == "pip install --force-reinstall crash"


def test_doctor_knows_every_dependency_of_the_project() -> None:
    import tomllib

    from cli.shell import ROOT

    import onnxconv.cli.installation as room

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {d.partition(">")[0] for d in project["dependencies"]} == set(room.NEEDED)


# the edge


def raising(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("division by zero"), 70, "this is a bug in onnxconv: ZeroDivisionError: division by zero"),
        (AssertionError("an invariant"), 70, "AssertionError: an invariant"),
        (MemoryError(), 3, "not enough memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "secret"), 2, "secret: Permission denied"),
        (click.FileError("x", "broken"), 2, "broken"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_happens_has_an_exit_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str
) -> None:
    monkeypatch.setattr(Network, "report", raising(error))
    told = call("report", "net.yaml")
    assert told.exit_code == code
    assert words in told.stderr
    assert "Traceback" not in told.stderr
    assert not told.stdout


def test_a_bug_can_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "report", raising(ZeroDivisionError()))
    monkeypatch.setenv("ONNXCONV_DEBUG", "1")
    told = call("report", "net.yaml")
    assert told.exit_code == 70
    assert "Traceback" in told.stderr


def test_a_missing_runtime_is_exit_3_and_a_broken_one_1() -> None:
    write("broken.py", "def prepare(path):\n    raise RuntimeError('no')\n")
    assert call("run", "net.yaml", "-o", "y.npz", "--runtime", "python:broken.py").exit_code == 1
    assert not Path("y.npz").exists()


# files


def test_files_are_replaced_whole_with_usual_permissions(here: Path) -> None:
    write("report.json", "old")
    call("report", "net.yaml", "--format", "json", "-o", "report.json")
    assert json.loads(Path("report.json").read_text())["name"] == "net"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(Path("report.json").stat().st_mode) == 0o666 & ~umask
    assert not [p for p in here.iterdir() if p.name.startswith(".")]


def test_a_failure_while_writing_leaves_the_old_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("y.npz", "old")
    monkeypatch.setattr(np.lib.format, "write_array", raising(OSError(28, "No space left on device")))
    told = call("run", "net.yaml", "-o", "y.npz")
    assert told.exit_code == 2
    assert "No space left on device" in told.stderr
    assert Path("y.npz").read_text() == "old"
    assert sorted(p.name for p in here.iterdir()) == ["bad.yaml", "net.yaml", "open.yaml", "wrong.py", "y.npz"]


def test_a_device_is_written_as_it_is() -> None:
    told = call("report", "net.yaml", "-o", "/dev/null")
    assert told.exit_code == 0, told.stderr
    assert not os.path.isfile("/dev/null")


@pytest.mark.parametrize("place", ["no/such/folder/report.txt", "."])
def test_what_cannot_be_written_is_a_mistake(place: str) -> None:
    told = call("report", "net.yaml", "-o", place)
    assert told.exit_code == 2
    assert "cannot be written" in told.stderr


def test_errors_of_the_library_carry_their_exit_status() -> None:
    with pytest.raises(OnnxconvError) as raised:
        onnxconv.read("bad.yaml")
    assert raised.value.exit_code == 2


def test_a_dash_is_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = "mb1_ic4ih8_oc4_kh3ph1"
    plain, dashed = (call("report", source, *more) for more in ([], ["-o", "-"]))
    assert (dashed.exit_code, dashed.stdout) == (0, plain.stdout)
    assert not (tmp_path / "-").exists()
    assert call("report", source, "-o", "").exit_code == 2
