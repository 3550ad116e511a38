"""``command:PROGRAM``: any program that takes a folder in ONNX's node-test layout.

The folder holds ``model.onnx`` (with its external data) and ``test_data_set_0/input_N.pb``, the inputs in the graph's
order; beside each lies the same array as ``input_N.npy``, for programs that read no protobuf. The program writes
``output_N.pb`` or ``output_N.npy`` into ``test_data_set_0`` or into the folder itself, and exits with status 0.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from onnxconv.dtypes import stored
from onnxconv.runtimes.engines.backend import by_position
from onnxconv.runtimes.external import external_files
from onnxconv.runtimes.options import read_options
from onnxconv.runtimes.protocol import Array

OUTPUT = re.compile(r"output_(\d+)\.(pb|npy)")


class Command:
    """A program, called once a run as ``PROGRAM [ARGUMENT…] FOLDER``."""

    def __init__(self, program: str, *rest: object) -> None:
        *arguments, options = rest
        assert isinstance(options, Mapping), "options come last"
        read_options(f"command:{Path(program).name}", options, {})
        self.command = [program, *map(str, arguments)]
        self.version = ""

    def load(self, model_path: str) -> CommandSession:
        import onnx

        source = Path(model_path)
        graph = onnx.load(model_path, load_external_data=False).graph
        weights = {initializer.name for initializer in graph.initializer}
        inputs = [value.name for value in graph.input if value.name not in weights]
        folder = Path(tempfile.mkdtemp(prefix="model-"))
        shutil.copyfile(source, folder / "model.onnx")
        for location in external_files(source):
            (folder / location).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.parent / location, folder / location)
        return CommandSession(self.command, folder, inputs, [value.name for value in graph.output])


class CommandSession:
    """A folder with a model in it, ready for the program."""

    def __init__(self, command: Sequence[str], folder: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self.command, self.folder, self.inputs, self.outputs = command, folder, inputs, outputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        data = self.folder / "test_data_set_0"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        for n, name in enumerate(self.inputs):
            _write(data / f"input_{n}", name, inputs[name])
        for _, old in _outputs(self.folder):
            old.unlink()
        program = Path(self.command[0]).name
        done = subprocess.run([*self.command, str(self.folder)], stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} {_ending(done.returncode)}")
        found = {n: _read(path) for where in (self.folder, data) for n, path in _outputs(where)}
        if not found:
            raise FileNotFoundError(f"{program} wrote no output_N.pb or output_N.npy")
        return by_position(self.outputs, found)


def _outputs(folder: Path) -> list[tuple[int, Path]]:
    return [(int(m[1]), path) for path in sorted(folder.iterdir()) if (m := OUTPUT.fullmatch(path.name))]


def _write(path: Path, name: str, array: Array) -> None:
    from onnx import numpy_helper

    path.with_suffix(".pb").write_bytes(numpy_helper.from_array(array, name).SerializeToString())
    np.save(path.with_suffix(".npy"), array, allow_pickle=False)


def _read(path: Path) -> Array:
    """An array from a file. Raises ValueError where it holds none."""
    if path.suffix == ".npy":
        return stored(np.asarray(np.load(path, allow_pickle=False)))
    from onnx import TensorProto, numpy_helper

    tensor = TensorProto()
    try:
        tensor.ParseFromString(path.read_bytes())
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:
        raise ValueError(f"{path.name} holds no tensor") from error


def _ending(status: int) -> str:
    return f"exited with status {status}" if status > 0 else f"died with {signal.Signals(-status).name}"
