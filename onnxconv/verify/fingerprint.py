"""What a runtime does with a sum of products, found out from inputs on which every arithmetic leaves another trace.

Single taps of weight 1 hand on integers of b bits: what narrower operands or results lose shows in the first b that does
not arrive. Pairs of 2^k and 1 show how many bits a sum keeps. One huge pixel spoils outputs that do not see it only where
they share a transform with one that does: as far as Winograd's tiles reach, or everywhere under a Fourier transform.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from onnxconv.execute import apply
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.verify.arithmetic import ARITHMETICS, NONE, Layer
from onnxconv.verify.case import Case, outputs_of
from onnxconv.verify.compare import within
from onnxconv.verify.draw import Stream
from onnxconv.verify.winograd import KERNELS
from onnxconv.verify.words import Array
from onnxconv.weights import given

__all__ = ["Fingerprint", "fingerprint"]

LADDER = (24, 20, 16, 13, 12, 11, 10, 9, 8)
"""Bits of the integers that are handed on."""
HUGE = 2.0**30
FAR = 8
"""Outputs beyond its field that a pixel spoils where a Fourier transform is at work, and none of Winograd's tiles."""
CANCELLED = 13
"""Bits of 2^k + 1 that neither float16 nor bfloat16 holds, with 2^k within float16."""
EXTREMES = (100, -100)
"""Exponents beyond float16, within float32 and bfloat16."""
SUBNORMAL = -135


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`operand_bits`: the widest integers that arrive unharmed, as input or as weight. `sum_bits`: 2^k + 1 is kept for k
    below it. `wide`: numbers beyond float16 arrive. `subnormals`: and those below 2^-126. `spread`: outputs beyond its
    field that a huge pixel spoils; kernels of 5 taps spoil 2 more than those of 3, which are not counted. `cancels`:
    2^k + 1 − 2^k is 1 to the last bit that a narrow result could hold. `bounded`: what is spoilt is no more than a transform
    of that reach may spoil; a pixel read from a wrong place is far more.
    """

    operand_bits: int
    sum_bits: int
    wide: bool
    subnormals: bool
    spread: int
    cancels: bool
    bounded: bool = True

    @property
    def arithmetic(self) -> str:
        """The name of the model in `arithmetic` that leaves this trace."""
        if self.spread:
            return _transform(self.spread) if self.bounded else NONE
        if self.operand_bits == 24 and self.sum_bits == 24:
            return "direct" if self.subnormals else "flush-to-zero"
        if self.operand_bits in (10, 11, 12) and self.wide:
            return "tf32" if self.sum_bits >= 23 else NONE
        if self.operand_bits == 11:
            return "float16" if self.cancels else "float16-sums"
        if self.operand_bits == 8 and self.wide:
            return "bfloat16" if self.cancels else NONE
        return NONE


def _transform(spread: int) -> str:
    """The transform that spoils so many outputs beside those that see a pixel."""
    return "fft" if spread > FAR else f"winograd-{2 if spread <= 2 else 4 if spread <= 4 else 6}"


@dataclass(frozen=True)
class _Bench:
    """One layer alone on the runtime, with weights of our choice."""

    case: Case
    node: Node
    shape: tuple[int, ...]

    @property
    def kernel(self) -> tuple[int, ...]:
        return self.node.op.weight_shapes(self.shape)["weight"]

    @property
    def filters(self) -> Array:
        """The weights as [M, terms]: the flat index of every term of every filter."""
        flat = np.arange(math.prod(self.kernel)).reshape(self.kernel)
        if self.node.op.kind != "ConvTranspose":
            return flat.reshape(self.kernel[0], -1)
        groups = int(getattr(self.node.op, "groups", 1))
        blocks = flat.reshape(groups, self.kernel[0] // groups, *self.kernel[1:])  # [g, C/g, M/g, *K]
        return np.swapaxes(blocks, 1, 2).reshape(groups * self.kernel[1], -1)

    def taps(self, count: int, values: tuple[float, ...] | None = None) -> Array:
        """A kernel with `count` taps a filter, of `values` in turn (1), spread over its terms from the middle."""
        rows = self.filters
        weight = np.zeros(math.prod(self.kernel))
        middle, terms = rows.shape[1] // 2, rows.shape[1]
        for i in range(min(count, terms)):
            at = (middle + i * max(1, terms // max(1, count)) + np.arange(len(rows)) * (terms > 9)) % terms
            weight[rows[np.arange(len(rows)), at]] = 1.0 if values is None else values[i]
        return weight.reshape(self.kernel)

    def corners(self) -> Array:
        """A kernel with one tap a filter, the first or the last of a channel, in turn."""
        rows, weight = self.filters, np.zeros(math.prod(self.kernel))
        taps = math.prod(self.kernel[2:])
        row = np.arange(len(rows))
        weight[rows[row, row // 2 % (rows.shape[1] // taps) * taps + row % 2 * (taps - 1)]] = 1.0
        return weight.reshape(self.kernel)

    def run(self, weight: Array, x: Array) -> tuple[Array, Array]:
        """(got, expected) in float64."""
        node, dtype = self.node, self.node.type.dtype
        w = {role: np.zeros(param.shape, dtype) for role, param in node.params} | {"weight": weight.astype(dtype)}
        xs = x.astype(dtype)
        y = apply(node, (xs,), w)
        one = replace(node, type=TensorType(dtype, y.shape))
        graph = Graph(node.name, ((node.inputs[0], TensorType(dtype, xs.shape)),), (one,), (node.output,))
        self.case.bench.load(graph, given({param.name: w[role] for role, param in node.params}))
        return outputs_of(self.case.bench, graph, {node.inputs[0]: xs})[node.output].astype(np.float64), y


def fingerprint(case: Case, node: Node, shape: tuple[int, ...]) -> Fingerprint:
    """Of a float32 layer that sums products, given the shape of one image of its input. Raises `RuntimeFailed`."""
    bench, stream = _Bench(case, node, (1, *shape[1:])), Stream("fingerprint", case.seed, node.name)
    arriving, wide, subnormals = _inputs(bench, stream)
    sum_bits, cancels = _sums(bench, stream)
    spread, bounded = _spread(bench, stream)
    return Fingerprint(min(arriving, _weights(bench, stream)), sum_bits, wide, subnormals, spread, cancels, bounded)


def _inputs(bench: _Bench, stream: Stream) -> tuple[int, bool, bool]:
    """Bits of inputs that arrive, whether extremes do, and whether subnormal numbers do."""
    images = [stream.long(bench.shape, bits, "float64") for bits in LADDER]
    signs = stream.signs(math.prod(bench.shape)).reshape(bench.shape).astype(np.float64)
    images += [np.ldexp(signs, exponent) for exponent in (*EXTREMES, SUBNORMAL)]
    got, y = bench.run(bench.taps(1), np.concatenate(images))
    arrived = [bool((g == e).all()) for g, e in zip(got, y, strict=True)]
    *ladder, high, low, subnormal = arrived
    return _widest(dict(zip(LADDER, ladder, strict=True))), high and low, subnormal


def _weights(bench: _Bench, stream: Stream) -> int:
    """Bits of weights that arrive: every filter has one tap, the filters take turns through the ladder."""
    x = stream.signs(math.prod(bench.shape)).reshape(bench.shape).astype(np.float64)
    rows, single = len(bench.filters), bench.taps(1)
    arrived: dict[int, bool] = dict.fromkeys(LADDER, True)
    for start in range(0, len(LADDER), rows):
        bits = [LADDER[(start + row) % len(LADDER)] for row in range(rows)]
        scale = np.array([float(stream.long((1,), b, "float64")[0]) for b in bits])
        weight = single.reshape(-1).copy()
        weight[bench.filters] *= scale[:, None]
        got, y = bench.run(weight.reshape(bench.kernel), x)
        for row, b in enumerate(bits):
            arrived[b] = arrived[b] and bool((got[:, row] == y[:, row]).all())
    return _widest(arrived)


def _widest(arrived: Mapping[int, bool]) -> int:
    """The widest of which all that are narrower arrived too; 0 if none did."""
    widest = 0
    for bits in sorted(arrived):
        if not arrived[bits]:
            break
        widest = bits
    return widest


def _sums(bench: _Bench, stream: Stream) -> tuple[int, bool]:
    """Bits that sums of two terms keep; and whether sums of three, one of them subtracted, err as little as a result may."""
    widths = tuple(bits for bits in sorted((*LADDER, 23), reverse=True))
    images = []
    for bits in widths:
        picked = stream.below(2, math.prod(bench.shape)).reshape(bench.shape)
        images.append(np.where(picked == 0, 1.0, 2.0 ** (bits - 1)))
    if bench.filters.shape[1] < 2:
        return 24, True
    x = np.concatenate(images)
    got, y = bench.run(bench.taps(2), x)
    kept = {bits: bool((g == e).all()) for bits, g, e in zip(widths, got, y, strict=True)}
    got, y = bench.run(bench.taps(3, (1.0, 1.0, -1.0)), images[widths.index(CANCELLED)])
    return _widest(kept), bool((np.abs(got - y) <= 2.0**-8 * np.abs(y)).all())


def _spread(bench: _Bench, stream: Stream) -> tuple[int, bool]:
    """How far beyond the outputs that see it a huge pixel spoils others, at most over its places in a tile; and whether
    that is within the bound of the transform of that reach.

    Filters have one tap, the first or the last: F(2, 3) keeps to the field of a whole kernel, but mixes its pixels.
    """
    sizes = bench.shape[2:]
    if not sizes:
        return 0, True
    calm = stream.filled(bench.shape, 3, "float64")
    weight = bench.corners()
    places = [tuple((n // 2 + shift) % n for n in sizes) for shift in range(6)]
    x = np.repeat(calm, len(places), axis=0)
    for image, place in enumerate(places):
        x[image][(slice(None), *place)] = HUGE
    got, y = bench.run(weight, x)
    quiet = apply(bench.node, (calm.astype(np.float32),), _only(bench, weight))
    farthest = 0
    for image in range(len(places)):
        inside = (y[image] != quiet[0]).any(axis=0)
        spoilt = (np.abs(got[image] - y[image]) > 0.5).any(axis=0) & ~inside
        if spoilt.any() and inside.any():
            away = np.abs(np.argwhere(spoilt)[:, None] - np.argwhere(inside)[None]).max(axis=2).min(axis=1)
            farthest = max(farthest, int(away.max()))
    if not farthest:
        return 0, True
    if max(bench.kernel[2:]) in KERNELS:
        farthest = max(1, farthest - max(bench.kernel[2:]) + KERNELS[0])
    layer = Layer(bench.node, (x.astype(np.float32),), _only(bench, weight), y)
    return farthest, not within(got, y, ARITHMETICS[_transform(farthest)].allowed(layer)).mismatches


def _only(bench: _Bench, weight: Array) -> dict[str, Array]:
    return {role: np.zeros(param.shape, np.float32) for role, param in bench.node.params} | {
        "weight": weight.astype(np.float32)
    }
