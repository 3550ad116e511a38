"""Elementwise operators as stages: functions that compute a block in place, one after the other while it is in the cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.execute.fast.block import BLOCK, Block, Call, Triple, blocks_of, shared
from onnxconv.execute.fold import affine
from onnxconv.geometry import Array
from onnxconv.ops import (
    Abs,
    Add,
    BatchNorm,
    Ceil,
    Clip,
    DequantizeLinear,
    Div,
    Elu,
    Erf,
    Exp,
    Floor,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Log,
    Max,
    Min,
    Mish,
    Mul,
    Neg,
    Operator,
    Pow,
    PRelu,
    QuantizeLinear,
    Reciprocal,
    Relu,
    Round,
    Sigmoid,
    Silu,
    Softplus,
    Sqrt,
    Sub,
    Tanh,
)

__all__ = ["Elements", "Function", "is_stage", "stage"]

Function = Callable[..., None]
"""(out, *values): computes a block of the output, which may be the memory of one of the values."""

_UFUNCS: Mapping[type, Any] = {
    Add: np.add,
    Sub: np.subtract,
    Mul: np.multiply,
    Div: np.divide,
    Max: np.maximum,
    Min: np.minimum,
    Tanh: np.tanh,
    Exp: np.exp,
    Sqrt: np.sqrt,
    Abs: np.abs,
    Neg: np.negative,
    Reciprocal: np.reciprocal,
    Floor: np.floor,
    Ceil: np.ceil,
}

_DEFINED = (Elu, Softplus, Gelu, Mish, Log, Erf, Pow, Round, LeakyRelu, HardSigmoid)
"""Without weights, computed block by block by their definitions."""

_STAGED = (
    *(Relu, Clip, Sigmoid, Silu, HardSwish, BatchNorm, PRelu, QuantizeLinear, DequantizeLinear),
    *_UFUNCS,
    *_DEFINED,
)


@dataclass(frozen=True, slots=True)
class Elements:
    """A kernel that leaves everything to the stages after it."""

    blocks: tuple[Block, ...]
    scratch: int = 0

    @classmethod
    def of(cls, shape: Triple) -> Elements:
        """The kernel for a tensor of that shape."""
        return cls(blocks_of(shape, shared(math.prod(shape), BLOCK)))

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        return iter(())


def is_stage(op: Operator) -> bool:
    """Whether an operator has a stage."""
    return isinstance(op, _STAGED)


def stage(op: Operator, w: Mapping[str, Array], dtype: np.dtype[Any]) -> tuple[Function, tuple[Array, ...]]:
    """An elementwise operator's function, and the constants [1, C, 1] that it takes after its inputs."""
    match op:
        case Relu():
            return partial(_clip, dtype.type(0), dtype.type(np.inf)), ()
        case Clip():
            low, high = (-np.inf if op.low is None else op.low), (np.inf if op.high is None else op.high)
            return partial(_clip, dtype.type(np.float32(low)), dtype.type(np.float32(high))), ()
        case Sigmoid():
            return _sigmoid, ()
        case Silu():
            return _silu, ()
        case Gelu(approximate="none") if dtype == np.float32:
            return _gelu, ()
        case HardSwish():
            return partial(_hard_swish, dtype.type(np.float32(1 / 6))), ()
        case BatchNorm():
            factor, shift = affine(op, w)
            return _affine, (_column(factor, dtype), _column(shift, dtype))
        case PRelu():
            return _leaky, (_column(w["weight"], dtype),)
        case QuantizeLinear():
            return partial(_quantise, dtype.type(DTYPES[op.dtype].low), dtype.type(DTYPES[op.dtype].high)), ()
        case DequantizeLinear():
            return _dequantise, ()
        case _ if type(op) in _UFUNCS:
            return partial(_fold, _UFUNCS[type(op)]), ()
        case _:
            return partial(_define, op), ()


def _column(values: Array, dtype: np.dtype[Any]) -> Array:
    return values.astype(dtype).reshape(1, -1, 1)


def _clip(low: Any, high: Any, out: Array, x: Array) -> None:
    """In NumPy 2.4 twice as fast as maximum with one number."""
    np.clip(x, low, high, out=out)


def _affine(out: Array, x: Array, factor: Array, shift: Array) -> None:
    np.multiply(x, factor, out=out)
    np.add(out, shift, out=out)


def _leaky(out: Array, x: Array, slope: Array) -> None:
    out[...] = np.where(x < 0, x * slope, x)


def _sigmoid(out: Array, x: Array) -> None:
    """1 ÷ (1 + e⁻ˣ): where the exponential overflows, the quotient is 0, as far off as the bound's 8u allow."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, out.dtype.type(1), out=out)
    np.reciprocal(out, out=out)


def _silu(out: Array, x: Array) -> None:
    """x ÷ (1 + e⁻ˣ)."""
    below = np.negative(x)
    np.exp(below, out=below)
    np.add(below, below.dtype.type(1), out=below)
    np.divide(x, below, out=out)


def _hard_swish(sixth: Any, out: Array, x: Array) -> None:
    gate = x * sixth
    np.add(gate, x.dtype.type(0.5), out=gate)
    np.clip(gate, x.dtype.type(0), x.dtype.type(1), out=gate)
    np.multiply(x, gate, out=out)


_P = 0.3275911
_A = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


def _gelu(out: Array, x: Array) -> None:
    """x · (1 + erf(x/√2)) ÷ 2 = max(x, 0) · (1 − q/2) + min(x, 0) · q/2, with q = erfc(|x|/√2).

    erfc z = (a₁t + … + a₅t⁵) · exp(−z²), t = 1 ÷ (1 + p·z), within 1.5e-7 < 3u (Abramowitz and Stegun 7.1.26); its
    evaluation adds less than 10u, of which half counts. The bound allows 19u·|x|.
    """
    f = x.dtype.type
    z = np.abs(x) * f(np.sqrt(0.5))
    t = np.reciprocal(z * f(_P) + f(1))
    q = t * f(_A[0])
    for a in _A[1:]:
        np.add(q, f(a), out=q)
        np.multiply(q, t, out=q)
    np.multiply(z, -z, out=z)
    np.multiply(q, np.exp(z, out=z), out=q)
    np.multiply(q, f(0.5), out=q)
    np.multiply(np.clip(x, f(-np.inf), f(0), out=t), q, out=t)
    np.subtract(f(1), q, out=q)
    np.multiply(np.clip(x, f(0), f(np.inf), out=out), q, out=out)
    np.add(out, t, out=out)


def _quantise(low: Any, high: Any, out: Array, x: Array, scale: Array, zero: Array | None = None) -> None:
    """Whole numbers, as floats; NaN becomes the lowest. A quotient of float32 numbers is that of float64, rounded."""
    np.divide(x, scale, out=out)
    np.rint(out, out=out)
    if zero is not None:
        np.add(out, zero, out=out, dtype=out.dtype)
    np.fmax(out, low, out=out)
    np.minimum(out, high, out=out)


def _dequantise(out: Array, x: Array, scale: Array, zero: Array | None = None) -> None:
    """Differences of 16 bits are exact."""
    if zero is None:
        np.multiply(x, scale, out=out, dtype=out.dtype)
    else:
        np.subtract(x, zero, out=out, dtype=out.dtype)
        np.multiply(out, scale, out=out)


def _fold(function: Any, out: Array, first: Array, *others: Array) -> None:
    if not others:
        if function.nin == 1:
            function(first, out=out)
        else:
            out[...] = first
        return
    for other in others:
        first = function(first, other, out=out)


def _define(op: Operator, out: Array, *values: Array) -> None:
    out[...] = op.define(*values)
