"""Whatever a runtime does, it ends as arrays or as a `RuntimeFailed` with a reason; our process goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from onnxconv.runtimes import RuntimeFailed, start
from onnxconv.runtimes.process import Worker

Make = Callable[..., str]

ENDINGS = {
    "ctypes.string_at(0)": "died with SIGSEGV while running the model",
    "os.abort()": "died with SIGABRT while running the model",
    "os.kill(os.getpid(), signal.SIGKILL)": "died with SIGKILL (out of memory?) while running the model",
    "os.kill(os.getpid(), signal.SIGRTMIN + 1)": "died with signal 35 while running the model",
    "os._exit(3)": "exited with status 3 while running the model",
    "os._exit(0)": "exited with status 0 while running the model",
    "sys.exit(3)": "raised SystemExit: 3 while running the model",
    "raise KeyboardInterrupt": "raised KeyboardInterrupt while running the model",
    "raise ValueError('bad\\n   shape')": "raised ValueError: bad shape while running the model",
    "raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})": "raised E: its message cannot be shown while running the model",
    "np.empty(2**62, np.uint8)": "raised MemoryError: Unable to allocate 4.00 EiB for an array with shape "
    "(4611686018427387904,) and data type uint8 while running the model",
    "[os.write(fd, b'\\xff' * 64) for fd in (3, 4, 5) if os.path.realpath(f'/proc/self/fd/{fd}').count('pipe') and "
    "open(f'/proc/self/fdinfo/{fd}').read().split()[3].endswith('1')]; time.sleep(9)": "wrote rubbish into the worker's answers while running the model",
    "return None": "returned None instead of a dict of arrays by output name while running the model",
    "return [np.zeros(1)]": "returned a list instead of a dict of arrays by output name while running the model",
    "return {1: np.zeros(1)}": "returned an output named 1; a name is a str while running the model",
    "return {'y': [1.0]}": "returned a list instead of an array for output 'y' while running the model",
    "return {'y': None}": "returned None instead of an array for output 'y' while running the model",
    "return {'y': np.array([None])}": "returned an array of dtype object for output 'y'; only numbers and bool compare "
    "while running the model",
    "return {'y': np.array(['a'])}": "returned an array of dtype <U1 for output 'y'; only numbers and bool compare "
    "while running the model",
    "return {'y': np.zeros(1, [('a', 'f4')])}": "returned an array of dtype [('a', '<f4')] for output 'y'; only numbers "
    "and bool compare while running the model",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Worker]:
    """A worker that runs the source which it is given as an input; it is restarted after each death."""
    text = """
    import ctypes, os, signal, sys, time
    import numpy as np
    def prepare(model_path):
        def run(inputs):
            found = {}
            lines = bytes(inputs["source"]).decode().splitlines()
            exec("\\n    ".join(["def body():", *lines]), globals(), found)
            return found["body"]()
        return run
    """
    file = tmp_path_factory.mktemp("runtimes") / "told.py"
    file.write_text(textwrap.dedent(text))
    with start(f"python:{file}") as worker:
        worker.load(model)
        yield worker


def run(worker: Worker, source: str) -> dict[str, np.ndarray]:
    return worker.run({"source": np.frombuffer(source.encode(), np.uint8)})


@pytest.mark.parametrize("body", ENDINGS)
def test_failure_has_a_reason(told: Worker, body: str) -> None:
    with pytest.raises(RuntimeFailed) as caught:
        run(told, body)
    assert caught.value.reason == ENDINGS[body]


DATA = {
    "return {}": {},
    "return {'other': np.float32(3)}": {"other": ("float32", ())},
    "return {'y': np.zeros((0, 3), '>f8'), 'z': np.zeros(2, bool)}": {"y": ("float64", (0, 3)), "z": ("bool", (2,))},
    "return {'y': np.full((2, 3), np.nan, np.float16, order='F')}": {"y": ("float16", (2, 3))},
    "import ml_dtypes; return {'y': np.ones(3, ml_dtypes.bfloat16)}": {"y": ("bfloat16", (3,))},
    "return {'y': np.zeros(3, np.complex64)}": {"y": ("complex64", (3,))},
    "return {'y': np.array(3, np.int64)}": {"y": ("int64", ())},
}


@pytest.mark.parametrize("body", DATA)
def test_odd_data_arrive_as_they_are(told: Worker, body: str) -> None:
    got = run(told, body)
    assert {name: (array.dtype.name, array.shape) for name, array in got.items()} == DATA[body]


def test_environment_is_the_users(told: Worker) -> None:
    source = "return {'y': np.frombuffer(os.environ.get('PYTHONPATH', '').encode(), np.uint8)}"
    assert bytes(run(told, source)["y"]).decode() == os.environ.get("PYTHONPATH", "")


HANGS = {
    "in Python": "while True: pass",
    "in C": "time.sleep(1000)",
    "in C, keeping the interpreter's lock": "ctypes.PyDLL(None).sleep(1000)",
    "deaf to signals": "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)",
    "in a child": "import subprocess; subprocess.run(['sleep', '1000'])",
}


@pytest.mark.parametrize("how", HANGS)
def test_hang_is_timed_out_and_nothing_is_left(runtime: Make, model: Path, x: np.ndarray, how: str) -> None:
    with start(runtime(HANGS[how])) as worker:
        group = _pid(worker)
        worker.load(model)
        worker.timeout = 0.3
        began = time.monotonic()
        with pytest.raises(RuntimeFailed, match=r"^timed out after 0\.3 s while running the model"):
            worker.run({"x": x})
        assert time.monotonic() - began < 10
    _assert_group_gone(group)


COMPILING = """
import time
class Compiling:
    version, made = "1", 0
    def __init__(self, options): pass
    def load(self, path): return self
    def prepare(self, shapes):
        self.made += 1
        time.sleep(1000 * (shapes["x"][0] == 2))
    def run(self, inputs): return {"made": inputs["x"][:1, 0, 0] * 0 + self.made}
