"""Text in, `Spec` out: the spec language, its positions and its mistakes."""

from onnxconv.spec.schema import schema
from onnxconv.spec.source import examine, parse, read
from onnxconv.spec.value import Data, Input, Layer, Quantization, Spec, Value
from onnxconv.spec.vocabulary import LAYERS, Attribute, Kind

__all__ = [
    "LAYERS",
    "Attribute",
    "Data",
    "Input",
    "Kind",
    "Layer",
    "Quantization",
    "Spec",
    "Value",
    "examine",
    "parse",
    "read",
    "schema",
]
