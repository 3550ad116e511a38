"""Pools: the largest value or the mean of a window, or of everything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Window, taps
from onnxconv.ops.conv import window_attributes
from onnxconv.ops.pad import Pad
from onnxconv.ops.protocol import (
    WHOLE_AXIS,
    Footprint,
    Form,
    Operator,
    Shape,
    fixed,
    need_numbers,
    need_spatial,
    sliding,
)

__all__ = ["AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "average"]


def _pooled_shape(window: Window, x: Shape, *, counted: bool = False) -> Shape:
    """[N, C, *S']; refused where a place of the window sees nothing but padding, unless padding is `counted` as pixels."""
    need_spatial(x, len(window))
    for axis, n in zip(window, x[2:], strict=True):
        if max(axis.pad) >= axis.extent:
            raise Refusal(
                "pool-pad",
                f"pool pad [{axis.pad[0]}, {axis.pad[1]}] with a window of extent {axis.extent}",
                "a pool's pad is smaller than its window, else some window sees nothing but padding",
                f"use a pad of at most {axis.extent - 1}",
                "pad",
            )
        if not counted and isinstance(n, int) and n < axis.dilation and any(axis.pad) and axis.blind(n):
            raise Refusal(
                "pool-pad",
                f"with dilation {axis.dilation} and pad [{axis.pad[0]}, {axis.pad[1]}], {axis.blind(n)} of "
                f"{axis.out_size(n)} windows step over all {n} pixels of the input and see nothing but padding",
                "every window of a pool sees at least one pixel",
                f"use a dilation of at most {n}, or no pad",
                "dilation",
            )
    return (x[0], x[1], *(a.out_size(n) for a, n in zip(window, x[2:], strict=True)))


def _wide(window: Window) -> bool:
    """onnxruntime 1.32 refuses pools with a pad of `size` or more, which a dilated window may well have."""
    return any(max(a.pad) >= a.size for a in window)


def _unpadded(window: Window) -> Window:
    return tuple(replace(a, pad=(0, 0)) for a in window)


def _padded(window: Window, value: float, x: Shape, opset: int) -> Form:
    """The padding as a node of its own, in front of the pool."""
    pad = Pad(tuple(a.pad for a in window), value=value)
    (form,) = pad.onnx(x, opset=opset)
    return replace(form, output="t:padded", shape=pad.out_shape(x))


def _lowest(dtype: np.dtype[Any]) -> float:
    """What never wins against a value of this type."""
    return int(np.iinfo(dtype).min) if dtype.kind in "iu" else -math.inf


@dataclass(frozen=True, slots=True)
class MaxPool(Operator):
    """y[N, C, *S'] = the largest value under the window; padding never wins, NaN always does."""

    kind: ClassVar[str] = "MaxPool"
    window: Window

    def out_shape(self, *xs: Shape) -> Shape:
        return _pooled_shape(self.window, xs[0])

    def define(self, *xs: Array, **w: Array) -> Array:
        y: Array | None = None
        for _, seen in taps(xs[0], self.window, fill=_lowest(xs[0].dtype)):
            y = seen.copy() if y is None else np.maximum(y, seen, out=y)
        assert y is not None, "a window has at least one tap"
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return sliding(self.window)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        dilated = any(a.dilation > 1 for a in self.window)
        if not _wide(self.window):
            return (Form("MaxPool", ("x0",), window_attributes(self.window, dilations=dilated)),)
        bare = window_attributes(_unpadded(self.window), dilations=dilated)
        return (_padded(self.window, -math.inf, xs[0], opset), Form("MaxPool", ("t:padded",), bare))


@dataclass(frozen=True, slots=True)
class AveragePool(Operator):
    """y[N, C, *S'] = the mean under the window, over real pixels only or, with `count_include_pad`, over padding too."""

    kind: ClassVar[str] = "AveragePool"
    window: Window
    count_include_pad: bool = False

    def out_shape(self, *xs: Shape) -> Shape:
        return _pooled_shape(self.window, xs[0], counted=self.count_include_pad)

    def _sum(self, x: Array) -> Array:
        y: Array | None = None
        for _, seen in taps(x, self.window):
            y = seen.copy() if y is None else np.add(y, seen, out=y)
        assert y is not None, "a window has at least one tap"
        return y

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        counted = self._sum(np.ones((1, 1, *x.shape[2:]), x.dtype))
        return self._sum(x) / (math.prod(a.size for a in self.window) if self.count_include_pad else counted)

    def roundings(self, *xs: Shape) -> int:
        """n − 1 additions, and a division or a product with a rounded reciprocal."""
        return math.prod(a.size for a in self.window) + 1

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return sliding(self.window)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        dilated = any(a.dilation > 1 for a in self.window)
        if dilated and opset < 19:
            raise Refusal(
                "opset",
                f"a dilated average pool cannot be written in opset {opset}",
                "AveragePool has dilations since opset 19",
                "build with --opset 19 or later",
                "dilation",
            )
        counted = {"count_include_pad": int(self.count_include_pad)}
        if self.count_include_pad and _wide(self.window):
            bare = window_attributes(_unpadded(self.window), dilations=dilated)
            return (_padded(self.window, 0.0, xs[0], opset), Form("AveragePool", ("t:padded",), {**bare, **counted}))
        attributes = window_attributes(self.window, dilations=dilated)
        return (Form("AveragePool", ("x0",), {**attributes, **counted}),)


def average(asked: Window, reached: Window, count_include_pad: bool) -> tuple[Operator, ...]:
    """The mean under the window `asked` whose ceil mode amounts to `reached`: one operator, or two one after the other.

    The divisor of a window is the number of its cells inside the input and, with `count_include_pad`, the padding; the
    cells that ceil mode adds beyond never count (ONNX, AveragePool). With the padding made part of the input, that
    number is what AveragePool without count_include_pad divides by when its pads are the added cells alone.
    """
    if not count_include_pad or reached == asked:
        return (AveragePool(reached, count_include_pad),)
    added = AveragePool(tuple(replace(b, pad=(0, b.pad[1] - a.pad[1])) for a, b in zip(asked, reached, strict=True)))
    pads = tuple(a.pad for a in asked)
    return (Pad(pads), added) if any(map(any, pads)) else (added,)


class _Global(Operator):
    """A pool over all positions: every output sees the whole input."""

    __slots__ = ()

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_spatial(x)
        need_numbers(x, range(2, len(x)), "a pool over all positions")
        return (x[0], x[1], *[1] * (len(x) - 2))

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return sliding((WHOLE_AXIS,) * (len(xs[0]) - 2))

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        return (Form(self.kind, ("x0",), {}),)


@dataclass(frozen=True, slots=True)
class GlobalAveragePool(_Global):
    """y[N, C, 1 …] = the mean over all positions."""

    kind: ClassVar[str] = "GlobalAveragePool"

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = x.mean(axis=tuple(range(2, x.ndim)), keepdims=True)
        return y

    def roundings(self, *xs: Shape) -> int:
        return math.prod(fixed(n, "a spatial size") for n in xs[0][2:]) + 1


@dataclass(frozen=True, slots=True)
class GlobalMaxPool(_Global):
    """y[N, C, 1 …] = the largest value of all positions."""

    kind: ClassVar[str] = "GlobalMaxPool"

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = x.max(axis=tuple(range(2, x.ndim)), keepdims=True)
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0
