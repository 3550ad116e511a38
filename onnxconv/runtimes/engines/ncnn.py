"""ncnn, which runs what pnnx has converted: https://github.com/Tencent/ncnn."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxconv.runtimes.options import count, read_options, switch
from onnxconv.runtimes.packages import imported, version_of
from onnxconv.runtimes.protocol import Array, RuntimeAbsent
from onnxconv.runtimes.shapes import BySize, Run, Shapes, signature

NARROW = ("use_fp16", "use_bf16", "use_int8")
"""Beginnings of the options by which ncnn computes with fewer bits; that of fp16 storage is on unless it is told."""


class Ncnn:
    """A model converted with float32 weights. Option `winograd`: 0, the default, or 1, which is ncnn's own.

    Option `threads`: 0, the default, leaves it to ncnn.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        values = read_options("ncnn", options, {"winograd": switch, "threads": count})
        self.ncnn = imported("ncnn", "ncnn")
        self.converter = converter()
        self.version = version_of("ncnn", "pnnx")
        self.winograd, self.threads = values.get("winograd", False), values.get("threads", 0)

    def load(self, model_path: str) -> OneByOne:
        return OneByOne(model_path, self._ready)

    def _ready(self, file: Path, folder: Path) -> Run:
        declared = signature(str(file))
        if any(not shape or shape[0] != 1 for shape in (*declared.inputs.values(), *declared.outputs.values())):
            raise NotImplementedError("images are run one by one: the first axis of all inputs and outputs counts them")
        described = self._converted(file, folder)
        net, script = self._net(described), (folder / f"{file.stem}_ncnn.py").read_text(encoding="utf-8")
        taken, given = _batches(script, "in", len(declared.inputs)), _batches(script, "out", len(declared.outputs))

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            extractor = net.create_extractor()
            for n, name in enumerate(declared.inputs):
                if inputs[name].dtype != np.float32:
                    raise NotImplementedError(f"ncnn takes float32, not {inputs[name].dtype}")
                image = self.ncnn.Mat(np.ascontiguousarray(inputs[name]), batch_index=taken[n])
                extractor.input(f"in{n}", image.clone())
            return {
                name: _image(name, *extractor.extract(f"out{n}"), batch=given[n])
                for n, name in enumerate(declared.outputs)
            }

        return run

    def _converted(self, file: Path, folder: Path) -> Path:
        """The file that describes the layers. Raises NotImplementedError where one is none of ncnn's."""
        done = subprocess.run([self.converter, file, "fp16=0"], cwd=folder, capture_output=True, text=True, check=False)
        described = file.with_suffix(".ncnn.param")
        if done.returncode or not described.exists():
            raise RuntimeError(f"pnnx ended with status {done.returncode}")
        kinds = [line.split()[0] for line in described.read_text(encoding="utf-8").splitlines()[2:] if line.strip()]
        if foreign := [kind for kind in kinds if self.ncnn.layer_to_index(kind) < 0]:
            raise NotImplementedError(f"pnnx finds no layer of ncnn for {foreign[0]}")
        return described

    def _net(self, described: Path) -> Any:
        net = self.ncnn.Net()
        net.opt.use_vulkan_compute = False
        for option in (name for name in dir(net.opt) if name.startswith(NARROW)):
            setattr(net.opt, option, False)
        if not self.winograd:
            for option in (name for name in dir(net.opt) if name.startswith("use_winograd")):
                setattr(net.opt, option, False)
        if self.threads:
            net.opt.num_threads = self.threads
        if net.load_param(str(described)) or net.load_model(str(described.with_suffix(".bin"))):
            raise RuntimeError("ncnn does not load what pnnx has converted")
        return net


class OneByOne(BySize):
    """A model made ready for one image, and run on each image by itself."""

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        images = max(len(array) for array in inputs.values())
        parts = [super(OneByOne, self).run({k: x[i : i + 1] for k, x in inputs.items()}) for i in range(images)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def prepare(self, shapes: Shapes) -> None:
        super().prepare({name: (1, *shape[1:]) for name, shape in shapes.items()})


def _batches(script: str, what: str, count: int) -> list[int]:
    """The axis of each tensor that ncnn does not see, by the script that pnnx writes beside its model; 233 stands for none."""
    asked = r"{0}{1}\.numpy\(\), batch_index=(\d+)" if what == "in" else r"{0}{1}\.numpy\(batch_index=(\d+)"
    found = [re.search(r"\b" + asked.format(what, n), script) for n in range(count)]
    if not all(found):
        raise RuntimeError("pnnx does not say which axis is the batch")
    return [int(match[1]) for match in found if match]


def _image(name: str, status: int, found: Any, *, batch: int) -> Array:
    """One image's output. Raises RuntimeError where it was not computed."""
    if status:
        raise RuntimeError(f"ncnn computes no {name}: extract gave {status}")
    return np.array(found.numpy(batch_index=batch))


def converter() -> Path:
    """pnnx's program. The package itself is not imported: it imports PyTorch, which converting ONNX models does not need."""
    spec = importlib.util.find_spec("pnnx")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = [
        file for folder in folders for file in (Path(folder) / "pnnx", Path(folder) / "pnnx.exe") if file.is_file()
    ]
    if not found:
        raise RuntimeAbsent("pnnx is not installed", "pip install --no-deps pnnx")
    return found[0]
