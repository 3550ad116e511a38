"""Convolution and its adjoint, dense layers: sums of products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Axis, TransposedAxis, TransposedWindow, Window, taps, transposed_taps
from onnxconv.ops.protocol import (
    POINT,
    WHOLE_AXIS,
    AttributeValue,
    Footprint,
    Form,
    Operator,
    Shape,
    Work,
    fixed,
    mixing,
    need_spatial,
    shape_text,
)

__all__ = ["Conv", "ConvTranspose", "Dense", "window_attributes"]


def window_attributes(window: Sequence[Axis | TransposedAxis], *, dilations: bool = True) -> dict[str, AttributeValue]:
    """ONNX spelling of a window; attributes at their default are written all the same, except all-one dilations for pools."""
    pads = (*(a.pad[0] for a in window), *(a.pad[1] for a in window))
    attributes: dict[str, AttributeValue] = {
        "kernel_shape": tuple(a.size for a in window),
        "pads": pads,
        "strides": tuple(a.stride for a in window),
    }
    return attributes | ({"dilations": tuple(a.dilation for a in window)} if dilations else {})


def _divisors(*numbers: int) -> str:
    shared = math.gcd(*numbers)
    legal = [d for d in range(1, shared + 1) if shared % d == 0] if shared <= 1 << 20 else [1]
    shown = [str(d) for d in legal[:8]] + (["…"] if len(legal) > 8 else [])
    return f"{', '.join(shown)} group{'s' if len(shown) > 1 else ''}"


def _legal_groups(n: int, channels: int, out_channels: int, groups: int) -> str:
    """Numbers of groups that would do; where the filters are at fault, also the nearest numbers of them."""
    if n == channels or groups < 1:
        return f"use {_divisors(channels, out_channels)}"
    below = n // groups * groups
    filters = f"{below} or {below + groups}" if below else str(groups)
    return f"use {filters} filters, or {_divisors(channels, out_channels)}"


def check_groups(channels: int, out_channels: int, groups: int) -> None:
    """Refuse groups that do not divide the input and the output channels."""
    for n, what, attribute in ((channels, "input channels", "group"), (out_channels, "filters", "filters")):
        if groups < 1 or n % groups:
            raise Refusal(
                "groups",
                f"{n} {what} cannot be split into {groups} groups",
                f"{n} % {groups} = {n % groups if groups > 0 else n}, "
                "and each group takes an equal share of the input channels and of the filters",
                _legal_groups(n, channels, out_channels, groups),
                attribute,
            )


def _blocks(w: Array, groups: int) -> Array:
    """w[g·A, B, *K] → [g, A, B, *K]"""
    return w.reshape(groups, w.shape[0] // groups, *w.shape[1:])


def _at(tap: tuple[int, ...]) -> tuple[Any, ...]:
    return (..., *tap)


@dataclass(frozen=True, slots=True)
class Conv(Operator):
    """y[N, M, *S'] = weight[M, C/groups, *K] correlated with x[N, C, *S], plus bias[M].

    Output channels of group g see the input channels of group g only; the groups are concatenated.
    """

    kind: ClassVar[str] = "Conv"
    window: Window
    out_channels: int
    groups: int = 1
    bias: bool = True

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        channels = fixed(xs[0][1], "the number of input channels")
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (self.out_channels, channels // self.groups, *(a.size for a in self.window))
        }
        return shapes | ({"bias": (self.out_channels,)} if self.bias else {})

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_spatial(x, len(self.window))
        check_groups(fixed(x[1], "the number of input channels"), self.out_channels, self.groups)
        return (x[0], self.out_channels, *(a.out_size(n) for a, n in zip(self.window, x[2:], strict=True)))

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        g, kernel = self.groups, _blocks(w["weight"], self.groups)  # [g, M/g, C/g, *K]
        y: Array | None = None
        outs: tuple[int, ...] = ()
        for tap, seen in taps(x, self.window):  # seen[N, C, *S']
            outs = seen.shape[2:]
            columns = seen.reshape(len(x), g, -1, math.prod(outs))  # [N, g, C/g, S']
            product = np.matmul(kernel[_at(tap)], columns)
            y = product if y is None else np.add(y, product, out=y)
        assert y is not None, "a window has at least one tap"
        y = y.reshape(len(x), self.out_channels, *outs)
        return y + w["bias"].reshape(-1, *[1] * len(self.window)) if self.bias else y

    def roundings(self, *xs: Shape) -> int:
        return self.terms(*xs) + 1

    def terms(self, *xs: Shape) -> int:
        """Products summed for one output."""
        return fixed(xs[0][1], "the number of input channels") // self.groups * math.prod(a.size for a in self.window)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return mixing(self.window)

    def work(self, *xs: Shape) -> Work:
        (x,) = xs
        per_position = self.out_channels * (fixed(x[1], "the number of input channels") // self.groups)
        sizes = [fixed(n, "a spatial size") for n in x[2:]]
        nominal = math.prod(int(a.out_size(n)) * a.size for a, n in zip(self.window, sizes, strict=True))
        valid = math.prod(a.valid_taps(n) for a, n in zip(self.window, sizes, strict=True))
        return Work(per_position * nominal, per_position * valid)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        operands = ("x0", "w:weight", "w:bias") if self.bias else ("x0", "w:weight")
        return (Form("Conv", operands, {**window_attributes(self.window), "group": self.groups}),)


@dataclass(frozen=True, slots=True)
class ConvTranspose(Operator):
    """The adjoint of a convolution: x[N, C, *S] spread by weight[C, M/groups, *K] into y[N, M, *S'], plus bias[M]."""

    kind: ClassVar[str] = "ConvTranspose"
    window: TransposedWindow
    out_channels: int
    groups: int = 1
    bias: bool = True

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        channels = fixed(xs[0][1], "the number of input channels")
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (channels, self.out_channels // self.groups, *(a.size for a in self.window))
        }
        return shapes | ({"bias": (self.out_channels,)} if self.bias else {})

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_spatial(x, len(self.window))
        check_groups(fixed(x[1], "the number of input channels"), self.out_channels, self.groups)
        return (x[0], self.out_channels, *(a.out_size(n) for a, n in zip(self.window, x[2:], strict=True)))

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        g, sizes = self.groups, x.shape[2:]
        outs = tuple(int(a.out_size(n)) for a, n in zip(self.window, sizes, strict=True))
        kernel = np.swapaxes(_blocks(w["weight"], g), 1, 2)  # [g, M/g, C/g, *K]
        y = np.zeros((len(x), g, self.out_channels // g, *outs), np.result_type(x, kernel))
        for tap, sources, targets in transposed_taps(self.window, sizes, outs):
            seen = x[(slice(None), slice(None), *sources)]
            columns = seen.reshape(len(x), g, x.shape[1] // g, math.prod(seen.shape[2:]))
            spread = np.matmul(kernel[_at(tap)], columns)
            y[(slice(None), slice(None), slice(None), *targets)] += spread.reshape(*spread.shape[:3], *seen.shape[2:])
        y = y.reshape(len(x), self.out_channels, *outs)
        return y + w["bias"].reshape(-1, *[1] * len(self.window)) if self.bias else y

    def roundings(self, *xs: Shape) -> int:
        channels = fixed(xs[0][1], "the number of input channels") // self.groups
        return channels * math.prod(max(a.overlaps()) for a in self.window) + 1

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return mixing(self.window)

    def work(self, *xs: Shape) -> Work:
        (x,) = xs
        per_position = fixed(x[1], "the number of input channels") * (self.out_channels // self.groups)
        sizes = [fixed(n, "a spatial size") for n in x[2:]]
        nominal = math.prod(n * a.size for a, n in zip(self.window, sizes, strict=True))
        valid = math.prod(a.valid_taps(n) for a, n in zip(self.window, sizes, strict=True))
        return Work(per_position * nominal, per_position * valid)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        operands = ("x0", "w:weight", "w:bias") if self.bias else ("x0", "w:weight")
        output_padding = tuple(a.output_pad for a in self.window)
        extra: dict[str, AttributeValue] = {"output_padding": output_padding} if any(output_padding) else {}
        return (Form("ConvTranspose", operands, {**window_attributes(self.window), "group": self.groups, **extra}),)


@dataclass(frozen=True, slots=True)
class Dense(Operator):
    """y[N, M] = x[N, C] · weight[M, C]ᵀ + bias[M]."""

    kind: ClassVar[str] = "Gemm"
    out_features: int
    bias: bool = True

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.out_features, fixed(xs[0][1], "the number of features"))}
        return shapes | ({"bias": (self.out_features,)} if self.bias else {})

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if len(x) != 2:
            raise Refusal(
                "rank",
                f"a dense layer cannot read {shape_text(x)}",
                "a dense layer reads [N, features]",
                "put 'flatten' before it, or 'global_average_pool' and 'flatten'",
            )
        fixed(x[1], "the number of features")
        return (x[0], self.out_features)

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = x @ w["weight"].T
        return y + w["bias"] if self.bias else y

    def roundings(self, *xs: Shape) -> int:
        return fixed(xs[0][1], "the number of features") + 1

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return ((POINT, WHOLE_AXIS),)

    def work(self, *xs: Shape) -> Work:
        macs = fixed(xs[0][1], "the number of features") * self.out_features
        return Work(macs, macs)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        operands = ("x0", "w:weight", "w:bias") if self.bias else ("x0", "w:weight")
        return (Form("Gemm", operands, {"transB": 1}),)