"""


def test_making_a_model_ready_for_other_sizes_counts_as_loading(
    model: Path, x: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compiling_runtime.py").write_text(COMPILING)
    monkeypatch.syspath_prepend(tmp_path)
    with Worker("compiling", "compiling_runtime:Compiling") as worker:
        worker.load(model)
        assert [worker.run({"x": x[:1]})["made"] for _ in range(2)] == [1, 1]
        assert worker.run({"x": x[:1, :, :2]})["made"] == [2]
        worker.timeout = 0.3
        with pytest.raises(RuntimeFailed, match=r"^timed out after 0\.3 s while loading the model"):
            worker.run({"x": x})


def test_hang_while_reading_inputs_is_timed_out(model: Path, runtime: Make) -> None:
    """A stopped worker does not read, so that a large input fills the pipe."""
    with start(runtime("return inputs")) as worker:
        worker.load(model)
        worker.timeout = 0.5
        os.kill(_pid(worker), signal.SIGSTOP)
        with pytest.raises(RuntimeFailed, match=r"timed out after 0\.5 s"):
            worker.run({"x": np.zeros(1 << 22, np.float32)})


LOADS = {
    "def prepare(model_path):\n    raise RuntimeError('no ' + model_path)": "raised RuntimeError: no small.onnx",
    "def prepare(model_path):\n    import tempfile; raise OSError(tempfile.gettempdir())": "raised OSError: …",
    "def prepare(model_path):\n    import ctypes; ctypes.string_at(0)": "died with SIGSEGV",
    "def prepare(model_path):\n    import time; time.sleep(1000)": "timed out after 0.5 s",
    "def prepare(model_path):\n    pass": "raised TypeError: prepare returned NoneType, which cannot be called",
}


@pytest.mark.parametrize("text", LOADS)
def test_failure_to_load_has_a_reason(runtime: Make, model: Path, text: str) -> None:
    timeout = 0.5 if "sleep" in text else 60
    with start(runtime(text, whole=True), timeout=timeout) as worker, pytest.raises(RuntimeFailed) as caught:
        worker.load(model)
    assert caught.value.reason == f"{LOADS[text]} while loading the model"


def test_death_at_import_is_a_failure(runtime: Make) -> None:
    with pytest.raises(RuntimeFailed, match="died with SIGSEGV while starting"):
        start(runtime("import ctypes; ctypes.string_at(0)", whole=True))


def test_a_dead_worker_is_replaced_with_its_model(runtime: Make, model: Path, x: np.ndarray) -> None:
    with start(runtime("if inputs['x'][0, 0, 0] == 13: ctypes.string_at(0)\nreturn inputs")) as worker:
        worker.load(model)
        first = _pid(worker)
        with pytest.raises(RuntimeFailed, match="SIGSEGV"):
            worker.run({"x": x + 12})
        np.testing.assert_array_equal(worker.run({"x": x})["x"], x)
        assert _pid(worker) != first


def test_an_exception_leaves_the_worker_alive(runtime: Make, model: Path, x: np.ndarray) -> None:
    with start(runtime("return {'x': inputs['x']}")) as worker:
        worker.load(model)
        first = _pid(worker)
        with pytest.raises(RuntimeFailed, match="raised KeyError: 'x'"):
            worker.run({})
        np.testing.assert_array_equal(worker.run({"x": x})["x"], x)
        assert _pid(worker) == first


def test_prints_do_not_reach_the_frames(
    runtime: Make, model: Path, x: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    body = """
    print("from Python")
    libc = ctypes.CDLL(None)
    libc.puts(b"from C"); libc.fflush(None)
    os.write(1, b"to descriptor 1\\n"); os.system("echo from a child")
    if sys.stdin.read(): raise AssertionError("standard input is empty")
    os.close(0); os.close(1)
    if len(inputs) == 1: return inputs
    raise ValueError("two inputs")
    """
    with start(runtime(body)) as worker:
        worker.load(model)
        np.testing.assert_array_equal(worker.run({"x": x})["x"], x)
        with pytest.raises(RuntimeFailed):
            worker.run({"x": x, "y": x})
    assert capfd.readouterr() == ("", "")


def test_last_words_are_kept(runtime: Make, model: Path, x: np.ndarray) -> None:
    with start(runtime("os.write(2, b'.' * 100000 + b'\\nterminate called\\n'); os.abort()")) as worker:
        worker.load(model)
        with pytest.raises(RuntimeFailed) as caught:
            worker.run({"x": x})
    assert caught.value.said.endswith("terminate called\n")
    assert len(caught.value.said) < 10000
    assert "the runtime's last words: terminate called" in str(caught.value)


def test_a_child_that_left_the_group_does_not_keep_us_waiting(runtime: Make, model: Path, x: np.ndarray) -> None:
    body = """
    if os.fork() == 0:
        os.setsid(); time.sleep(20); os._exit(0)
    os._exit(7)
    """
    with start(runtime(body)) as worker:
        worker.load(model)
        began = time.monotonic()
        with pytest.raises(RuntimeFailed, match="exited with status 7"):
            worker.run({"x": x})
        assert time.monotonic() - began < 10


def test_interrupt_ends_the_worker_and_the_next_run_works(runtime: Make, model: Path, x: np.ndarray) -> None:
    with start(runtime("if inputs['x'][0, 0, 0] == 13: time.sleep(1000)\nreturn inputs")) as worker:
        worker.load(model)
        group = _pid(worker)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            worker.run({"x": x + 12})
        _assert_group_gone(group)
        assert list(worker.run({"x": x})) == ["x"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_orphan_when_the_parent_dies_amid_a_run(runtime: Make, model: Path, end: signal.Signals) -> None:
    script = f"""
    import numpy as np
    from onnxconv.runtimes import start
    with start({runtime("time.sleep(1000)")!r}) as worker:
        worker.load({str(model)!r})
        print(worker._child.process.pid, flush=True)
        worker.run({{"x": np.zeros(3)}})
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        time.sleep(0.1)
        parent.send_signal(end)
        parent.wait(5)
    _assert_group_gone(group)


