"""onnxruntime on its CPU and CUDA execution providers."""

from __future__ import annotations

import ctypes
import importlib.metadata
from collections import Counter
from collections.abc import Mapping
from typing import Any

from onnxconv.runtimes.options import count, one_of, read_options, switch
from onnxconv.runtimes.protocol import Array, RuntimeAbsent

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

LEVELS = {
    "off": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}

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
        level = LEVELS[self.values.get("optimization", "all")]
        options.graph_optimization_level = getattr(self.ort.GraphOptimizationLevel, level)
        readable = hasattr(self.ort.InferenceSession, "get_provider_graph_assignment_info")
        if readable:
            options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        elif self.provider != CPU:
            # Before 1.24 nobody can ask where a node went, so a model of which any part falls back is refused.
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        session = self.ort.InferenceSession(model_path, options, providers=[(self.provider, self.provider_options)])
        if self.provider not in session.get_providers():
            raise RuntimeError(
                f"{self.provider} could not be created; onnxruntime fell back to {session.get_providers()}"
            )
        graph = self.provider_options.get("enable_cuda_graph") == "1"
        return OnnxRuntimeSession(session, self.provider, readable, graph)


class OnnxRuntimeSession:
    """A session, with the provider that each node of its model was given to."""

    def __init__(self, session: Any, provider: str, readable: bool, graph: bool) -> None:
        self.session, self.graph = session, graph
        self.outputs: list[str] = [output.name for output in session.get_outputs()]
        subgraphs = session.get_provider_graph_assignment_info() if readable else ()
        nodes = [(s.ep_name, node) for s in subgraphs for node in s.get_nodes()]
        self.placement = dict(sorted(Counter(name for name, _ in nodes).items()))
        self.unplaced = tuple(node.name or node.op_type for name, node in nodes if name != provider)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        values = self.session.run(self.outputs, dict(inputs))
        return dict(zip(self.outputs, values, strict=True))


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
        remedy = f"pip uninstall -y onnxruntime onnxruntime-gpu && {fix}"
        raise RuntimeAbsent("the module onnxruntime is there, but most of its files are not", remedy)
    return ort


def _demand_cuda(ort: Any) -> None:
    """Raise `RuntimeAbsent` unless the wheel has the provider, and the driver and the CUDA libraries can be loaded."""
    if CUDA not in ort.get_available_providers():
        installed = " and ".join(_distributions()) or "onnxruntime"
        raise RuntimeAbsent(
            f"{installed} {ort.__version__} has no CUDAExecutionProvider",
            "pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]'",
        )
    _demand_library(("libcuda.so.1", "nvcuda.dll"), "NVIDIA's driver", "install the driver of the GPU; pip cannot")
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    major = str(getattr(ort, "cuda_version", "")).split(".")[0]
    for names, what, package in (
        ((f"libcublasLt.so.{major}", f"cublasLt64_{major}.dll"), "cuBLAS", "nvidia-cublas"),
        (("libcudnn.so.9", "cudnn64_9.dll"), "cuDNN 9", "nvidia-cudnn"),
    ):
        suffix = f"-cu{major}" if package == "nvidia-cudnn" or major == "12" else ""
        _demand_library(names, f"{what} for CUDA {major}", f"pip install {package}{suffix}")


def _demand_library(names: tuple[str, str], what: str, fix: str) -> None:
    import os

    name = names[os.name == "nt"]
    try:
        ctypes.CDLL(name)
    except OSError as error:
        raise RuntimeAbsent(f"{what} cannot be loaded ({name})", fix) from error


def _distributions() -> list[str]:
    found = []
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found
