"""A float network as one that computes with integers: quantise–dequantise pairs before convolutions and dense layers.

What such a layer reads goes through QuantizeLinear and DequantizeLinear, once however many read it; its weights are
stored as int8 with one scale per filter, symmetric about 0, and its bias as int32 in units of both scales, so that a
runtime may compute with the integers alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from onnxconv.deferred import np
from onnxconv.dtypes import DTYPES
from onnxconv.errors import Diagnostic, SpecError, Where, closest
from onnxconv.geometry import Array
from onnxconv.graph import Graph, Initial, Node, Param, Quantised, ScaleOf, TensorType
from onnxconv.ops import Constant, Conv, Dense, DequantizedConv, DequantizedGemm, DequantizeLinear, QuantizeLinear

__all__ = ["Ranges", "Scheme", "calibrated", "quantized", "read_by_products"]

Ranges: TypeAlias = Mapping[str, tuple[float, float]]
"""Of each tensor, the least and the largest number that is told apart."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """`activations`: what tensors are quantised to, int8 or uint8. `per_channel`: a scale for each filter, not for all."""

    activations: str = "uint8"
    per_channel: bool = True


SCHEME, NOWHERE = Scheme(), Where()


def read_by_products(graph: Graph) -> tuple[str, ...]:
    """The float32 tensors that convolutions and dense layers read, in the order in which they are made."""
    types = graph.types()
    read = {node.inputs[0] for node in graph.nodes if _takes_part(node)}
    return tuple(name for name in types if name in read)


def _takes_part(node: Node) -> bool:
    return isinstance(node.op, Conv | Dense) and node.type.dtype == "float32"


def calibrated(names: Iterable[str], tensors: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
    """The least and the largest number of each tensor."""
    return {name: (float(tensors[name].min()), float(tensors[name].max())) for name in names}


def quantized(graph: Graph, ranges: Ranges, scheme: Scheme = SCHEME, where: Where = NOWHERE) -> Graph:
    """The network with integers. Raises `SpecError` for a range that is missing, superfluous or no range."""
    names = read_by_products(graph)
    _check(names, ranges, where)
    nodes: list[Node] = []
    types = graph.types()
    pairs: dict[str, tuple[str, float]] = {}
    for node in graph.nodes:
        if _takes_part(node):
            name = node.inputs[0]
            if name not in pairs:
                made, scale = _pair(name, types[name], ranges[name], scheme)
                nodes += made
                pairs[name] = made[-1].output, scale
            nodes.append(_integers(node, *pairs[name], scheme))
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _check(names: tuple[str, ...], ranges: Ranges, where: Where) -> None:
    wrong = []
    if not names:
        what = "there is no convolution or dense layer of float32 to quantise"
        wrong.append(Diagnostic(where, "quantize", what, "those are computed with integers", "leave quantize out"))
    for name in ranges if names else ():
        if name not in names:
            what = f"{name!r} has a range, and no convolution or dense layer of float32 reads it"
            wrong.append(Diagnostic(where, "range", what, "", closest(name, names) if names else "remove it"))
    for name in names:
        low, high = ranges.get(name, (0.0, 0.0))
        if name not in ranges:
            what = f"the range of {name!r} is not known"
            wrong.append(Diagnostic(where, "range", what, "", "give it, or data to calibrate with"))
        elif not (math.isfinite(low) and math.isfinite(high) and low <= high):
            what = f"the range of {name!r} is [{low:g}, {high:g}]"
            wrong.append(Diagnostic(where, "range", what, "a range is two finite numbers, the smaller one first"))
    if wrong:
        raise SpecError(wrong)


def _pair(name: str, type: TensorType, limits: tuple[float, float], scheme: Scheme) -> tuple[tuple[Node, ...], float]:
    """The nodes that quantise and dequantise a tensor, the last one giving what is read instead; and the scale."""
    scale, zero = scale_and_zero(limits, scheme.activations)
    scalar = ((), "float32"), ((), scheme.activations)
    held = [
        _constant(f"{name}.{role}", dtype, value)
        for role, (_, dtype), value in zip(("scale", "zero_point"), scalar, (scale, float(zero)), strict=True)
    ]
    operands = tuple(node.output for node in held)
    integers = TensorType(scheme.activations, type.shape)
    there, back = f"{name}.quantized", f"{name}.dequantized"
    op = QuantizeLinear(dtype=scheme.activations)
    return (
        *held,
        Node(there, op, (name, *operands), there, integers),
        Node(back, DequantizeLinear(), (there, *operands), back, type),
    ), scale


def scale_and_zero(limits: tuple[float, float], dtype: str) -> tuple[float, int]:
    """The scale, as the float32 nearest to (high − low) ÷ steps, and the integer that stands for 0. The range includes 0.

    A range that is 0 alone has scale 1.
    """
    of = DTYPES[dtype]
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    scale = _single((high - low) / (of.high - of.low)) or 1.0
    return scale, int(min(max(round(of.low - low / scale), of.low), of.high))


def _single(value: float) -> float:
    return float(np.float32(value))


def _constant(name: str, dtype: str, value: float) -> Node:
    param = Param(name, dtype, (), Initial(name, (), "constant", (value,), learned=False))
    return Node(name, Constant(()), (), name, TensorType(dtype, ()), (("value", param),))


def _integers(node: Node, read: str, scale: float, scheme: Scheme) -> Node:
    """The layer on a dequantised tensor, its weights stored as integers."""
    assert isinstance(node.op, Conv | Dense), "only sums of products are quantised"
    weight = dict(node.params)["weight"]
    shape = (weight.shape[0],) if scheme.per_channel else ()
    of_weight = ScaleOf(weight, scheme.per_channel)
    params = []
    for role, param in node.params:
        bias = role == "bias"
        recipe = replace(of_weight, factor=scale) if bias else of_weight
        held = Param(f"{param.name}.scale", "float32", shape, recipe)
        integers = Quantised(param, recipe)
        params += [
            (role, Param(f"{param.name}.quantized", "int32" if bias else "int8", param.shape, integers)),
            (f"{role}_scale", held),
        ]
    made = DequantizedConv if isinstance(node.op, Conv) else DequantizedGemm
    return replace(node, op=made(node.op, scheme.per_channel), inputs=(read,), params=tuple(params))
