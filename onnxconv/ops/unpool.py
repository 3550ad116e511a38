"""Where a max pool found its values, and a pool undone: values put back to where they came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Axis, Window, taps
from onnxconv.ops.conv import window_attributes
from onnxconv.ops.pool import MaxPool
from onnxconv.ops.protocol import UNKNOWN, Const, Footprint, Form, Operator, Shape, fixed, need_spatial, shape_text

__all__ = ["MaxPoolIndices", "MaxUnpool"]


@dataclass(frozen=True, slots=True)
class MaxPoolIndices(Operator):
    """y[N, C, *S'] = the place in all of x[N, C, *S], flattened without padding, of the largest value under the window.

    Of equal values the first counts. `by_columns`: each image's channel is flattened with its first spatial axis innermost.
    """

    kind: ClassVar[str] = "MaxPoolIndices"
    window: Window
    by_columns: bool = False

    def out_shape(self, *xs: Shape) -> Shape:
        for n in xs[0][1:]:
            fixed(n, "a size that places are counted by")
        return MaxPool(self.window).out_shape(*xs)

    def out_dtype(self, *dtypes: str) -> str:
        return "int64"

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        places = self._places(x.shape)
        best, found = None, None
        for (_, values), (_, at) in zip(taps(x, self.window), taps(places, self.window, fill=-1), strict=True):
            if best is None or found is None:
                best, found = values.copy(), np.broadcast_to(at, values.shape).copy()
                continue
            with np.errstate(invalid="ignore"):
                wins = (at >= 0) & ((found < 0) | (values > best) | (np.isnan(values) & ~np.isnan(best)))
            best, found = np.where(wins, values, best), np.where(wins, at, found)
        assert found is not None, "a window has at least one tap"
        return found

    def _places(self, x: tuple[int, ...]) -> Array:
        """[N, C, *S]: the place of every position."""
        size = math.prod(x[2:])
        inside = np.arange(size).reshape(x[2:][::-1]).T if self.by_columns else np.arange(size).reshape(x[2:])
        return np.arange(x[0] * x[1]).reshape(*x[:2], *[1] * (len(x) - 2)) * size + inside

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return MaxPool(self.window).footprint(*xs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        dilated = any(axis.dilation > 1 for axis in self.window)
        attributes = {**window_attributes(self.window, dilations=dilated), "storage_order": int(self.by_columns)}
        return (Form("MaxPool", ("x0",), attributes, beside=(("", self.out_shape(*xs)),), place=1),)


@dataclass(frozen=True, slots=True)
class MaxUnpool(Operator):
    """y[N, C, *S'] = 0, but x[N, C, *S] at the places in y, flattened, that a second input of x's shape lists.

    S' is the smallest size that the window pools to S, or `size`.
    """

    kind: ClassVar[str] = "MaxUnpool"
    window: Window
    size: tuple[int, ...] | None = None

    def out_shape(self, *xs: Shape) -> Shape:
        x, places = xs
        need_spatial(x, len(self.window))
        if x != places:
            what = f"values {shape_text(x)} and places {shape_text(places)}"
            raise Refusal("unpool-shape", what, "there is one place for each value")
        sizes = self.size or tuple(_unpooled(a, n) for a, n in zip(self.window, x[2:], strict=True))
        if min(sizes) < 1:
            why = "a size is (size - 1) * stride + kernel - pads"
            raise Refusal("unpool-shape", f"{shape_text(x)} unpools to {list(sizes)}", why, "use smaller pads", "pad")
        return (*x[:2], *sizes)

    def out_dtype(self, *dtypes: str) -> str:
        if dtypes[1:] != ("int64",):
            why = "places are int64, as max_pool_indices gives them"
            raise Refusal("dtype", f"its places are {' and '.join(dtypes[1:])}", why)
        return dtypes[0]

    def define(self, *xs: Array, **w: Array) -> Array:
        x, places = xs
        y = np.zeros([int(n) for n in self.out_shape(x.shape, places.shape)], x.dtype)
        there = (places >= 0) & (places < y.size)
        y.reshape(-1)[places[there].astype(np.int64)] = x[there]
        return y

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return tuple((UNKNOWN,) * len(x) for x in xs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        attributes = window_attributes(self.window, dilations=False)
        if self.size is None:
            return (Form("MaxUnpool", ("x0", "x1"), attributes),)
        shape = (*(fixed(n, "a size of what is unpooled") for n in xs[0][:2]), *self.size)
        return (Form("MaxUnpool", ("x0", "x1", Const(shape, "int64")), attributes),)


def _unpooled(axis: Axis, n: int | str) -> int:
    return (fixed(n, "a size to unpool") - 1) * axis.stride + axis.size - sum(axis.pad)
