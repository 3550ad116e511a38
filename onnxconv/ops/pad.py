"""The operator that adds positions around a tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Axis, Pads, Size, shift, strided
from onnxconv.ops.protocol import POINT, Const, Footprint, Form, Operator, Shape, need_spatial, shape_text

__all__ = ["PAD_MODES", "Pad"]

PAD_MODES = ("constant", "reflect", "edge", "wrap")


@dataclass(frozen=True, slots=True)
class Pad(Operator):
    """x with `pads` = (begin, end) positions added to each of its last axes, those from `first` on: the spatial ones.

    Negative ones are cut off, before anything is added. `mode`: constant (of `value`), reflect (mirrored, the edge pixel
    once), edge (repeated), wrap (from the other side).
    """

    kind: ClassVar[str] = "Pad"
    pads: tuple[Pads, ...]
    mode: str = "constant"
    value: float = 0.0
    first: int = 2

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if self.first == 2:
            need_spatial(x, len(self.pads))
        elif self.first + len(self.pads) != len(x):
            raise Refusal(
                "axes",
                f"{len(self.pads)} pairs of pads from axis {self.first} of {shape_text(x)} on",
                "every axis from there on has a pair",
                f"write {max(0, len(x) - self.first)} pairs",
                "pad",
            )
        return (*x[: self.first], *map(self._padded, x[self.first :], self.pads))

    def _padded(self, n: Size, pad: Pads) -> Size:
        if n == 0 and min(pad) >= 0 and (self.mode == "constant" or not any(pad)):
            return sum(pad)
        kept = shift(n, sum(min(end, 0) for end in pad))
        if isinstance(kept, int) and kept < 1:
            raise Refusal(
                "empty-output",
                f"pads of [{pad[0]}, {pad[1]}] on an axis of {n} pixels",
                "negative pads cut off pixels, and at least one stays",
                f"cut off at most {int(n) - 1}",
                "pad",
            )
        limit = {"reflect": -1, "wrap": 0}.get(self.mode)
        if limit is not None and isinstance(kept, int) and max(pad) > kept + limit:
            raise Refusal(
                "pad-mode",
                f"{self.mode} padding of [{pad[0]}, {pad[1]}] on an axis of {n} pixels",
                f"{self.mode} padding has {kept + limit} pixels to take from",
                f"pad at most {kept + limit}",
                "pad",
            )
        return Axis(1, pad=(max(pad[0], 0), max(pad[1], 0))).out_size(kept)

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        kept = x[(*[slice(None)] * self.first, *(slice(max(0, -b), -max(0, -e) or None) for b, e in self.pads))]
        widths = (*[(0, 0)] * self.first, *((max(b, 0), max(e, 0)) for b, e in self.pads))
        if self.mode == "constant":
            return np.pad(kept, widths, constant_values=x.dtype.type(self._held()))
        return np.pad(kept, widths, mode=self.mode)  # type: ignore[call-overload, no-any-return]

    def _held(self) -> float:
        """Whole numbers are themselves, others the nearest float32."""
        whole = math.isfinite(self.value) and float(self.value).is_integer()
        return int(self.value) if whole else float(np.float32(self.value))

    def roundings(self, *xs: Shape) -> int:
        return 0

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        """Away from the border; what reflected, repeated or wrapped pixels see is not counted."""
        steps = (Axis(1, pad=pad) if min(pad) >= 0 else strided(-pad[0]) for pad in self.pads)
        return ((*(POINT,) * self.first, *steps),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        if self.mode == "wrap" and opset < 19:
            return self._wrapped(xs[0])
        none = (0,) * self.first
        pads = Const((*none, *(b for b, _ in self.pads), *none, *(e for _, e in self.pads)), "int64")
        operands: tuple[str | Const, ...] = ("x0", pads)
        if self.mode == "constant":
            whole = isinstance(self._held(), int)
            operands = (*operands, Const((float(self.value),), scalar=True, exact=whole))
        return (Form("Pad", operands, {"mode": self.mode}),)

    def _wrapped(self, x: Shape) -> Sequence[Form]:
        """Pad has mode wrap since opset 19; before, both ends are sliced off and attached to the other side."""
        forms: list[Form] = []
        left, shape = "x0", x
        for axis, (begin, end) in enumerate(self.pads, self.first):
            if min(begin, end) < 0:
                low, high = max(0, -begin), max(0, -end)
                size = shift(shape[axis], -low - high)
                forms.append(_slice(left, shape, axis, low, -high or 2**31 - 1, size, f"t:kept{axis}"))
                left, shape = forms[-1].output, _resized(shape, axis, size)
            parts = [left]
            if begin > 0:
                forms.append(_slice(left, shape, axis, -begin, 2**31 - 1, begin, f"t:tail{axis}"))
                parts.insert(0, forms[-1].output)
            if end > 0:
                forms.append(_slice(left, shape, axis, 0, end, end, f"t:head{axis}"))
                parts.append(forms[-1].output)
            if len(parts) > 1:
                pad = max(begin, 0), max(end, 0)
                shape = _resized(shape, axis, Axis(1, pad=pad).out_size(shape[axis]))
                left = f"t:wrapped{axis}"
                forms.append(Form("Concat", tuple(parts), {"axis": axis}, left, shape))
        return (*forms[:-1], replace(forms[-1], output="y")) if forms else (Form("Identity", ("x0",), {}),)


def _slice(x: str, shape: Shape, axis: int, start: int, stop: int, size: Size, output: str) -> Form:
    """The `size` positions from `start` to `stop` of an axis."""
    bounds = (Const((n,), "int64") for n in (start, stop, axis))
    return Form("Slice", (x, *bounds), {}, output, _resized(shape, axis, size))


def _resized(shape: Shape, axis: int, size: Size) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])
