"""The runtimes that come with the package, on a model made by hand."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from onnxconv.errors import UsageError
from onnxconv.execute.runtime import NumpyRuntime, PlannedRuntime
from onnxconv.runtimes import Absent, RuntimeAbsent, RuntimeFailed, Worker, start, status
from onnxconv.runtimes.engines import onnxruntime as engine
from onnxconv.runtimes.engines.onnxruntime import CPU, CUDA, OnnxRuntime, OnnxRuntimeSession
from onnxconv.runtimes.engines.reference import OnnxReference

Expected = dict[str, list[list[list[float]]]]


@pytest.mark.parametrize("name", ["numpy", "numpy:fast", "onnx-reference", "onnxruntime:cpu"])
def test_outputs_by_name(name: str, model: Path, x: np.ndarray, expected: Expected) -> None:
    with start(name) as worker:
        loaded = worker.load(model)
        got = worker.run({"x": x})
    assert loaded.version == worker.version != ""
    assert {output: array.tolist() for output, array in got.items()} == expected
    assert {array.dtype.name for array in got.values()} == {"float32"}


def test_onnxruntime_says_where_nodes_went(model: Path) -> None:
    with start("onnxruntime:cpu") as worker:
        loaded = worker.load(model)
    assert (loaded.version, loaded.unplaced) == (onnxruntime.__version__, ())
    assert loaded.placement == {CPU: 3}


@pytest.mark.parametrize("optimization", ["off", "basic", "extended", "all"])
def test_onnxruntime_takes_options(optimization: str, model: Path, x: np.ndarray, expected: Expected) -> None:
    session = engine.cpu({"threads": "1", "optimization": optimization}).load(str(model))
    assert session.run({"x": x})["y"].tolist() == expected["y"]


def test_options_reach_the_session(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    seen = {}

    def remember(_: str, options: onnxruntime.SessionOptions, **rest: object) -> None:
        seen.update(threads=options.intra_op_num_threads, level=options.graph_optimization_level, **rest)
        raise InterruptedError

    monkeypatch.setattr(onnxruntime, "InferenceSession", remember)
    with pytest.raises(InterruptedError):
        engine.cpu({"threads": "3", "optimization": "basic"}).load(str(model))
    assert seen == {
        "threads": 3,
        "level": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "providers": [(CPU, {})],
    }


def test_cuda_options_reach_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "demand_cuda", lambda ort: None)
    assert engine.cuda({}).provider_options == {"use_tf32": "0"}
    given = {"use_tf32": "1", "device_id": "2", "cudnn_conv_algo_search": "HEURISTIC", "prefer_nhwc": "1"}
    runtime = engine.cuda(given | {"optimization": "off"})
    assert (runtime.provider, runtime.provider_options) == (CUDA, given)


def test_cuda_does_not_fall_back(model: Path) -> None:
    """Asked for directly, where this onnxruntime has no such provider."""
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has the CUDA provider")
    with pytest.warns(UserWarning, match="not in available"), pytest.raises(RuntimeError, match="could not be created"):
        OnnxRuntime(onnxruntime, CUDA, {}, {}).load(str(model))


def test_bfloat16_is_handed_over_bit_for_bit(tmp_path: Path) -> None:
    """Doubled in float32 between two casts, which is exact; onnxruntime on the CPU has casts of bfloat16 and little else."""
    nodes = [
        onnx.helper.make_node("Cast", ["x"], ["wide"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Add", ["wide", "wide"], ["twice"]),
        onnx.helper.make_node("Cast", ["twice"], ["y"], to=onnx.TensorProto.BFLOAT16),
    ]
    value, types = onnx.helper.make_tensor_value_info, onnx.TensorProto
    inputs = [value("x", types.BFLOAT16, ["N", 3])]
    outputs = [value("y", types.BFLOAT16, ["N", 3]), value("twice", types.FLOAT, ["N", 3])]
    graph = onnx.helper.make_graph(nodes, "halves", inputs, outputs)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "halves.onnx")
    x = np.array([[1.5, -0.0, 3.0], [np.inf, 2.0**-130, -7.0]], ml_dtypes.bfloat16)
    for given in (x, x[:, ::-1], x[:1]):
        got = engine.cpu({}).load(str(tmp_path / "halves.onnx")).run({"x": given})
        assert got["y"].dtype == x.dtype
        assert got["y"].tobytes() == (given * x.dtype.type(2)).tobytes()
        assert got["twice"].tolist() == (2 * given.astype(np.float32)).tolist()


def test_a_model_may_be_refused_where_a_node_would_be_left_to_the_cpu(model: Path) -> None:
    """With a provider of the CPU's package that takes no nodes; onnxruntime itself refuses."""
    other = next((p for p in onnxruntime.get_available_providers() if p != CPU), None)
    if other is None:
        pytest.skip("this onnxruntime has the CPU provider alone")
    assert OnnxRuntime(onnxruntime, other, {}, {}).load(str(model)).unplaced == ("conv", "relu", "twice")
    with pytest.raises(NotImplementedError, match="fallback to CPU EP has been explicitly disabled"):
        OnnxRuntime(onnxruntime, other, {}, {"cpu_fallback": False}).load(str(model))


