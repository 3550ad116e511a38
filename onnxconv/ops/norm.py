"""Normalisations by statistics of the values themselves: layer, group and instance norm, local response."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.ops.pointwise import Pointwise
from onnxconv.ops.protocol import (
    POINT,
    WHOLE_AXIS,
    Const,
    Footprint,
    Form,
    Shape,
    fixed,
    need_spatial,
    shape_text,
)
from onnxconv.ops.reduce import reducing

__all__ = ["GroupNorm", "InstanceNorm", "LayerNorm", "LocalResponseNorm", "Normalised"]

VANISHING = 2.0**22
"""Roundings × cancellation beyond which a difference computed in float32 may have nothing right: γ_n · r > ¼."""

OVERFLOWING = 2.0**126
"""A sum of squares beyond which float32 may overflow on the way."""


class Normalised(Pointwise):
    """y = weight · (x − mean) ÷ √(variance + epsilon) + bias, where mean and variance are those of some of the values.

    `lost`: with n values, whose mean of absolutes is A, of squares m₂, and V = variance + epsilon, every evaluation errs by
    at most γ_(n+1)·A in the mean, and in V, also as a difference m₂ − mean² + ε, by γ_(2n+5)·2·m₂ for the sums and 3u·V for
    the last. V^−½ then errs relatively by at most t = γ_(2n+5)·r + 3u, r = 2·m₂/V, as (1 − t)^−½ − 1 ≤ t up to t = 0.6; a root
    (3 ulp), a division (2.5 ulp), the products and the sums add less than 19 roundings of what they meet, 2 cover what
    multiplies two of these errors, and a third of the mean's covers what multiplies it, up to 1 + t. In N = 2n + 24 roundings altogether, γ_k ≤ k/N·γ_N. Where t could be larger,
    2n·r > 2^22, and where the squares overflow float32, the magnitude is infinite.
    """

    __slots__ = ()

    epsilon: float

    def statistics(self, x: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(shape, axes): seen in that shape, values are normalised along those axes together."""
        raise NotImplementedError

    def affine(self, x: tuple[int, ...], weight: Array) -> Array:
        """A weight or a bias, shaped to broadcast over x."""
        raise NotImplementedError

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        view, axes = self.statistics(x.shape)
        seen = x.reshape(view)
        away = seen - seen.mean(axis=axes, keepdims=True)
        variance = np.square(away).mean(axis=axes, keepdims=True) + self._epsilon(x)
        y: Array = (away / np.sqrt(variance)).reshape(x.shape) * self.affine(x.shape, w["weight"])
        return y + self.affine(x.shape, w["bias"]) if "bias" in w else y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        view, axes = self.statistics(x.shape)
        seen = x.reshape(view)
        away = np.abs(seen - seen.mean(axis=axes, keepdims=True))
        variance = np.square(away).mean(axis=axes, keepdims=True) + self._epsilon(x)
        lost = self.lost(np.abs(seen), away, variance, axes).reshape(x.shape)
        y: Array = lost * np.abs(self.affine(x.shape, w["weight"]))
        return y + np.abs(self.affine(x.shape, w["bias"])) if "bias" in w else y

    def lost(self, absolute: Array, away: Array, variance: Array, axes: tuple[int, ...]) -> Array:
        """What (x − mean) ÷ √(variance) errs relative to, for |x|, |x − mean| and variance + epsilon in the view of `statistics`."""
        mean, squares = (a.mean(axis=axes, keepdims=True) for a in (absolute, np.square(absolute)))
        count = math.prod(absolute.shape[i] for i in axes)
        cancelling = 2 * squares / variance
        sums = 4 / 3 * (count + 1) * mean + (2 * count + 5) * away * cancelling
        terms = (sums + 24 * (absolute + mean + away)) / (2 * count + 24) / np.sqrt(variance)
        unknown = (2 * count * cancelling > VANISHING) | (count * squares > OVERFLOWING)
        y: Array = np.where(unknown, np.inf, terms)
        return y

    def roundings(self, *xs: Shape) -> int:
        (x,) = xs
        view, axes = self.statistics(tuple(fixed(n, "a size to normalise over") for n in (1, *x[1:])))
        return 2 * math.prod(view[i] for i in axes) + 24

    def _epsilon(self, x: Array) -> Array:
        y: Array = x.dtype.type(np.float32(self.epsilon))
        return y


