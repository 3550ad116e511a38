"""The ranges of tensors, measured, for networks that are to compute with integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from onnxconv.deferred import np
from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.graph import Graph
from onnxconv.network.value import Arrays, Network
from onnxconv.quantize import Ranges, Scheme, calibrated, quantized, read_by_products
from onnxconv.spec import Quantization
from onnxconv.weights import Weights

__all__ = ["with_integers"]


def with_integers(network: Network, asked: Quantization, data: str | Path | Arrays | None) -> tuple[Graph, Weights]:
    """The network's graph with integers, and its weights; ranges that the spec does not give are measured by a run of the float network.

    `data`: inputs by name or a .npz file of them; what is missing is drawn from seed 0. Raises `UsageError` for data that
    cannot be read or do not fit, `SpecError` for ranges that do not.
    """
    ranges: Ranges = {name: (low, high) for name, low, high in asked.ranges}
    missing = [name for name in read_by_products(network.graph) if name not in ranges]
    if missing:
        inputs = network.inputs(_inputs(data))
        tensors = {**inputs, **network.run(inputs, every_tensor=True)}
        ranges = {**ranges, **calibrated(missing, tensors)}
    graph = quantized(network.graph, ranges, Scheme(asked.activations, asked.weights == "channel"), asked.where)
    floats = {param.name for param in network.graph.params()}
    made = {param.name for param in graph.params()} - floats
    return graph, replace(network.weights, drawn=network.weights.drawn | made)


def _inputs(data: str | Path | Arrays | None) -> Arrays:
    if data is None or isinstance(data, Mapping):
        return data or {}
    import zipfile

    try:
        with np.load(data, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as reason:
        what = f"it cannot be read as .npz: {reason}"
        raise UsageError(Diagnostic(Where(str(data)), "calibrate", what, "", "give a .npz file of inputs")) from None