def test_nodes_placed_elsewhere_are_named(model: Path) -> None:
    session = OnnxRuntime(onnxruntime, CPU, {}, {}).load(str(model)).session
    assert set(OnnxRuntimeSession(onnxruntime, session, CUDA).unplaced) == {"conv", "relu", "twice"}


def test_replay_on_fixed_addresses(model: Path, x: np.ndarray) -> None:
    """What a captured CUDA graph needs, on the CPU: later runs give their own outputs, whatever their shapes."""
    plain = OnnxRuntime(onnxruntime, CPU, {}, {}).load(str(model))
    replayed = OnnxRuntimeSession(onnxruntime, plain.session, CPU, ("cpu", 0))
    for inputs in (x, x + 1, x[:, :, ::-1], x):
        want, got = plain.run({"x": np.ascontiguousarray(inputs)}), replayed.run({"x": inputs})
        assert {n: a.tolist() for n, a in got.items()} == {n: a.tolist() for n, a in want.items()}
        (single,) = replayed.run({"x": x[:1] + 1})["y"]
        assert single.tolist() == plain.run({"x": x[:1] + 1})["y"][0].tolist(), "another shape has memory of its own"


@pytest.mark.parametrize(("provider", "forbidden"), [(CPU, []), (CUDA, ["session.disable_cpu_ep_fallback"])])
def test_where_placement_cannot_be_read_back_no_node_may_fall_back(provider: str, forbidden: list[str]) -> None:
    """As in an onnxruntime from before `get_provider_graph_assignment_info`."""
    entries = []

    class Session:
        def __init__(self, path: str, options: SimpleNamespace, providers: list[tuple[str, dict[str, str]]]) -> None:
            self.get_providers = lambda: [name for name, _ in providers]

        def get_outputs(self) -> list[object]:
            return []

    def options() -> SimpleNamespace:
        return SimpleNamespace(add_session_config_entry=lambda key, value: entries.append((key, value)))

    levels = onnxruntime.GraphOptimizationLevel
    old = SimpleNamespace(
        __version__="1.20", InferenceSession=Session, SessionOptions=options, GraphOptimizationLevel=levels
    )
    session = OnnxRuntime(old, provider, {}, {}).load("model.onnx")
    assert (session.placement, session.unplaced) == ({}, ())
    fallback = [(key, value) for key, value in entries if "fallback" in key]
    assert fallback == [(key, "1") for key in forbidden]


def test_cuda_is_absent_with_a_remedy() -> None:
    found = status("onnxruntime:cuda")
    if not isinstance(found, Absent):
        pytest.skip("there is a GPU")
    assert found.reason
    assert found.fix