def test_close_leaves_no_process_and_no_folder(runtime: Make, model: Path, x: np.ndarray) -> None:
    body = """
    import subprocess, tempfile
    open(os.path.join(tempfile.gettempdir(), "left behind"), "w").close()
    subprocess.Popen(["sleep", "1000"])
    return inputs
    """
    worker = start(runtime(body))
    worker.load(model)
    worker.run({"x": x})
    child = worker._child
    assert child is not None
    assert os.listdir(child.folder) == ["left behind"]
    worker.close()
    worker.close()
    assert child.process.returncode == 0
    assert not Path(child.folder).exists()
    _assert_group_gone(child.process.pid)


def test_the_callers_arrays_stay(runtime: Make, model: Path, x: np.ndarray) -> None:
    mine = x.copy()
    with start(runtime("inputs['x'][:] = 7\nreturn inputs")) as worker:
        worker.load(model)
        assert (worker.run({"x": mine})["x"] == 7).all()
    np.testing.assert_array_equal(mine, x)


def test_large_arrays_travel(runtime: Make, model: Path) -> None:
    large = np.arange(1 << 22, dtype=np.float32).reshape(1 << 11, 1 << 11)
    with start(runtime("return {'y': inputs['x'].T}")) as worker:
        worker.load(model)
        np.testing.assert_array_equal(worker.run({"x": large.T})["y"], large)


def _pid(worker: Worker) -> int:
    assert worker._child is not None
    return worker._child.process.pid


def _assert_group_gone(group: int) -> None:
    """No process of the group is alive, after three seconds at the latest."""
    for _ in range(60):
        if not [pid for pid in os.listdir("/proc") if pid.isdigit() and _group_of(pid) == group]:
            return
        time.sleep(0.05)
    raise AssertionError(f"processes of group {group} are left")


def _group_of(pid: str) -> int:
    try:
        state, _, group = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if state == "Z" else int(group)
