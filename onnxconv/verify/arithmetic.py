"""Which arithmetic a runtime used: models of it, the narrowest first, each with the error that it allows a layer.

The models are those of float32 layers. u_i is the unit roundoff that operands are rounded with, S = Σ|terms|, n the
roundings of a direct evaluation, γ as in `rounding`. Operands that are rounded to w(1 + δ), x(1 + δ'), |δ|, |δ'| ≤ u_i,
give products off by at most (2u_i + u_i²)|w·x|; the sum of the rounded products, at most (1 + u_i)²S, errs by γ_n of
that. A result that is stored in the narrow type is rounded once more: u_i(|y| + E) for an error E so far.

Layers of float16 and bfloat16 have the direct bound alone, γ_n of their own type, n ≥ 2: it covers sums in float32, truncated in
blocks or not, that are stored once, 2^-p + γ_2n(2^-23) for p bits, since n·2^-p exceeds that by (n − 1)·2^-p ≥ n·2^-12 at least.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.execute import apply, magnitude
from onnxconv.graph import Node
from onnxconv.verify.carried import error_after
from onnxconv.verify.choice import COMPARED, undecided
from onnxconv.verify.compare import within
from onnxconv.verify.rounding import bound, gamma
from onnxconv.verify.signal import Signal
from onnxconv.verify.winograd import winograd
from onnxconv.verify.words import PRODUCTS, Array

__all__ = ["ARITHMETICS", "DIRECT", "NONE", "Arithmetic", "Layer", "allowed", "fitting", "narrower"]

DIRECT = "direct"
NONE = "none"


@dataclass(frozen=True)
class Layer:
    """A node, the runtime's own inputs to it, its weights by role, and the exact output in float64."""

    node: Node
    xs: Sequence[Array]
    w: Mapping[str, Array]
    y: Array

    @property
    def roundings(self) -> int:
        return self.node.op.roundings(*(x.shape for x in self.xs))

    def magnitude(self) -> Array:
        return magnitude(self.node, self.xs, self.w)

    def sum_of_inputs(self) -> Array:
        """Σ|x| over the field of each output."""
        ones = {role: np.ones_like(a) if role == "weight" else np.zeros_like(a) for role, a in self.w.items()}
        return apply(self.node, [np.abs(x) for x in self.xs], ones)

    def sum_of_weights(self) -> Array:
        """Σ|w| over the terms of each output."""
        none = {role: np.abs(a) if role == "weight" else np.zeros_like(a) for role, a in self.w.items()}
        return apply(self.node, [np.ones_like(x) for x in self.xs], none)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A model of arithmetic: what it is called, what it says, and the largest error of each output of a layer."""

    name: str
    says: str
    allowed: Callable[[Layer], Array]


def _direct(layer: Layer) -> Array:
    n = layer.roundings
    return bound(layer.node.type.dtype, n, layer.magnitude()) if n else np.zeros_like(layer.y)


def _flushed(layer: Layer) -> Array:
    """Operands, products, partial sums and the result below 2^-126 may be taken for zero.

    An operand that vanishes costs what it is multiplied with times 2^-126, at most Σ|w| + Σ|x| over all terms; each of n
    products, n sums and the result costs at most 2^-126 itself.
    """
    tiny, n = DTYPES[layer.node.type.dtype].normal, layer.roundings
    if layer.node.op.kind not in PRODUCTS:
        return _direct(layer) + (2 * n + 1) * tiny
    return _direct(layer) + tiny * (layer.sum_of_weights() + layer.sum_of_inputs() + 2 * n + 1)


def _tiles(size: int) -> Callable[[Layer], Array]:
    def allowed(layer: Layer) -> Array:
        limit = winograd(layer.node, layer.xs, layer.w, size)
        return _flushed(layer) if limit is None else np.maximum(_flushed(layer), limit)

    return allowed


def _transformed(layer: Layer) -> Array:
    """FFT of length P = 2^t per axis, forward, product, back (Higham, Accuracy and Stability, theorem 24.2).

    With accurate roots of unity each of the three transforms multiplies the norm-wise relative error by at most
    (1 + u)^t(1 + √5·u)^t(1 + β)^t; the error of a channel's correlation is relative to ‖x‖₂‖w‖₂. β = 4u.
    """
    if layer.node.op.kind not in ("Conv", "ConvTranspose"):
        return _flushed(layer)
    (x,), weight, u = layer.xs, layer.w["weight"].astype(np.float64), DTYPES[layer.node.type.dtype].unit
    lengths = [int(n) + 2 * k for n, k in zip(x.shape[2:], weight.shape[2:], strict=True)]
    t = sum(max(1, int(np.ceil(np.log2(n)))) for n in lengths)
    growth = (1 + u) ** (3 * t) * (1 + 5**0.5 * u) ** (3 * t + 1) * (1 + 4 * u) ** (3 * t) - 1
    taps = tuple(range(2, weight.ndim))
    norms = np.sqrt((weight**2).sum(axis=taps))  # the largest serves all filters
    of_x = np.sqrt((x.astype(np.float64) ** 2).sum(axis=tuple(range(2, x.ndim))))  # [N, C]
    limit: Array = _flushed(layer) + growth * float(norms.max()) * of_x.sum(axis=1).reshape(-1, *[1] * (x.ndim - 1))
    return limit


def _narrowed(unit: float, *, blocks: bool = False, stored: bool = False) -> Callable[[Layer], Array]:
    """Operands rounded with `unit`, sums in float32; with `blocks` summed a few products at a time and truncated, as on tensor cores.

    A block adds k products, which are exact, and the sum so far: all are cut below 2^-23 of the largest one, which loses
    nothing, and so is their sum. That is a factor (1 + δ)^(k + 1), |δ| ≤ 2^-23, on the absolute values. Blocks without a
    product lose nothing, so that there are at most as many as products, however many a block holds and however channels are
    filled up: over all blocks Σ(k + 1) ≤ 2(n − 1). Sums of several parts, rounded to nearest, take the place of blocks, and
    the bias adds one: 2n in all. (The model of Blanchard et al., SIAM J. Sci. Comput. 42(3), 2020, section 3, and of Fasi et
    al., PeerJ Comput. Sci. 7:e330, 2021, on V100, T4 and A100, which keep 24 bits or more. Not compared with hardware by us.)
    `stored`: results are rounded to the narrow type too.
    """

    def allowed(layer: Layer) -> Array:
        if layer.node.op.kind in PRODUCTS:
            n, size = layer.roundings, layer.magnitude()
            share = gamma(2 * n, 2.0**-23) if blocks else gamma(n, 2.0**-24)
            limit = _flushed(layer) + (2 * unit + unit**2) * size + (1 + unit) ** 2 * share * size
        else:
            limit = _of_rounded_inputs(layer, unit if stored else 0.0)
        return limit + unit * (np.abs(layer.y) + limit) if stored else limit

    return allowed


def _in_half_range(allowed: Callable[[Layer], Array]) -> Callable[[Layer], Array]:
    """The same in float16's range: nothing is said where operands or sums might exceed it, and what falls below 2^-14
    errs by 2^-25 at most, an operand's error times what it is multiplied with.
    """
    half = DTYPES["float16"]

    def ranged(layer: Layer) -> Array:
        if layer.node.op.kind not in PRODUCTS:
            limit = allowed(layer) + half.smallest * (layer.roundings + 2)
            return np.where(layer.magnitude() < half.high, limit, np.inf)
        inputs, weights, size = layer.sum_of_inputs(), layer.sum_of_weights(), layer.magnitude()
        limit = allowed(layer) + half.smallest * (inputs + weights + layer.roundings + 1)
        known = np.maximum(inputs, size) < (half.high if np.abs(layer.w["weight"]).max() < half.high else 0)
        return np.where(known, limit, np.inf)

    return ranged


def _of_rounded_inputs(layer: Layer, unit: float) -> Array:
    """What rounding the inputs of a layer other than a sum of products does to its output."""
    if not unit:
        return _flushed(layer)
    narrow = gamma(layer.roundings + 1, unit) * layer.magnitude() if layer.roundings else 0.0
    values = [x.astype(np.float64) for x in layer.xs]
    signals = [
        Signal(x, 0, np.abs(x), unit * np.abs(x) if given.dtype.kind == "f" else None)
        for x, given in zip(values, layer.xs, strict=True)
    ]
    with np.errstate(all="ignore"):
        return _flushed(layer) + narrow + error_after(layer.node, signals, layer.w, layer.y, layer.magnitude())


def _accumulated(unit: float) -> Callable[[Layer], Array]:
    """Operands, products and partial sums of the narrow type."""

    def allowed(layer: Layer) -> Array:
        if layer.node.op.kind not in PRODUCTS:
            return _narrowed(unit, stored=True)(layer)
        limit: Array = _flushed(layer) + gamma(layer.roundings + 3, unit) * layer.magnitude()
        return limit

    return allowed


_TF32 = 2.0**-10
"""10 bits after the point; to nearest it would be 2^-11, but tensor cores that are given float32 as it is truncate."""

_MODELS = (
    Arithmetic(DIRECT, "direct float32", _direct),
    Arithmetic("flush-to-zero", "direct float32 with subnormal numbers flushed to zero", _flushed),
    Arithmetic("winograd-2", "float32 with Winograd's F(2, r)", _tiles(2)),
    Arithmetic("winograd-4", "float32 with Winograd's F(4, r)", _tiles(4)),
    Arithmetic("winograd-6", "float32 with Winograd's F(6, r)", _tiles(6)),
    Arithmetic("fft", "float32 with fast Fourier transforms", _transformed),
    Arithmetic("tf32", "TF32 operands, float32 sums", _narrowed(_TF32, blocks=True)),
    Arithmetic(
        "float16",
        "float16 operands and results, float32 sums",
        _in_half_range(_narrowed(2.0**-11, blocks=True, stored=True)),
    ),
    Arithmetic("bfloat16", "bfloat16 operands and results, float32 sums", _narrowed(2.0**-8, blocks=True, stored=True)),
    Arithmetic("float16-sums", "float16 throughout, sums too", _in_half_range(_accumulated(2.0**-11))),
    Arithmetic(NONE, "no arithmetic that is known", lambda layer: np.full_like(layer.y, np.inf)),
)

ARITHMETICS: Mapping[str, Arithmetic] = {model.name: model for model in _MODELS}
"""Models of arithmetic for float32 layers by name, the narrowest first; `none` allows anything."""


def allowed(layer: Layer, demanded: str) -> Array:
    """The largest error of each output of a layer; those of other types than float32 are computed directly."""
    if layer.node.op.kind in COMPARED and layer.xs[0].dtype == np.float32 and demanded != DIRECT:
        return _of_comparison(layer, demanded)
    return ARITHMETICS[demanded if layer.node.type.dtype == "float32" else DIRECT].allowed(layer)


def _of_comparison(layer: Layer, demanded: str) -> Array:
    """Nothing is said of numbers that lie apart by no more than what rounding them to the arithmetic, or flushing, takes."""
    unit = {"float16": 2.0**-11, "float16-sums": 2.0**-11, "bfloat16": 2.0**-8}.get(demanded, 0.0)
    half, tiny = DTYPES["float16"], DTYPES["float32"].normal
    values = [x.astype(np.float64) for x in layer.xs]
    errors = [unit * np.abs(x) + tiny for x in values]
    if demanded.startswith("float16"):
        errors = [
            np.where(np.abs(x) < half.high, e + half.smallest, np.inf) for x, e in zip(values, errors, strict=True)
        ]
    return np.where(undecided(values, errors), np.inf, 0.0)


def narrower(name: str, demanded: str) -> bool:
    """An arithmetic is the demanded one, or one whose errors that covers."""
    order = list(ARITHMETICS)
    return order.index(name) <= order.index(demanded)


def fitting(layer: Layer, got: Array) -> Arithmetic:
    """The first model that a layer's output does not violate. Layers of other types than float32 know `direct` alone."""
    known = _MODELS if layer.node.type.dtype == "float32" else (_MODELS[0], _MODELS[-1])
    for model in known:
        if model.name == NONE or not within(got, layer.y, model.allowed(layer)).mismatches:
            return model
    raise AssertionError("the last model allows anything")
