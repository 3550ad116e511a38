"""onnxruntime on its CPU and CUDA execution providers."""

from __future__ import annotations

import ctypes
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxconv.runtimes.options import count, one_of, read_options, switch
from onnxconv.runtimes.protocol import Array, RuntimeAbsent

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

LEVELS = {
    "off": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}

LIBRARIES = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
"""Brings CUDA's and cuDNN's libraries as packages, where the system has none."""

UNINSTALL = "pip uninstall -y onnxruntime onnxruntime-gpu"

SESSION_OPTIONS = {"threads": count, "optimization": one_of(*LEVELS)}

CUDA_DEFAULTS: dict[str, Any] = {"use_tf32": False}
"""float32 means float32: by default the provider computes convolutions with 10-bit mantissas (TF32)."""

CUDA_OPTIONS = {
    "device_id": count,
    "use_tf32": switch,
    "cudnn_conv_algo_search": one_of("EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
    "cudnn_conv_use_max_workspace": switch,
    "prefer_nhwc": switch,
    "enable_cuda_graph": switch,
}

UNMET = re.compile(r"Exception during initialization: \S*core[/\\]providers[/\\].* was false")
"""How onnxruntime 1.32 words it that a kernel cannot be made of a layer's attributes."""


def cpu(options: Mapping[str, str]) -> OnnxRuntime:
    """onnxruntime on the CPU."""
    values = read_options("onnxruntime:cpu", options, SESSION_OPTIONS)
    return OnnxRuntime(_imported("onnxruntime"), CPU, {}, values)


def cuda(options: Mapping[str, str]) -> OnnxRuntime:
    """onnxruntime on an NVIDIA GPU, never on the CPU in its stead. Raises `RuntimeAbsent` naming the missing piece."""
    values = read_options("onnxruntime:cuda", options, SESSION_OPTIONS | CUDA_OPTIONS)
    ort = _imported("onnxruntime-gpu")
    _demand_cuda(ort)
    chosen = CUDA_DEFAULTS | {name: value for name, value in values.items() if name in CUDA_OPTIONS}
    provider = {name: str(int(v)) if isinstance(v, bool) else str(v) for name, v in chosen.items()}
    return OnnxRuntime(ort, CUDA, provider, values)


class OnnxRuntime:
    """Sessions on one execution provider."""

    def __init__(self, ort: Any, provider: str, provider_options: dict[str, str], values: Mapping[str, Any]) -> None:
        self.ort, self.provider, self.provider_options, self.values = ort, provider, provider_options, values
        self.version: str = ort.__version__

    def load(self, model_path: str) -> OnnxRuntimeSession:
        options = self.ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.values.get("threads", 0)
        # Idle threads would else spin between runs, on the processors that the reference then needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        level = LEVELS[self.values.get("optimization", "all")]
        options.graph_optimization_level = getattr(self.ort.GraphOptimizationLevel, level)
        readable = hasattr(self.ort.InferenceSession, "get_provider_graph_assignment_info")
        if readable:
            options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        elif self.provider != CPU:
            # Before 1.24 nobody can ask where a node went, so a model of which any part falls back is refused.
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        session = self._session(model_path, options)
        if self.provider not in session.get_providers():
            raise RuntimeError(
                f"{self.provider} could not be created; onnxruntime fell back to {session.get_providers()}"
            )
        graph = self.provider_options.get("enable_cuda_graph") == "1"
        device = ("cuda", int(self.provider_options.get("device_id", 0)))
        return OnnxRuntimeSession(self.ort, session, self.provider, device if graph else None)

    def _session(self, model_path: str, options: Any) -> Any:
        """Raises NotImplementedError where a kernel demands more of a layer than ONNX does, such as an LRN's of odd sizes."""
        providers = [(self.provider, self.provider_options)]
        try:
            return self.ort.InferenceSession(model_path, options, providers=providers)
        except Exception as error:
            if UNMET.search(str(error)):
                raise NotImplementedError(str(error)) from error
            raise


class OnnxRuntimeSession:
    """A session, with the provider that each node of its model was given to.

    `replay`: the kind and the number of the device on which runs keep all addresses, as a captured CUDA graph needs.
    """

    def __init__(self, ort: Any, session: Any, provider: str, replay: tuple[str, int] | None = None) -> None:
        self.ort, self.session, self.replay = ort, session, replay
        self.outputs: list[str] = [output.name for output in session.get_outputs()]
        readable = hasattr(session, "get_provider_graph_assignment_info")
        subgraphs = session.get_provider_graph_assignment_info() if readable else ()
        nodes = [(s.ep_name, node) for s in subgraphs for node in s.get_nodes()]
        self.placement = dict(sorted(Counter(name for name, _ in nodes).items()))
        self.unplaced = tuple(node.name or node.op_type for name, node in nodes if name != provider)
        self._binding: Any = None
        self._held: dict[str, Any] = {}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        types = [value.type for value in (*self.session.get_inputs(), *self.session.get_outputs())]
        if "tensor(bfloat16)" in types:  # onnxruntime 1.32 converts none from or to NumPy's arrays
            raise NotImplementedError("onnxruntime's Python interface hands over no bfloat16 arrays")
        values = self._replayed(inputs, self.replay) if self.replay else self.session.run(self.outputs, dict(inputs))
        return dict(zip(self.outputs, values, strict=True))

    def _replayed(self, inputs: Mapping[str, Array], device: tuple[str, int]) -> list[Array]:
        """A run on the inputs' and outputs' memory of the first run; all shapes stay as they were then."""
        if self._binding is None:
            self._binding = self.session.io_binding()
            for name, array in inputs.items():
                self._held[name] = self.ort.OrtValue.ortvalue_from_numpy(np.array(array), *device)
                self._binding.bind_ortvalue_input(name, self._held[name])
            for name in self.outputs:
                self._binding.bind_output(name, *device)
            self.session.run_with_iobinding(self._binding)
            for name, value in zip(self.outputs, self._binding.get_outputs(), strict=True):
                self._binding.bind_ortvalue_output(name, value)
        else:
            for name, array in inputs.items():
                if tuple(self._held[name].shape()) != array.shape:
                    raise ValueError(f"with enable_cuda_graph the shape of {name} stays {self._held[name].shape()}")
                self._held[name].update_inplace(np.ascontiguousarray(array))
            self.session.run_with_iobinding(self._binding)
        return [value.numpy() for value in self._binding.get_outputs()]


def _imported(distribution: str) -> Any:
    fix = f"pip install {distribution}"
    try:
        import onnxruntime as ort
    except ModuleNotFoundError as error:
        if error.name == "onnxruntime":
            raise RuntimeAbsent("onnxruntime is not installed", fix) from error
        raise RuntimeAbsent(f"onnxruntime cannot be imported: {error}", fix) from error
    except ImportError as error:
        raise RuntimeAbsent(f"onnxruntime cannot be imported: {str(error).splitlines()[0]}", fix) from error
    if not hasattr(ort, "InferenceSession"):
        # What is left of the folder after one of two packages that share it has been uninstalled.
        raise RuntimeAbsent("the module onnxruntime is there, but most of its files are not", f"{UNINSTALL} && {fix}")
    return ort


def _demand_cuda(ort: Any) -> None:
    """Raise `RuntimeAbsent` unless the wheel has the provider, and the driver, a GPU and the CUDA libraries are there."""
    folder = Path(ort.__file__).parent / "capi"
    suffix = ".dll" if os.name == "nt" else ".so"
    prefix = "" if os.name == "nt" else "lib"
    parts = [folder / f"{prefix}onnxruntime_providers_{part}{suffix}" for part in ("shared", "cuda")]
    package = getattr(ort, "package_name", "onnxruntime")
    if CUDA not in ort.get_available_providers() and not parts[1].exists():
        raise RuntimeAbsent(f"{package} {ort.__version__} has no {CUDA}", f"{UNINSTALL} && {LIBRARIES}")
    _demand_gpu()
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    for library in parts:
        if library.exists():
            _demand_loadable(library)
    if CUDA not in ort.get_available_providers():
        raise RuntimeAbsent(f"{package} {ort.__version__} could not register {CUDA}", LIBRARIES)


def _demand_gpu() -> None:
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError as error:
        fix = "install the GPU's driver; pip cannot"
        raise RuntimeAbsent(f"NVIDIA's driver is not installed ({name} cannot be loaded)", fix) from error
    if code := driver.cuInit(0):
        raise RuntimeAbsent(f"NVIDIA's driver finds no GPU that it can use (cuInit: error {code})", "see nvidia-smi")


def _demand_loadable(library: Path) -> None:
    """Raise `RuntimeAbsent` naming the library that another one needs and that is not found."""
    try:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        missing = re.match(r"(\S+): cannot open shared object file", str(error))
        if missing:
            raise RuntimeAbsent(f"{missing[1]} cannot be loaded; {library.name} needs it", LIBRARIES) from error
