"""Operands of quantised layers on which nothing but the last rounding rounds: scales that are powers of two.

A quotient by a power of two, and a product with one, are exact, and a sum below 2^24 is a float32: then the value that is
rounded to an integer is the same in every evaluation, halves included, and so is the output.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from onnxconv.dtypes import DTYPES, rounded
from onnxconv.execute import magnitude
from onnxconv.graph import Graph, Node
from onnxconv.verify.draw import Stream
from onnxconv.verify.level import Level
from onnxconv.verify.words import Array
from onnxconv.weights import Weights

__all__ = [
    "DEQUANTIZED",
    "KINDS",
    "bell",
    "dequantized",
    "exact_integers",
    "fitted",
    "held",
    "integers",
    "power_of_two",
    "stored_integers",
    "whole",
]

SUMS = ("ConvInteger", "MatMulInteger")
RESCALED = ("QLinearConv", "QLinearMatMul")
KINDS = (*SUMS, *RESCALED, "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
DEQUANTIZED = ("DequantizedConv", "DequantizedGemm")
"""Sums of products whose weights are stored as integers."""
SCALES = {"QuantizeLinear": (1,), "DequantizeLinear": (1,), "QLinearConv": (1, 4, 6), "QLinearMatMul": (1, 4, 6)}
"""Which inputs are scales."""

Operands = tuple[str, bool, tuple[Array, ...]]
"""What is said of them, whether they are exact, and the inputs in order."""


def power_of_two(values: Array) -> Array:
    """The powers of two nearest to positive numbers, on a logarithmic scale."""
    return np.ldexp(1.0, np.rint(np.log2(np.maximum(values.astype(np.float64), 2.0**-120))).astype(np.int64))


def held(
    graph: Graph, weights: Weights, stream: Stream, levels: Mapping[str, Level] = MappingProxyType({})
) -> dict[str, Array]:
    """Constants for a network in which nothing rounds: integers as they are, scales as powers of two.

    A single number belongs to a formula, and stays what it is, or becomes a power of two. Several become small integers as
    factors, and quarters where they are added. With `levels`, they are mirrored, and fit the range that is wanted.
    """
    params = {node.output: node.params[0][1] for node in graph.nodes if node.op.kind == "Constant"}
    read = [node.inputs[i] for node in graph.nodes for i in SCALES.get(node.op.kind, ())]
    scales = {params[name].name for name in read if name in params}
    readers = {params[name].name: node for node in graph.nodes for name in node.inputs if name in params}
    values: dict[str, Array] = {}
    for param in dict.fromkeys(params.values()):
        reader = readers.get(param.name)
        factor = reader is not None and reader.op.kind in FACTORS
        if DTYPES[param.dtype].family != "float":
            values[param.name] = weights[param]
        elif param.name in scales:
            values[param.name] = rounded(power_of_two(weights[param]), param.dtype)
        elif math.prod(param.shape) == 1:
            values[param.name] = rounded(_plain_number(weights[param], factor), param.dtype)
        elif factor:
            values[param.name] = rounded(_factors(param.shape, bool(levels), stream), param.dtype)
        else:
            level = levels.get(reader.output, FAINT) if reader and levels else None
            values[param.name] = rounded(_addends(param.shape, level, stream), param.dtype)
    return {name: values[param.name] for name, param in params.items()}


FAINT = Level(2.0**-6)
"""Behind norms of small values, whose results are about a sixteenth."""
FACTORS = ("Mul", "Div")
FINEST = 2.0**-4
"""Of a number that is added or compared with; finer ones become powers of two."""


def _plain_number(number: Array, factor: bool) -> Array:
    """The number itself, where it is a small multiple of 1/16 and no factor; else the nearest power of two with its sign."""
    wide = number.astype(np.float64)
    if not factor and (np.abs(wide) <= 1 << 8).all() and (wide % FINEST == 0).all():
        return wide
    return np.where(wide == 0, 0.0, np.sign(wide) * power_of_two(np.minimum(np.abs(wide), 2.0**30)))


def _factors(shape: tuple[int, ...], mirrored: bool, stream: Stream) -> Array:
    """Small integers; ±½ and ±1, two by two alike."""
    if not mirrored:
        return stream.filled(shape, 4, "float64")
    count = math.prod(shape)
    half = -(-count // 2)
    return np.repeat(2.0 ** -stream.below(2, half) * stream.signs(half), 2)[:count].reshape(shape)


def _addends(shape: tuple[int, ...], level: Level | None, stream: Stream) -> Array:
    """Quarters of up to ±1; of the range that is wanted, two by two of opposite signs."""
    if level is None:
        return stream.filled(shape, 4, "float64") / 4
    count = math.prod(shape)
    half = stream.filled((-(-count // 2),), 4, "float64") / 4
    unit = 2.0 ** math.floor(math.log2(level.faint * (level.range or 1.0)))
    return unit * np.stack([half, -half], axis=1).reshape(-1)[:count].reshape(shape)


def stored_integers(graph: Graph, weights: Weights) -> dict[str, Array]:
    """The weights of `DEQUANTIZED` layers by name: integers as they are, or their leading bits; scales as powers of two.

    Bits are left out where Σ|w| times the 255 steps of an activation does not fit the significand. A bias's scale stays the product of the other two, as which runtimes take it that compute with the integers alone.
    """
    found: dict[str, Array] = {}
    for node in graph.nodes:
        if node.op.kind in DEQUANTIZED:
            params = dict(node.params)
            k = _excess(weights[params["weight"]])
            scale = np.ldexp(power_of_two(weights[params["weight_scale"]]), k)
            for role, param in params.items():
                if not role.endswith("_scale"):
                    found[param.name] = rounded(np.trunc(np.ldexp(weights[param].astype(np.float64), -k)), param.dtype)
                else:
                    factor = power_of_two(np.array(getattr(param.recipe, "factor", 1.0)))
                    found[param.name] = rounded(scale * factor, param.dtype)
    return found


def _excess(weight: Array) -> int:
    """How many of their last bits integers lose, so that sums over a filter are exact, a bias a sixteenth of them."""
    most = float(np.abs(weight.astype(np.float64)).reshape(len(weight), -1).sum(axis=1).max())
    return max(0, math.frexp(most * 255 * 16 / 15)[1] - DTYPES["float32"].significand)


def bell(shape: tuple[int, ...], dtype: str, stream: Stream) -> Array:
    """Integers of 12 bits, close to normally distributed: their range is about three and a half deviations to either side."""
    y = sum((stream.below(1 << 10, math.prod(shape)) for _ in range(4)), np.zeros(math.prod(shape), np.int64))
    return rounded(y - (1 << 11) + 2, dtype).reshape(shape)


def dequantized(node: Node, shapes: Sequence[tuple[int, ...]], stream: Stream) -> tuple[Array, dict[str, Array]]:
    """x and weights with Σ|x·w| + |b| ≤ 2^24 times the scales, which are powers of two: every sum is exact."""
    wanted = node.op.weight_shapes(*shapes)
    terms, budget = math.prod(wanted["weight"][1:]), 1 << DTYPES["float32"].significand
    w_max = min(127, max(1, budget // (2 * terms)))
    x_max = max(1, (budget - budget // 8) // (terms * w_max))
    x = rounded(np.ldexp(stream.filled(shapes[0], x_max, "float64"), -4), "float32")
    scale = _scales(wanted["weight_scale"], "float32", -5, stream)
    weights = {"weight": stream.filled(wanted["weight"], w_max, "int8"), "weight_scale": scale}
    if "bias" in wanted:
        weights |= {"bias": stream.filled(wanted["bias"], budget // 8, "int32"), "bias_scale": scale / np.float32(16)}
    return x, weights


def fitted(x: Array, low: float, high: float) -> Array:
    """Integers scaled by a power of two and shifted, so that they fill more than a quarter of a range and leave none."""
    extent = float(np.abs(x).max())
    k = math.frexp(2 * extent / (high - low))[1]
    middle = np.rint(np.ldexp((low + high) / 2, k))
    return rounded(np.ldexp(x.astype(np.float64) + middle, -k), x.dtype.name)


def exact_integers(node: Node, xs: Sequence[Array]) -> bool:
    """Every evaluation of the layer gives the same on these inputs, which have no error."""
    kind = node.op.kind
    if kind in SUMS:
        return True
    scales = [xs[i] for i in SCALES.get(kind, ())]
    if not scales or any((power_of_two(s) != s).any() for s in scales):
        return False
    most = 2.0 ** DTYPES["float32"].significand
    if kind == "DequantizeLinear":
        return bool((magnitude(node, xs, {}) <= scales[0].min() * 2.0 ** DTYPES[node.type.dtype].significand).all())
    if kind in RESCALED:
        return bool(magnitude(node, xs, {}).max() <= most * scales[0].min() * scales[1].min() / scales[2].max())
    return True


def integers(node: Node, dtypes: Sequence[str], shapes: Sequence[tuple[int, ...]], stream: Stream) -> Operands:
    """Operands over the whole range of their data types, with sums that mostly do not saturate."""
    match node.op.kind:
        case "QuantizeLinear":
            xs = _to_quantise(node, dtypes, shapes, stream)
        case "DequantizeLinear":
            xs = (whole(shapes[0], dtypes[0], stream), _scales(shapes[1], dtypes[1], -6, stream))
            xs += tuple(whole(shape, dtypes[0], stream) for shape in shapes[2:])
        case "DynamicQuantizeLinear":
            xs = (_of_range(shapes[0], stream),)
        case kind if kind in SUMS:
            xs = (*(whole(s, d, stream) for s, d in zip(shapes[:2], dtypes, strict=False)),)
            xs += tuple(_zero(s, d, stream) for s, d in zip(shapes[2:], dtypes[2:], strict=True))
        case _:
            xs = _rescaled(node, dtypes, shapes, stream)
    most = DTYPES["float32"].significand
    exact = node.op.kind not in RESCALED or math.prod(shapes[3][1:]) * 255**2 <= 1 << most
    return ("whole range" if exact else "whole range, judged by neighbours", exact, xs)


def whole(shape: tuple[int, ...], dtype: str, stream: Stream) -> Array:
    """Integers over the range of a data type, of int32 over that of 24 bits."""
    of = DTYPES[dtype]
    low, high = max(int(of.low), -(1 << 23)), min(int(of.high), (1 << 23) - 1)
    return rounded(stream.below(high - low + 1, math.prod(shape)) + low, dtype).reshape(shape)


def _zero(shape: tuple[int, ...], dtype: str, stream: Stream) -> Array:
    """One zero point for all: onnxruntime 1.32 takes no others along the filters of a convolution."""
    return np.broadcast_to(whole((), dtype, stream), shape).copy()


def _scales(shape: tuple[int, ...], dtype: str, exponent: int, stream: Stream) -> Array:
    """2^exponent and half of it."""
    powers = np.ldexp(1.0, exponent - stream.below(2, math.prod(shape)))
    return rounded(powers, dtype).reshape(shape)


def _to_quantise(
    node: Node, dtypes: Sequence[str], shapes: Sequence[tuple[int, ...]], stream: Stream
) -> tuple[Array, ...]:
    """Multiples of a quarter of the scale, so that a quarter of them are halves, an eighth beyond either end."""
    target = DTYPES[node.type.dtype]
    zero = tuple(_zero(shape, node.type.dtype, stream) for shape in shapes[2:])
    fine = min(2, DTYPES[dtypes[0]].significand - target.significand - 2) if dtypes[0] != "int32" else 0
    span = int(target.high - target.low + 1) << max(fine, 0)
    steps = stream.below(span + span // 4, math.prod(shapes[0])).reshape(shapes[0]) - span // 8
    middle = int(target.low - float(zero[0].flat[0])) if zero else int(target.low)
    exponent = -4 if dtypes[0] != "int32" else 1
    scale = np.full(shapes[1], 2.0**exponent)
    x = (np.ldexp(steps.astype(np.float64), -max(fine, 0)) + middle) * 2.0**exponent
    return rounded(x, dtypes[0]), rounded(scale, dtypes[1]), *zero


def _of_range(shape: tuple[int, ...], stream: Stream) -> Array:
    """Quarters from −a to b with a + b = 255/16, so that the scale is 2^-4; a single element is b."""
    least = int(stream.below(200, 1)[0]) + 20
    steps = stream.below(4 * 255 + 1, math.prod(shape)) - 4 * least
    steps[:1], steps[-1:] = -4 * least, 4 * (255 - least)
    return np.ldexp(steps.astype(np.float64), -6).astype(np.float32).reshape(shape)


def _rescaled(
    node: Node, dtypes: Sequence[str], shapes: Sequence[tuple[int, ...]], stream: Stream
) -> tuple[Array, ...]:
    """The output's scale is that of sums of so many products of uniform integers, a third of its range."""
    terms = math.prod(shapes[3][1:]) if node.op.kind == "QLinearConv" else shapes[0][-1]
    exponent = math.frexp(74.0**2 * math.sqrt(terms) / 48)[1]
    made: list[Array] = []
    for index, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
        if index in (0, 3):
            made.append(whole(shape, dtype, stream))
        elif index in (1, 4, 6):
            made.append(_scales(shape, dtype, exponent if index == 6 else 0, stream))
        elif index == 8:
            made.append(rounded(stream.below(1 << 13, math.prod(shape)) - (1 << 12), dtype).reshape(shape))
        else:
            made.append(_middle(shape, dtype, stream))
    return tuple(made)


def _middle(shape: tuple[int, ...], dtype: str, stream: Stream) -> Array:
    """One zero point for all, near the middle of the range."""
    of = DTYPES[dtype]
    middle = (int(of.low) + int(of.high) + 1) // 2
    return np.broadcast_to(rounded(stream.below(21, 1)[0] - 10 + middle, dtype), shape).copy()
