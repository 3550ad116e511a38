"""Saved models appear whole or not at all, at the price of little memory."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from chains import chain

from onnxconv.emit import ALIGNMENT, EmitOptions, save, to_bytes
from onnxconv.emit.ahead import write
from onnxconv.errors import UsageError, WeightsError
from onnxconv.files import whole_files
from onnxconv.geometry import Axis
from onnxconv.graph import Param
from onnxconv.load import load
from onnxconv.ops import BatchNorm, Conv, Dense, Relu
from onnxconv.weights import Weights, given, seeded

HERE = Path(__file__).parent
PATH = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE)))
GRAPH = chain((1, 4, 9), Conv((Axis(3),), 8), BatchNorm(), Relu())
ALWAYS = EmitOptions(external_data="always")


def run(program: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": PATH, **more}
    return subprocess.run([sys.executable, *program], env=environment, capture_output=True, text=True, check=False)


def test_a_saved_model_is_its_bytes(tmp_path: Path) -> None:
    save(GRAPH, seeded(), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == to_bytes(GRAPH, seeded())
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "m.onnx").stat().st_mode) == 0o666 & ~mask


def test_external_data(tmp_path: Path) -> None:
    save(GRAPH, seeded(), tmp_path / "m.onnx", ALWAYS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    onnx.checker.check_model(str(tmp_path / "m.onnx"), full_check=True)
    proto = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    end = 0
    for tensor in proto.graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        assert entries["location"] == "m.onnx.data"
        assert int(entries["offset"]) % ALIGNMENT == 0
        assert int(entries["offset"]) >= end
        assert int(entries["length"]) == 4 * math.prod(tensor.dims)
        end = int(entries["offset"]) + int(entries["length"])
    assert (tmp_path / "m.onnx.data").stat().st_size == end
    x = np.random.default_rng(0).random((1, 4, 9), np.float32)
    one = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"x": x})[0]
    other = onnxruntime.InferenceSession(to_bytes(GRAPH, seeded())).run(None, {"x": x})[0]
    np.testing.assert_array_equal(one, other)


def test_external_data_are_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(GRAPH, seeded(), tmp_path / name / "m.onnx", ALWAYS)
    for file in ("m.onnx", "m.onnx.data"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(("limit", "files"), [(10, 2), (10**6, 1)])
def test_auto_goes_by_size(limit: int, files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxconv.emit.INLINE_LIMIT", limit)
    save(GRAPH, seeded(), tmp_path / "m.onnx")
    assert len(list(tmp_path.iterdir())) == files
    save(GRAPH, seeded(), tmp_path / "n.onnx", EmitOptions(external_data="never"))
    save(GRAPH, seeded(), tmp_path / "o.onnx", EmitOptions(weights_as="inputs"))
    assert len(list(tmp_path.iterdir())) == files + 2


@pytest.mark.parametrize("options", [EmitOptions(), ALWAYS], ids=["inline", "external"])
def test_a_weight_that_is_missing_leaves_what_was_there(options: EmitOptions, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("what was there")
    arrays = {param.name: seeded()[param] for param in GRAPH.params()}
    del arrays["l1.running_var"]
    with pytest.raises(WeightsError):
        save(GRAPH, given(arrays), tmp_path / "m.onnx", options)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_text() == "what was there"


@pytest.mark.parametrize("place", ["absent/m.onnx", "folder", "file/m.onnx", "x" * 300])
def test_places_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for options in (EmitOptions(), ALWAYS):
        with pytest.raises(UsageError, match="cannot-write"):
            save(GRAPH, seeded(), tmp_path / place, options)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match="No space left on device"):
        save(GRAPH, seeded(), tmp_path / "m.onnx", ALWAYS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [0, 1 << 30])
def test_bytes_that_are_flushed_meanwhile(kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = to_bytes(GRAPH, seeded()), Counter[str]()
    original = os.fsync
    monkeypatch.setattr("onnxconv.emit.ahead.BATCH", 1)
    monkeypatch.setattr("onnxconv.emit.ahead.KEPT", kept)
    monkeypatch.setattr("os.posix_fadvise", lambda *_: calls.update(["fadvise"]), raising=False)
    monkeypatch.setattr("os.POSIX_FADV_DONTNEED", 4, raising=False)
    monkeypatch.setattr("os.fsync", lambda file: (calls.update(["fsync"]), original(file))[1])
    save(GRAPH, seeded(), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == whole
    assert calls["fsync"] > 3, "before the end too, where the file and its folder twice are flushed"
    assert (calls["fadvise"] > 0) is (kept == 0), "large files alone leave the system's memory"


def test_a_disk_that_is_full_meanwhile(tmp_path: Path) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patched, (tmp_path / "file").open("wb") as stream:
        patched.setattr("onnxconv.emit.ahead.BATCH", 1)
        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left on device"):
            write([b"piece", memoryview(b"another")], stream)


class _Interrupting(Weights):
    """Weights in the midst of which a signal arrives, while threads are at work on those after it."""

    def stream(self, pieces: Iterable[Param | bytes]) -> Generator[memoryview | bytes, None, None]:
        return super().stream(self._interrupted(pieces))

    def _interrupted(self, pieces: Iterable[Param | bytes]) -> Iterator[Param | bytes]:
        yield from pieces
        os.kill(os.getpid(), signal.SIGTERM if self.seed else signal.SIGINT)


@pytest.mark.parametrize(("seed", "raised"), [(0, KeyboardInterrupt), (1, SystemExit)], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("options", [EmitOptions(), ALWAYS], ids=["inline", "external"])
def test_signals_clean_up(seed: int, raised: type[BaseException], options: EmitOptions, tmp_path: Path) -> None:
    before, threads = signal.getsignal(signal.SIGTERM), threading.active_count()
    with pytest.raises(raised):
        save(chain((1, 1000), Dense(1000)), _Interrupting(seed), tmp_path / "m.onnx", options)
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is before
    assert threading.active_count() == threads


@pytest.mark.parametrize("options", [EmitOptions(), ALWAYS], ids=["inline", "external"])
def test_a_disk_that_is_full_ends_the_making_too(
    options: EmitOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(pieces: Iterable[bytes | memoryview], _: object) -> None:
        next(iter(pieces))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("onnxconv.emit.write", full)
    threads = threading.active_count()
    with pytest.raises(UsageError, match="No space left on device") as held:
        save(chain((1, 1000), Dense(1000)), seeded(), tmp_path / "m.onnx", options)
    assert not list(tmp_path.iterdir())
    assert threading.active_count() == threads, f"also while {held} keeps the failed frames"


def test_a_failing_block_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_files(tmp_path / "a", tmp_path / "b") as (a, b):
            a.write(b"1")
            b.write(b"2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_killing_a_build_leaves_no_output_or_a_whole_one(tmp_path: Path) -> None:
    """In front of each change of the file system, and at 40 random moments; with and without an older model there."""
    done = run([str(HERE / "killing.py"), str(tmp_path)])
    assert done.returncode == 0, done.stderr
    trials = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(trials) == 4 * 22
    assert not [trial for trial in trials if trial["left"] == "wrong" or trial["failed"]]
    for external in ("auto", "always"):
        for over in (False, True):
            some = [trial for trial in trials if trial["external"] == external and trial["over"] is over]
            left = Counter(trial["left"] for trial in some if trial["killed"])
            assert left["A" if over else "absent"] >= 3, left
            assert left["B"] >= 1, left
            assert all(trial["left"] == "B" for trial in some if not trial["killed"])
            assert external == "always" or not over or not left["absent"]


BIG = """
import resource, sys
from chains import chain
from onnxconv.emit import EmitOptions, save
from onnxconv.ops import Dense
from onnxconv.weights import seeded
width, layers = int(sys.argv[2]), int(sys.argv[3])
graph = chain((1, width), *[Dense(width, bias=False)] * layers)
save(chain((1, 4), Dense(2)), seeded(), sys.argv[1] + ".warm", EmitOptions(external_data="always"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
save(graph, seeded(), sys.argv[1], EmitOptions(external_data="always"))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(before // 1024, after // 1024)
"""


def peaks(folder: Path, width: int, layers: int) -> tuple[int, int]:
    """(before, after): peak memory in MB of a process that saves a model of `layers` square matrices."""
    done = run(["-c", BIG, str(folder / "m.onnx"), str(width), str(layers)])
    assert done.returncode == 0, done.stderr
    assert (folder / "m.onnx.data").stat().st_size == 4 * width * width * layers
    before, after = map(int, done.stdout.split())
    return before, after


def test_memory_does_not_grow_with_the_model(tmp_path: Path) -> None:
    """200 MB, more than half of it in one tensor."""
    before, after = peaks(tmp_path, 5120, 2)
    shutil.rmtree(tmp_path)
    assert after - before < 60


@pytest.mark.slow
def test_ten_gigabytes_in_under_500_megabytes(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    if free < 11 * 10**9:
        pytest.skip(f"needs 11 GB of disk, {free / 1e9:.1f} GB are free")
    try:
        _, after = peaks(tmp_path, 16384, 10)
        assert after < 500
        onnx.checker.check_model(str(tmp_path / "m.onnx"), full_check=True)
        graph, weights = load(tmp_path / "m.onnx")
        last = list(graph.params())[-1]
        again = seeded().chunks(chain((1, 16384), *[Dense(16384, bias=False)] * 10).nodes[-1].params[0][1])
        for read, drawn in zip(weights.chunks(last), again, strict=True):
            assert read == drawn
    finally:
        shutil.rmtree(tmp_path)
