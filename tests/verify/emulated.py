"""Runtimes of other arithmetic: a 3×3 convolution of stride 1 and pad 1, computed as hardware and libraries do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import ml_dtypes
import numpy as np

from onnxconv.graph import Graph
from onnxconv.weights import Weights

F32 = np.float32


def patches(x: np.ndarray) -> np.ndarray:
    """[N, H, W, C·9] of x[N, C, H, W] with a border of zeros."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    h, w = x.shape[2:]
    parts = [padded[:, :, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return np.stack(parts, axis=2).transpose(0, 3, 4, 1, 2).reshape(len(x), h, w, -1)


def direct(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Term after term in the arithmetic of the arrays."""
    terms, y = patches(x), np.zeros((len(x), *x.shape[2:], len(w)), x.dtype)
    for k in range(terms.shape[-1]):
        y = (y + (terms[..., k, None] * w.reshape(len(w), -1)[:, k]).astype(x.dtype)).astype(x.dtype)
    return y.transpose(0, 3, 1, 2)


def truncated(a: np.ndarray) -> np.ndarray:
    return (a.view(np.uint32) & np.uint32(0xFFFFE000)).view(F32)


def nearest(a: np.ndarray) -> np.ndarray:
    return ((a.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(F32)


def cut(a: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Towards zero, to whole multiples of a power of two."""
    return np.trunc(a / unit) * unit


def in_blocks(size: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """TF32 as tensor cores sum it: `size` products and the sum so far, aligned to the largest of them with 24 bits, cut, added, cut.

    With blocks of 1 it is what any block does that is filled up with zeros.
    """

    def conv(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        terms = patches(truncated(x)).astype(np.float64)
        weight = truncated(w).reshape(len(w), -1).astype(np.float64)
        y = np.zeros((*terms.shape[:3], len(w), 1))
        for k in range(0, terms.shape[-1], size):
            products = terms[..., None, k : k + size] * weight[:, k : k + size]
            addends = np.concatenate([y, products], axis=-1)
            largest = np.frexp(np.abs(addends).max(axis=-1, keepdims=True))[1]
            total = cut(addends, np.ldexp(1.0, largest - 24)).sum(axis=-1, keepdims=True)
            y = cut(total, np.ldexp(1.0, np.frexp(total)[1] - 24))
        return y[..., 0].transpose(0, 3, 1, 2).astype(F32)

    return conv


def flushed(a: np.ndarray) -> np.ndarray:
    return np.where(np.abs(a) < F32(2.0**-126), F32(0), a)


def through(dtype: object) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Operands and results in a narrow type, sums in float32."""

    def conv(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        narrow = [a.astype(dtype).astype(F32) for a in (x, w)]
        return direct(*narrow).astype(dtype).astype(F32)

    return conv


def halves(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return direct(x.astype(np.float16), w.astype(np.float16)).astype(F32)


def fourier(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    h, v = (n + 2 for n in x.shape[2:])
    forward = np.fft.rfft2(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(F32), (h, v)).astype(np.complex64)
    kernel = np.fft.rfft2(w.astype(F32), (h, v)).astype(np.complex64)
    product = np.einsum("nchw,mchw->nmhw", forward, kernel.conj()).astype(np.complex64)
    return np.fft.irfft2(product, (h, v)).astype(F32)[:, :, : h - 2, : v - 2]


def winograd(m: int, r: int = 3) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """F(m×m, r×r) by Cook and Toom's construction, written out with fractions; as many pixels of padding as `same` has."""
    t = m + r - 1
    points = [Fraction(p) for p in [0, 1, -1, 2, -2, "1/2", "-1/2"][: t - 1]]
    pad = r // 2

    def vandermonde(n: int) -> list[list[Fraction]]:
        return [[p**k for k in range(n)] for p in points] + [[Fraction(0)] * (n - 1) + [Fraction(1)]]

    scale = [Fraction(1)] * t
    for i, p in enumerate(points):
        for q in points:
            scale[i] *= (p - q) if p != q else 1
    a = np.array(vandermonde(m), float).T.astype(F32)
    g = np.array([[v / s for v in row] for row, s in zip(vandermonde(r), scale, strict=True)], float).astype(F32)
    inverse = np.linalg.inv(np.array(vandermonde(t), float))
    b = (inverse.T * np.array([float(s) for s in scale])[:, None]).astype(F32)

    def conv(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        height, width = x.shape[2:]
        rows, columns = -(-height // m), -(-width // m)
        ends = [(pad, pad + rows * m - height), (pad, pad + columns * m - width)]
        padded = np.pad(x, ((0, 0), (0, 0), *ends)).astype(F32)
        y = np.zeros((len(x), len(w), rows * m, columns * m), F32)
        u = np.einsum("ij,mcjk,lk->mcil", g, w, g, dtype=F32)
        for i in range(rows):
            for j in range(columns):
                tile = padded[:, :, i * m : i * m + t, j * m : j * m + t]
                v = np.einsum("ij,ncjk,lk->ncil", b, tile, b, dtype=F32)
                product = np.einsum("mcij,ncij->nmij", u, v, dtype=F32)
                y[:, :, i * m : i * m + m, j * m : j * m + m] = np.einsum("ij,nmjk,lk->nmil", a, product, a, dtype=F32)
        return y[:, :, :height, :width]

    return conv


EMULATED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "direct": direct,
    "flush-to-zero": lambda x, w: flushed(direct(flushed(x), flushed(w))),
    "winograd-2": winograd(2),
    "winograd-4": winograd(4),
    "winograd-6": winograd(6),
    "fft": fourier,
    "tf32": lambda x, w: direct(truncated(x), truncated(w)),
    "tf32 to nearest": lambda x, w: direct(nearest(x), nearest(w)),
    "tf32 in blocks of 16": in_blocks(16),
    "tf32 in blocks of 1": in_blocks(1),
    "float16": through(np.float16),
    "bfloat16": through(ml_dtypes.bfloat16),
    "float16-sums": halves,
}


class Emulated:
    """What probes need of a `Bench`, for models of one convolution."""

    def __init__(self, name: str) -> None:
        self.conv = EMULATED[name]

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        (self.node,) = graph.nodes
        self.w = {role: weights[param] for role, param in self.node.params}

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with np.errstate(all="ignore"):
            y = self.conv(inputs[self.node.inputs[0]], self.w["weight"])
        return {self.node.output: np.ascontiguousarray(y, F32)}
