"""Keys of a spec that are no layers, and the words of some of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["LAYER_KEYS", "QUANTIZATION", "SPEC_KEYS"]

LAYER_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "name": "what the layer and its tensor are called",
        "from": "the tensor that it reads, instead of the previous layer's",
        "repeat": "how often, one after the other: a number, {i: number} counting i from 0, or {d: [values]}",
        "when": "left out where this is 0",
    }
)
"""Keys that stand beside any layer's kind."""

SPEC_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "name": "what the network is called",
        "parameters": "names for numbers, each with its value; --set overrides them",
        "dtype": "data type of inputs that do not say theirs; float32 where left out",
        "init": "how weights are drawn, for every layer that does not say it",
        "inputs": "the tensors from outside: name and type, such as float32[N, 3, 224, 224]",
        "blocks": "layers under one name, with parameters, to be used like a layer",
        "layers": "the layers, each reading the one before it",
        "outputs": "names of the output tensors; the last layer where left out",
        "quantize": "compute convolutions and dense layers with integers: uint8 or int8, or a table",
    }
)
"""Keys of the whole file."""

QUANTIZATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"activations": ("uint8", "int8"), "weights": ("channel", "tensor")}
)
"""Words of `quantize`, each with what it may be, the default first: int8 weights have a scale per channel or per tensor."""
