"""onnxruntime on its CPU and CUDA execution providers."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxconv.runtimes.gpu import CUDA, demand_cuda
from onnxconv.runtimes.install import UNINSTALL
from onnxconv.runtimes.options import count, one_of, read_options, switch
from onnxconv.runtimes.protocol import Array, RuntimeAbsent

CPU = "CPUExecutionProvider"

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

BFLOAT16 = 16
"""ONNX's number for the type (TensorProto.DataType)."""

PLACING = {"cpu_fallback": switch}
"""0: a model of which any node would be left to the CPU is not run."""

UNMET = re.compile(
    r"Exception during initialization: \S*core[/\\]providers[/\\].* was false"
    r"|fallback to CPU EP has been explicitly disabled"
    r"|cannot use the \S* ?graph( capture)? feature"
)
"""How onnxruntime 1.32 words it that a kernel cannot be made of a layer's attributes, or not all nodes be placed as asked."""


def cpu(options: Mapping[str, str]) -> OnnxRuntime:
    """onnxruntime on the CPU."""
    values = read_options("onnxruntime:cpu", options, SESSION_OPTIONS)
    return OnnxRuntime(_imported("onnxruntime"), CPU, {}, values)


def cuda(options: Mapping[str, str]) -> OnnxRuntime:
    """onnxruntime on an NVIDIA GPU, never on the CPU in its stead. Raises `RuntimeAbsent` naming the missing piece."""
    values = read_options("onnxruntime:cuda", options, SESSION_OPTIONS | CUDA_OPTIONS | PLACING)
    ort = _imported("onnxruntime-gpu")
    demand_cuda(ort)
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
        if self.provider != CPU and not (readable and self.values.get("cpu_fallback", True)):
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

    `replay`: the kind and the number of the device on which runs of equal shapes keep all addresses, as a captured CUDA
    graph needs.
    """

    def __init__(self, ort: Any, session: Any, provider: str, replay: tuple[str, int] | None = None) -> None:
        self.ort, self.session, self.replay = ort, session, replay
        self.outputs: list[str] = [output.name for output in session.get_outputs()]
        readable = hasattr(session, "get_provider_graph_assignment_info")
        subgraphs = session.get_provider_graph_assignment_info() if readable else ()
        nodes = [(s.ep_name, node) for s in subgraphs for node in s.get_nodes()]
        self.placement = dict(sorted(Counter(name for name, _ in nodes).items()))
        self.unplaced = tuple(node.name or node.op_type for name, node in nodes if name != provider)
        self._graphs: dict[tuple[tuple[int, ...], ...], _Captured] = {}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        types = [value.type for value in (*self.session.get_inputs(), *self.session.get_outputs())]
        if "tensor(bfloat16)" in types:
            values = self._in_pairs_of_bytes(inputs)
        else:
            values = self._replayed(inputs) if self.replay else self.session.run(self.outputs, dict(inputs))
        return dict(zip(self.outputs, values, strict=True))

    def _replayed(self, inputs: Mapping[str, Array]) -> list[Array]:
        """A run on the inputs' and outputs' memory of the first run of these shapes, as its own captured graph."""
        assert self.replay is not None, "a device to keep addresses on"
        shapes = tuple(inputs[name].shape for name in sorted(inputs))
        if shapes not in self._graphs:
            options = self.ort.RunOptions()
            options.add_run_config_entry("gpu_graph_id", str(len(self._graphs) + 1))
            held = {n: self.ort.OrtValue.ortvalue_from_numpy(np.array(a), *self.replay) for n, a in inputs.items()}
            self._graphs[shapes] = _Captured(self._bound(held, self.replay), held, options)
            self.session.run_with_iobinding(self._graphs[shapes].binding, options)
            self._graphs[shapes].keep(self.outputs)
        else:
            graph = self._graphs[shapes]
            for name, array in inputs.items():
                graph.held[name].update_inplace(np.ascontiguousarray(array))
            self.session.run_with_iobinding(graph.binding, graph.options)
        return [value.numpy() for value in self._graphs[shapes].binding.get_outputs()]

    def _bound(self, held: Mapping[str, Any], device: tuple[str, int]) -> Any:
        binding = self.session.io_binding()
        for name, value in held.items():
            binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            binding.bind_output(name, *device)
        return binding

    def _in_pairs_of_bytes(self, inputs: Mapping[str, Array]) -> list[Array]:
        """A run with bfloat16 inputs or outputs, which onnxruntime 1.32 neither takes from nor gives as NumPy's arrays."""
        if self.replay:
            raise NotImplementedError("bfloat16 arrays cannot be handed to a captured CUDA graph")
        import ml_dtypes

        held = {name: self._value(np.ascontiguousarray(array)) for name, array in inputs.items()}
        binding = self._bound(held, ("cpu", 0))
        self.session.run_with_iobinding(binding)
        arrays = []
        for value in binding.get_outputs():
            if value.data_type() != "tensor(bfloat16)":
                arrays.append(value.numpy())
                continue
            size = ctypes.c_uint16 * int(np.prod(value.shape(), dtype=np.int64))
            pairs = np.array(size.from_address(value.data_ptr()), np.uint16)
            arrays.append(pairs.view(ml_dtypes.bfloat16).reshape(value.shape()))
        return arrays

    def _value(self, array: Array) -> Any:
        if array.dtype.name != "bfloat16":
            return self.ort.OrtValue.ortvalue_from_numpy(array)
        return self.ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array.view(np.uint16), BFLOAT16)


@dataclass(frozen=True, slots=True)
class _Captured:
    """A binding to memory that stays, and the options that tell its graph from those of other shapes."""

    binding: Any
    held: Mapping[str, Any]
    options: Any

    def keep(self, outputs: Sequence[str]) -> None:
        """Have the outputs written where the first run has put them."""
        for name, value in zip(outputs, self.binding.get_outputs(), strict=True):
            self.binding.bind_ortvalue_output(name, value)


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
