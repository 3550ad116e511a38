"""The operator that adds positions around a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Axis, Pads, Size
from onnxconv.ops.protocol import (
    Const,
    Footprint,
    Form,
    Operator,
    Shape,
    need_spatial,
    sliding,
)

__all__ = ["PAD_MODES", "Pad"]

PAD_MODES = ("constant", "reflect", "edge", "wrap")


@dataclass(frozen=True, slots=True)
class Pad(Operator):
    """x[N, C, *S] with `pads` = (begin, end) pixels added per spatial axis.

    `mode`: constant (of `value`), reflect (mirrored, the edge pixel once), edge (repeated), wrap (from the other side).
    """

    kind: ClassVar[str] = "Pad"
    pads: tuple[Pads, ...]
    mode: str = "constant"
    value: float = 0.0

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_spatial(x, len(self.pads))
        limit = {"reflect": -1, "wrap": 0}.get(self.mode)
        for n, pad in zip(x[2:], self.pads, strict=True):
            if limit is not None and isinstance(n, int) and max(pad) > n + limit:
                raise Refusal(
                    "pad-mode",
                    f"{self.mode} padding of [{pad[0]}, {pad[1]}] on an axis of {n} pixels",
                    f"{self.mode} padding has {n + limit} pixels to take from",
                    f"pad at most {n + limit}",
                    "pad",
                )
        return (*x[:2], *(Axis(1, pad=pad).out_size(n) for n, pad in zip(x[2:], self.pads, strict=True)))

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        widths = ((0, 0), (0, 0), *self.pads)
        if self.mode == "constant":
            return np.pad(x, widths, constant_values=x.dtype.type(np.float32(self.value)))
        return np.pad(x, widths, mode=self.mode)  # type: ignore[call-overload, no-any-return]

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Away from the border; what reflected, repeated or wrapped pixels see is not counted."""
        return sliding(tuple(Axis(1, pad=pad) for pad in self.pads))

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        if self.mode == "wrap" and opset < 19:
            return self._wrapped(xs[0])
        pads = Const((0, 0, *(p[0] for p in self.pads), 0, 0, *(p[1] for p in self.pads)), "int64")
        operands: tuple[str | Const, ...] = ("x0", pads)
        if self.mode == "constant":
            operands = (*operands, Const((float(self.value),), scalar=True))
        return (Form("Pad", operands, {"mode": self.mode}),)

    def _wrapped(self, x: Shape) -> Sequence[Form]:
        """Pad has mode wrap since opset 19; before, both ends are sliced off and attached to the other side."""
        forms: list[Form] = []
        left, shape = "x0", x
        for axis, (begin, end) in enumerate(self.pads):
            parts = [left]
            if begin:
                forms.append(_slice(left, shape, axis + 2, -begin, 2**31 - 1, begin, f"t:tail{axis}"))
                parts.insert(0, forms[-1].output)
            if end:
                forms.append(_slice(left, shape, axis + 2, 0, end, end, f"t:head{axis}"))
                parts.append(forms[-1].output)
            if begin or end:
                shape = _resized(shape, axis + 2, Axis(1, pad=(begin, end)).out_size(shape[axis + 2]))
                left = f"t:wrapped{axis}"
                forms.append(Form("Concat", tuple(parts), {"axis": axis + 2}, left, shape))
        return (*forms[:-1], replace(forms[-1], output="y")) if forms else (Form("Identity", ("x0",), {}),)


def _slice(x: str, shape: Shape, axis: int, start: int, stop: int, size: int, output: str) -> Form:
    """The `size` positions from `start` to `stop` of an axis."""
    bounds = (Const((n,), "int64") for n in (start, stop, axis))
    return Form("Slice", (x, *bounds), {}, output, _resized(shape, axis, size))


def _resized(shape: Shape, axis: int, size: Size) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])