OPEN = {
    "numpy": NumpyRuntime,
    "numpy:fast": PlannedRuntime,
    "onnx-reference": OnnxReference,
    "onnxruntime:cpu": engine.cpu,
    "onnxruntime:cuda": engine.cuda,
}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("onnxruntime:cpu", {"thread": "1"}, "onnxruntime:cpu has no option 'thread' [unknown-option]"),
        ("onnxruntime:cpu", {"thread": "1"}, "did you mean 'threads'?"),
        ("onnxruntime:cpu", {"use_tf32": "1"}, "known here: optimization, threads"),
        ("onnxruntime:cpu", {"threads": "-1"}, "it is a whole number from 0"),
        ("onnxruntime:cpu", {"optimization": "full"}, "it is one of off, basic, extended, all"),
        ("onnxruntime:cuda", {"use_tf32": "yes"}, "option use_tf32 of onnxruntime:cuda is 'yes' [bad-option]"),
        ("onnx-reference", {"threads": "1"}, "this runtime has no options"),
        ("numpy", {"arithmetic": "bfloat"}, "it is one of float16, float32, float64, longdouble"),
        ("numpy", {"arithmetics": "x"}, "did you mean 'arithmetic'?"),
        ("numpy:fast", {"thread": "1"}, "did you mean 'threads'?"),
        ("numpy:fast", {"threads": "two"}, "it is a whole number from 0"),
    ],
)
def test_wrong_options_are_the_users_mistake(name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        OPEN[name](options)
    assert message in str(caught.value)


def test_every_wrong_option_is_said_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        start("onnxruntime:cpu", options={"a": 1, "threads": "many"})
    assert [d.code for d in caught.value.diagnostics] == ["unknown-option", "bad-option"]


def test_a_refused_model_fails_with_the_runtimes_words(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Convolve", ["x"], ["y"])],
        "unknown",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    path = tmp_path / "unknown.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    with start("onnxruntime:cpu") as worker, pytest.raises(RuntimeFailed) as caught:
        worker.load(path)
    assert caught.value.reason.startswith("raised ")
    assert "Convolve" in caught.value.reason
    assert str(tmp_path) not in caught.value.reason


def test_a_wrong_input_fails_and_the_next_run_works(model: Path, x: np.ndarray) -> None:
    with start("onnxruntime:cpu") as worker:
        worker.load(model)
        with pytest.raises(RuntimeFailed, match=r"^raised InvalidArgument: .*rank"):
            worker.run({"x": x[0]})
        assert worker.run({"x": x})["y"].shape == (2, 1, 3)


BACKEND = """
    import onnx.reference
    __version__ = "2.5"
    class Rep:
        def __init__(self, model): self.evaluator = onnx.reference.ReferenceEvaluator(model)
        def run(self, inputs, **kwargs): return {returned}
    class Backend:
        @classmethod
        def prepare(cls, model, device="CPU", **kwargs):
            assert device == {device!r}
            return Rep(model)
    prepare = Backend.prepare
"""


@pytest.mark.parametrize(
    ("returned", "names", "suffix"),
    [
        ("self.evaluator.run(None, dict(zip(['x'], inputs)))", ["y", "z"], ":Backend"),
        ("self.evaluator.run(None, dict(zip(['x'], inputs)))[:1]", ["y"], ""),
        ("tuple(self.evaluator.run(None, dict(zip(['x'], inputs)))) * 2", ["y", "z", "output_2", "output_3"], ""),
    ],
)
def test_onnx_backend(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    model: Path,
    x: np.ndarray,
    returned: str,
    names: list[str],
    suffix: str,
) -> None:
    (tmp_path / "small_backend.py").write_text(_text(BACKEND, returned=returned, device="NPU"))
    monkeypatch.syspath_prepend(tmp_path)
    with start(f"onnx-backend:small_backend{suffix}", options={"device": "NPU"}) as worker:
        worker.load(model)
        assert worker.version == "2.5"
        assert list(worker.run({"x": x})) == names


def test_onnx_backend_that_returns_no_tuple(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path, x: np.ndarray
) -> None:
    (tmp_path / "wrong_backend.py").write_text(_text(BACKEND, returned="None", device="CPU"))
    monkeypatch.syspath_prepend(tmp_path)
    with start("onnx-backend:wrong_backend") as worker:
        worker.load(model)
        with pytest.raises(RuntimeFailed, match="run returned NoneType instead of a tuple of arrays"):
            worker.run({"x": x})


def test_onnx_backend_without_prepare_and_without_module() -> None:
    with pytest.raises(UsageError, match="json has no function prepare"):
        start("onnx-backend:json")
    with pytest.raises(
        RuntimeAbsent, match="cannot be imported: ModuleNotFoundError: No module named 'no_such_backend'"
    ):
        start("onnx-backend:no_such_backend")


PROGRAM = """
    #!{python}
    import os, pathlib, signal, sys
    import numpy as np
    folder = pathlib.Path(sys.argv[-1])
    data = folder / "test_data_set_0"
    assert (folder / "model.onnx").is_file() and (data / "input_0.pb").is_file()
    x = np.load(data / "input_0.npy")
    print("noise")
    {rest}
"""

PROGRAMS = {
    "np.save(data / 'output_0.npy', x)": ["y"],
    "np.save(folder / 'output_1.npy', x)": ["z"],
    "np.save(data / 'output_0.npy', x); np.save(data / 'output_2.npy', x)": ["y", "output_2"],
    "(data / 'output_0.pb').write_bytes((data / 'input_0.pb').read_bytes())": ["y"],
    "sys.exit(3)": "raised RuntimeError: program exited with status 3",
    "os.abort()": "raised RuntimeError: program died with SIGABRT",
    "pass": "raised FileNotFoundError: program wrote no output_N.pb or output_N.npy",
    "(data / 'output_0.pb').write_bytes(b'no tensor')": "raised ValueError: output_0.pb holds no tensor",
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that does what a file beside it says."""
    path = tmp_path_factory.mktemp("programs") / "program"
    rest = "exec(pathlib.Path(__file__).with_name('rest').read_text())"
    path.write_text(_text(PROGRAM, python=sys.executable, rest=rest))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(scope="module")
def command(program: Path, model: Path) -> Iterator[Worker]:
    with start(f"command:{program}") as worker:
        worker.load(model)
        yield worker


@pytest.mark.parametrize("rest", PROGRAMS)
def test_command(command: Worker, program: Path, x: np.ndarray, rest: str) -> None:
    program.with_name("rest").write_text(rest)
    want = PROGRAMS[rest]
    if isinstance(want, list):
        got = command.run({"x": x})
        assert list(got) == want
        np.testing.assert_array_equal(got[want[0]], x)
    else:
        with pytest.raises(RuntimeFailed) as caught:
            command.run({"x": x})
        assert caught.value.reason == f"{want} while running the model"


def test_command_that_hangs(program: Path, model: Path, x: np.ndarray) -> None:
    program.with_name("rest").write_text("import time; time.sleep(1000)")
    with start(f"command:{program}") as worker:
        worker.load(model)
        worker.timeout = 0.5
        with pytest.raises(RuntimeFailed, match=r"timed out after 0\.5 s while running the model"):
            worker.run({"x": x})


def test_command_with_arguments_and_external_data(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        _text(
            """
            import pathlib, sys
            import numpy as np, onnx
            model = onnx.load(pathlib.Path(sys.argv[2]) / "model.onnx")
            assert sys.argv[1] == "--twice"
            w = onnx.numpy_helper.to_array(model.graph.initializer[0])
            np.save(pathlib.Path(sys.argv[2]) / "output_0.npy", w * 2)
            """
        )
    )
    folder = tmp_path / "m"
    folder.mkdir()
    w = onnx.numpy_helper.from_array(np.arange(2000, dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"])],
        "outside",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2000])],
        [w],
    )
    onnx.save(helper.make_model(graph), folder / "a.onnx", save_as_external_data=True, location="a.data")
    with start(f"command:{sys.executable} {tmp_path / 'program.py'} --twice") as worker:
        worker.load(folder / "a.onnx")
        np.testing.assert_array_equal(worker.run({})["y"], np.arange(2000, dtype=np.float32) * 2)


def _text(template: str, **words: str) -> str:
    import textwrap

    text = textwrap.dedent(template).lstrip()
    for name, word in words.items():
        text = text.replace("{" + name + "}", word).replace("{" + name + "!r}", repr(word))
    return text