@dataclass(frozen=True, slots=True)
class LayerNorm(Normalised):
    """Each position by itself: over `axes`, which are the last ones, or axis 1 alone, the channels of a position.

    weight and bias have one number for each of the values normalised together.
    """

    kind: ClassVar[str] = "LayerNormalization"
    axes: tuple[int, ...]
    epsilon: float = 1e-5
    bias: bool = True

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        last = self.axes == tuple(range(len(x) - len(self.axes), len(x)))
        if not self.axes or not (self.axes == (1,) or last) or self.axes[-1] >= len(x):
            raise Refusal(
                "axis",
                f"layer norm over the axes {list(self.axes)} of {shape_text(x)}",
                "it runs over the last axes, or over axis 1, the channels",
                f"use axis {len(x) - 1}",
            )
        return x

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        shape = tuple(fixed(xs[0][axis], "a size to normalise over") for axis in self.axes)
        return dict.fromkeys(("weight", "bias") if self.bias else ("weight",), shape)

    def statistics(self, x: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return x, self.axes

    def roundings(self, *xs: Shape) -> int:
        return 2 * math.prod(fixed(xs[0][axis], "a size to normalise over") for axis in self.axes) + 24

    def affine(self, x: tuple[int, ...], weight: Array) -> Array:
        return weight.reshape(*weight.shape, *[1] * (len(x) - 1 - self.axes[-1]))

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return (tuple(WHOLE_AXIS if axis in self.axes else POINT for axis in range(len(xs[0]))),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        (x,) = xs
        rank, weights = len(x), (("w:weight", "w:bias") if self.bias else ("w:weight",))
        if opset < 17 or rank > self.axes[-1] + 1:
            return self._in_parts(x, opset)
        return (Form("LayerNormalization", ("x0", *weights), {"axis": self.axes[0], "epsilon": float(self.epsilon)}),)

    def _in_parts(self, x: Shape, opset: int) -> Sequence[Form]:
        """Mean, variance, quotient and affine map in nodes of their own: before opset 17, and over channels alone."""
        shape = tuple(fixed(x[axis], "a size to normalise over") for axis in self.axes)
        reduced = tuple(1 if axis in self.axes else n for axis, n in enumerate(x))
        forms = [
            reducing("ReduceMean", "x0", self.axes, opset, "t:mean", reduced),
            Form("Sub", ("x0", "t:mean"), {}, "t:away"),
            Form("Mul", ("t:away", "t:away"), {}, "t:squares", x),
            reducing("ReduceMean", "t:squares", self.axes, opset, "t:variance", reduced),
            Form("Add", ("t:variance", Const((float(self.epsilon),), scalar=True)), {}, "t:positive", reduced),
            Form("Sqrt", ("t:positive",), {}, "t:root", reduced),
            Form("Div", ("t:away", "t:root"), {}, "t:normal", x),
        ]
        roles, broad = ["weight", *(["bias"] if self.bias else [])], (*shape, *[1] * (len(x) - 1 - self.axes[-1]))
        operands = {role: f"w:{role}" for role in roles}
        if broad != shape:
            target = Const(tuple(broad), "int64")
            forms += [Form("Reshape", (f"w:{role}", target), {}, f"t:{role}", broad) for role in roles]
            operands = {role: f"t:{role}" for role in roles}
        scaled = "t:scaled" if self.bias else "y"
        forms.append(Form("Mul", ("t:normal", operands["weight"]), {}, scaled, x))
        return (*forms, Form("Add", ("t:scaled", operands["bias"]), {})) if self.bias else forms


class _PerChannel(Normalised):
    """A normalisation of images with one weight and one bias per channel."""

    __slots__ = ()

    def weight_shapes(self, *xs: Shape) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias"), (fixed(xs[0][1], "the number of channels"),))

    def affine(self, x: tuple[int, ...], weight: Array) -> Array:
        return weight.reshape(-1, *[1] * (len(x) - 2))


@dataclass(frozen=True, slots=True)
class InstanceNorm(_PerChannel):
    """Each channel of each image by itself, over all positions."""

    kind: ClassVar[str] = "InstanceNormalization"
    epsilon: float = 1e-5

    def out_shape(self, *xs: Shape) -> Shape:
        need_spatial(xs[0])
        return xs[0]

    def statistics(self, x: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return x, tuple(range(2, len(x)))

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        return ((POINT, POINT, *(WHOLE_AXIS,) * (len(xs[0]) - 2)),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        operands = ("x0", "w:weight", "w:bias")
        return (Form("InstanceNormalization", operands, {"epsilon": float(self.epsilon)}),)


@dataclass(frozen=True, slots=True)
class GroupNorm(_PerChannel):
    """The channels of each image in `groups` of equal size, each group by itself, over all positions.

    One ONNX node since opset 21, whose weights are per channel; before, an instance norm of the groups.
    """

    kind: ClassVar[str] = "GroupNormalization"
    groups: int
    epsilon: float = 1e-5

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        channels = fixed(x[1] if len(x) > 1 else 1, "the number of channels")
        if len(x) < 2 or self.groups < 1 or channels % self.groups:
            legal = [str(n) for n in range(1, min(channels, 1 << 16) + 1) if channels % n == 0]
            raise Refusal(
                "groups",
                f"{channels} channels cannot be split into {self.groups} groups",
                "each group takes an equal share of the channels",
                f"use {', '.join(legal[:8])}{' …' if len(legal) > 8 else ''} groups",
                "group",
            )
        return x

    def statistics(self, x: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (x[0], self.groups, math.prod(x[1:]) // self.groups), (2,)

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Of the channels, the group's; counted as all of them."""
        return ((POINT, *(WHOLE_AXIS,) * (len(xs[0]) - 1)),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        (x,) = xs
        epsilon = float(self.epsilon)
        if opset >= 21:
            attributes = {"epsilon": epsilon, "num_groups": self.groups}
            return (Form("GroupNormalization", ("x0", "w:weight", "w:bias"), attributes),)
        return self._by_instances(x, epsilon)

    def _by_instances(self, x: Shape, epsilon: float) -> Sequence[Form]:
        known = all(isinstance(n, int) for n in x[1:])
        grouped = (x[0], self.groups, math.prod(map(int, x[1:])) // self.groups if known else f"{x[-1]}·group")
        one, zero = (Const((value,) * self.groups) for value in (1.0, 0.0))
        broad = (x[1], *[1] * (len(x) - 2))
        column = Const((fixed(x[1], "the number of channels"), *[1] * (len(x) - 2)), "int64")
        whole: str | Const = "t:shape"
        first = [Form("Shape", ("x0",), {}, "t:shape", (len(x),), dtype="int64")]
        if sum(isinstance(n, str) for n in x[1:]) <= 1:  # Reshape copies the batch, and works out one size
            whole, first = Const((0, *(n if isinstance(n, int) else -1 for n in x[1:])), "int64"), []
        return (
            *first,
            Form("Reshape", ("x0", Const((0, self.groups, -1), "int64")), {}, "t:grouped", grouped),
            Form("InstanceNormalization", ("t:grouped", one, zero), {"epsilon": epsilon}, "t:normal", grouped),
            Form("Reshape", ("t:normal", whole), {}, "t:back", x),
            *(Form("Reshape", (f"w:{role}", column), {}, f"t:{role}", broad) for role in ("weight", "bias")),
            Form("Mul", ("t:back", "t:weight"), {}, "t:scaled", x),
            Form("Add", ("t:scaled", "t:bias"), {}),
        )


@dataclass(frozen=True, slots=True)
class LocalResponseNorm(Pointwise):
    """y = x ÷ (bias + alpha/size · Σ x²)^beta, the sum over the `size` channels around its own.

    Half of them come before, rounded down, and half after, where there are channels. alpha, beta and bias are the
    float32 nearest to what is written, as ONNX stores them.
    """

    kind: ClassVar[str] = "LRN"
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if len(x) < 2 or self.size < 1 or min(self.alpha, self.beta, self.bias) < 0:
            raise Refusal(
                "lrn",
                f"local response norm of {self.size} channels, alpha {self.alpha}, beta {self.beta}, bias {self.bias}, "
                f"of {shape_text(x)}",
                "it needs an axis of channels, a size of at least 1, and no number below 0",
                "use size 5, alpha 0.0001, beta 0.75, bias 1",
            )
        return x

    def _numbers(self, x: Array) -> tuple[Array, Array, Array]:
        """(alpha ÷ size, beta, bias) in the arithmetic of x."""
        alpha, beta, bias = (x.dtype.type(np.float32(v)) for v in (self.alpha, self.beta, self.bias))
        return alpha / self.size, beta, bias

    def sums(self, x: Array) -> Array:
        """Σ x² over the channels around each."""
        squares, channels = np.square(x), x.shape[1]
        y = np.zeros_like(x)
        for shift in range(-((self.size - 1) // 2), self.size // 2 + 1):
            if abs(shift) < channels:
                y[:, max(0, -shift) : channels - max(0, shift)] += squares[:, max(0, shift) : channels + min(0, shift)]
        return y

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y: Array = x / np.power(self.base(x), self._numbers(x)[1])
        return y

    def roundings(self, *xs: Shape) -> int:
        """The base meets 2C + 4 roundings, see `magnitude`; a power within 16 ulp; a division within 2.5 ulp."""
        channels = fixed(xs[0][1], "the number of channels")
        return math.ceil(max(1.0, self.beta) * (2 * channels + 4)) + 40

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """|y|·(what the base is summed from ÷ the base).

        onnxruntime 1.32 slides the sum along the channels, adding one square and subtracting another, so that it errs
        relative to the squares of all channels. Infinite where they overflow, or hide the base.
        """
        (x,) = xs
        base = self.base(x)
        y: Array = np.abs(x) / np.power(base, self._numbers(x)[1]) * self.lost(np.abs(x), base)
        return y

    def lost(self, absolute: Array, base: Array) -> Array:
        """What the base is summed from, for |x|, relative to the base."""
        share, _, bias = self._numbers(absolute)
        squares = np.square(absolute).sum(axis=1, keepdims=True)
        relative = (bias + share * squares) / base
        unknown = (relative * self.roundings(absolute.shape) > VANISHING) | (squares > OVERFLOWING)
        y: Array = np.where(unknown, np.inf, relative)
        return y

    def base(self, x: Array) -> Array:
        """bias + alpha/size · Σ x²."""
        share, _, bias = self._numbers(x)
        y: Array = bias + share * self.sums(x)
        return y

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Of the channels, those around its own; counted as all of them."""
        return ((POINT, WHOLE_AXIS, *(POINT,) * (len(xs[0]) - 2)),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        numbers = {"alpha": float(self.alpha), "beta": float(self.beta), "bias": float(self.bias)}
        return (Form("LRN", ("x0",), {"size": self.size, **numbers}),)
