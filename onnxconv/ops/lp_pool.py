"""Pools that take the p-norm of what they see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Window, taps
from onnxconv.ops.conv import window_attributes
from onnxconv.ops.pad import Pad
from onnxconv.ops.pool import AveragePool, GlobalAveragePool
from onnxconv.ops.protocol import Footprint, Form, Operator, Shape, fixed

__all__ = ["GlobalLpPool", "LpPool"]

POWER = 32
"""In u: a power within 16 ulp, as OpenCL 3.0 C demands of a device."""


def _root(total: Array, p: int) -> Array:
    y: Array = total if p == 1 else np.sqrt(total) if p == 2 else total ** total.dtype.type(1 / p)
    return y


def _magnitude(total: Array, p: int, count: int) -> Array:
    """y·(1 + |ln S|/p) of the sum S of `count` powers: rounding 1/p by u changes y by u·|ln S|/p.

    Powers below 2^-126 may be lost, each of them and all of S: below count·2^-100 nothing but the size of y is known, and
    above 2^126 the sum may be infinite. That is so where powers are summed in float32; narrower sums are not foreseen.
    """
    small = count * 2.0**-100
    with np.errstate(divide="ignore", invalid="ignore"):
        y: Array = _root(total, p) * (1 + np.abs(np.log(np.maximum(total, small))) / p)
    y = np.where(total < small, 2.0**25 * small ** (1 / p), y)
    return np.where(total > 2.0**126, np.inf, y)


def _check(p: int) -> None:
    if p < 1:
        raise Refusal("norm", f"a pool of the {p}-norm", "p is at least 1", "use 2 for the Euclidean norm", "p")


@dataclass(frozen=True, slots=True)
class LpPool(Operator):
    """y[N, C, *S'] = (Σ|x|^p)^(1/p) over the window; padding counts as 0."""

    kind: ClassVar[str] = "LpPool"
    window: Window
    p: int = 2

    def out_shape(self, *xs: Shape) -> Shape:
        _check(self.p)
        return AveragePool(self.window, count_include_pad=True).out_shape(*xs)

    def _total(self, x: Array) -> Array:
        y: Array | None = None
        for _, seen in taps(np.abs(x) ** self.p, self.window):
            y = seen.copy() if y is None else np.add(y, seen, out=y)
        assert y is not None, "a window has at least one tap"
        return y

    def define(self, *xs: Array, **w: Array) -> Array:
        return _root(self._total(xs[0]), self.p)

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        return _magnitude(self._total(xs[0]), self.p, math.prod(a.size for a in self.window))

    def roundings(self, *xs: Shape) -> int:
        """A power of each tap, n − 1 additions, whose errors the root does not enlarge; 1/p rounded, and a power."""
        return math.prod(a.size for a in self.window) + 2 * POWER

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return AveragePool(self.window).footprint(*xs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        dilated = any(a.dilation > 1 for a in self.window)
        if dilated and opset < 18:
            what = f"a dilated LpPool cannot be written in opset {opset}"
            raise Refusal(
                "opset", what, "it has dilations since opset 18", "build with --opset 18 or later", "dilation"
            )
        window, x, before = self.window, "x0", list[Form]()
        if any(max(a.pad) >= a.size for a in window):
            # onnxruntime 1.32 refuses pools with a pad of `size` or more, which a dilated window may well have.
            (pad,) = (op := Pad(tuple(a.pad for a in window))).onnx(*xs, opset=opset)
            before, x = [replace(pad, output="t:padded", shape=op.out_shape(*xs))], "t:padded"
            window = tuple(replace(a, pad=(0, 0)) for a in window)
        return (*before, Form("LpPool", (x,), {**window_attributes(window, dilations=dilated), "p": self.p}))


@dataclass(frozen=True, slots=True)
class GlobalLpPool(Operator):
    """y[N, C, 1 …] = (Σ|x|^p)^(1/p) over all positions."""

    kind: ClassVar[str] = "GlobalLpPool"
    p: int = 2

    def out_shape(self, *xs: Shape) -> Shape:
        _check(self.p)
        return GlobalAveragePool().out_shape(*xs)

    def _total(self, x: Array) -> Array:
        y: Array = (np.abs(x) ** self.p).sum(axis=tuple(range(2, x.ndim)), keepdims=True)
        return y

    def define(self, *xs: Array, **w: Array) -> Array:
        return _root(self._total(xs[0]), self.p)

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        return _magnitude(self._total(xs[0]), self.p, math.prod(xs[0].shape[2:]))

    def roundings(self, *xs: Shape) -> int:
        """As `LpPool`, of a window as large as the input."""
        return math.prod(fixed(n, "a spatial size") for n in xs[0][2:]) + 2 * POWER

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return GlobalAveragePool().footprint(*xs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form("GlobalLpPool", ("x0",), {"p": self.p}),)
