"""The operator that gives axes another number of positions, by repeating, weighting or leaving out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Line, Sampling, Size, line, resized, sampled_field
from onnxconv.ops.protocol import (
    POINT,
    UNKNOWN,
    AttributeValue,
    Const,
    Footprint,
    Form,
    Operator,
    Shape,
    Step,
    check_axes,
    shape_text,
)

__all__ = ["Rescale", "Resize"]


@dataclass(frozen=True, slots=True)
class Rescale:
    """One axis made `scale` times as long, numerator and denominator, or `size` positions long; both, where they differ.

    `roi`: the part of the axis that is stretched over the output, where coordinates are tf_crop_and_resize.
    """

    axis: int
    scale: tuple[int, int] | None = None
    size: int | None = None
    roi: tuple[float, float] = (0.0, 1.0)

    def out_size(self, n: Size) -> Size:
        if self.size is not None:
            return self.size
        assert self.scale is not None, "an axis has a scale or a size"
        part = Fraction(self.roi[1]) - Fraction(self.roi[0])
        scale = part * Fraction(*self.scale)
        return resized(n, (scale.numerator, scale.denominator))

    def factor(self, n: Size) -> Fraction | None:
        """Outputs per input; None where only the size is given, and the input's is a symbol."""
        if self.scale is not None:
            return Fraction(*self.scale)
        return Fraction(self.size or 1, n) if isinstance(n, int) else None


_NEAREST = Sampling()


@dataclass(frozen=True, slots=True)
class Resize(Operator):
    """x with some axes resampled: see `onnxconv.geometry.resample` for the modes and coordinates.

    `extrapolation`: the value of what lies beyond the ends, where coordinates are tf_crop_and_resize.
    """

    kind: ClassVar[str] = "Resize"
    axes: tuple[Rescale, ...]
    sampling: Sampling = _NEAREST
    coordinates: str = "half_pixel"
    extrapolation: float = 0.0

    def out_shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        check_axes(tuple(one.axis for one in self.axes), len(x), f"a resize of {shape_text(x)}")
        y = list(x)
        for one in self.axes:
            y[one.axis] = size = one.out_size(x[one.axis])
            if isinstance(size, int) and size < 1:
                raise Refusal(
                    "empty-output",
                    f"a resize of axis {one.axis} of {shape_text(x)} to {size} positions",
                    "a tensor has at least one position along each axis",
                    "use a larger scale",
                    "scale",
                )
        return tuple(y)

    def out_dtype(self, *dtypes: str) -> str:
        if self.sampling.mode != "nearest" and not dtypes[0].startswith(("float", "bfloat")):
            why = "how weighted integers are rounded is not defined"
            raise Refusal("dtype", f"a {self.sampling.mode} resize of {dtypes[0]}", why, "use mode nearest, or cast")
        return dtypes[0]

    def define(self, *xs: Array, **w: Array) -> Array:
        (x,) = xs
        y, beyond = x, np.zeros((1,) * x.ndim, bool)
        for one in self.axes:
            n, outs = x.shape[one.axis], int(one.out_size(x.shape[one.axis]))
            lies, factor = self._placed(one, x.shape)
            y = _weighted(y, one.axis, *self.sampling.reads(lies, outs, factor, n))
            if self.coordinates == "tf_crop_and_resize":
                above, below = lies.over(outs)
                outside = ((above < 0) | (above > (n - 1) * below)).astype(bool)
                beyond = beyond | outside.reshape([-1 if a == one.axis else 1 for a in range(x.ndim)])
        return np.where(beyond, x.dtype.type(np.float32(self.extrapolation)), y) if beyond.any() else y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """Sum of the weights' absolute values times the values'; where positions are rounded, of the values all around.

        A position computed in floating point is off by a multiple of the unit roundoff and of itself, and each weight
        by at most twice as much; next to a position that is read, another may be.
        """
        (x,) = xs
        y = np.abs(x)
        for one in self.axes:
            n, outs = x.shape[one.axis], int(one.out_size(x.shape[one.axis]))
            lies, factor = self._placed(one, x.shape)
            positions, weights = self.sampling.reads(lies, outs, factor, n)
            if not self._exact(x.shape) and self.sampling.mode != "nearest":
                positions, weights = _around(positions, n)
            y = _weighted(y, one.axis, positions, np.abs(weights))
        return y

    def roundings(self, *xs: Shape) -> int:
        """0 where values are moved. Each axis: a product and a sum per tap; the position, 8 times its distance from 0."""
        (x,) = xs
        if self.sampling.mode == "nearest":
            return 0
        taps = 2 if self.sampling.mode == "linear" else 4
        count = 0
        for one in self.axes:
            n, factor = x[one.axis], one.factor(x[one.axis]) or Fraction(1)
            wide = math.ceil(1 / factor) if self.sampling.antialias and factor < 1 else 1
            count += 4 * taps * wide + (0 if self._exact(x) or isinstance(n, str) else 16 * (n + 2))
        return count

    def _exact(self, x: Shape) -> bool:
        """Positions are computed without rounding: all scales are powers of two."""
        if self.coordinates in ("align_corners", "tf_crop_and_resize"):
            return False
        factors = [one.factor(x[one.axis]) for one in self.axes]
        return all(f is not None and _power_of_two(f.numerator * f.denominator) for f in factors)

    def _placed(self, one: Rescale, x: Sequence[int]) -> tuple[Line, Fraction]:
        n = x[one.axis]
        factor = one.factor(n)
        assert factor is not None, "sizes are numbers"
        lies = line(n, one.out_size(n), factor, self.coordinates, one.roi)
        assert lies is not None, "sizes are numbers"
        return lies, factor

    def footprint(self, *xs: Shape) -> Sequence[Footprint]:
        (x,) = xs
        steps: list[Step] = [POINT] * len(x)
        for one in self.axes:
            n, factor = x[one.axis], one.factor(x[one.axis])
            lies = None if factor is None else line(n, one.out_size(n), factor, self.coordinates, one.roi)
            found = None if factor is None or lies is None else sampled_field(lies, self.sampling, factor)
            steps[one.axis] = UNKNOWN if found is None else found
        return (tuple(steps),)

    def onnx(self, *xs: Shape, opset: int) -> Sequence[Form]:
        (x,) = xs
        sizes = self._sizes(x)
        scales = self._scales(x) if sizes is None else None
        axes = tuple(range(len(x)))
        attributes = self._attributes(x, opset)
        still_open = sizes is not None and any(isinstance(n, str) for n in sizes)
        if sizes is not None and still_open and opset >= 18:
            axes = tuple(one.axis for one in self.axes)
            attributes |= {"axes": axes}
            sizes = tuple(sizes[axis] for axis in axes)
        operands: list[str | Const] = ["x0", "", "" if scales is None else Const(scales, "float32")]
        if self.coordinates == "tf_crop_and_resize":
            rois = {one.axis: one.roi for one in self.axes}
            ends = tuple(rois.get(axis, (0.0, 1.0))[end] for end in (0, 1) for axis in axes)
            operands[1] = Const(ends, "float32")
        before: tuple[Form, ...] = ()
        if sizes is not None and still_open and opset < 18:
            before = _shape_with(sizes)
            operands.append("t:sizes")
        elif sizes is not None:
            operands.append(Const(tuple(int(n) for n in sizes), "int64"))
        return (*before, Form("Resize", tuple(operands), attributes))

    def _sizes(self, x: Shape) -> Shape | None:
        """The output's shape, where sizes say it all: no scale rounds, and the resized axes' are known."""
        if all(one.size is None for one in self.axes):
            return None
        y = self.out_shape(x)
        whole = all(
            one.scale is None or (isinstance(n := x[one.axis], int) and n * Fraction(*one.scale) == y[one.axis])
            for one in self.axes
        )
        return y if whole and all(isinstance(y[one.axis], int) for one in self.axes) else None

    def _scales(self, x: Shape) -> tuple[float, ...]:
        """As float32, whose products with the sizes are rounded down to the sizes that are meant, rounded before or not."""
        scales = [1.0] * len(x)
        for one in self.axes:
            n, factor = x[one.axis], one.factor(x[one.axis])
            if factor is None:
                what = f"axis {one.axis} of {shape_text(x)} resized to {one.size}, and another axis by a scale"
                raise Refusal("resize", what, "Resize takes sizes or scales", "give the size of the input")
            scale = np.float32(factor.numerator / factor.denominator)
            if isinstance(n, int):
                part = np.float32(one.roi[1] - one.roi[0])
                near = (scale, np.nextafter(scale, np.float32(np.inf)), np.nextafter(scale, np.float32(0)))
                good = [s for s in near if int(np.float32(n) * part * s) == one.out_size(n)]
                if not good:
                    what = f"axis {one.axis} of {shape_text(x)} resized by {factor} to {one.out_size(n)}"
                    raise Refusal("resize", what, "in ONNX the size is that of the input times the scale, rounded down")
                scale = next((s for s in good if int(n * float(part) * float(s)) == one.out_size(n)), good[0])
            scales[one.axis] = float(scale)
        return tuple(scales)

    def _attributes(self, x: Shape, opset: int) -> dict[str, AttributeValue]:
        sampling, coordinates = self.sampling, self.coordinates
        nearest = sampling.nearest
        if coordinates == "half_pixel_symmetric" and opset < 19:
            if any(
                line(*self._ends(one, x), "half_pixel") != line(*self._ends(one, x), coordinates) for one in self.axes
            ):
                raise _since(19, f"coordinates {coordinates}")
            coordinates = "half_pixel"
        if coordinates == "tf_half_pixel_for_nn":
            if (sampling.mode, nearest) != ("nearest", "floor"):
                raise Refusal("opset", f"coordinates {coordinates} with {sampling.mode}", "only opset 11 has them")
            # ⌊(o + ½) ÷ s⌋ = ⌊((o + ½) ÷ s − ½) + ½⌋
            coordinates, nearest = "half_pixel", "round_prefer_ceil"
        found: dict[str, AttributeValue] = {"mode": sampling.mode, "coordinate_transformation_mode": coordinates}
        if sampling.mode == "nearest":
            found["nearest_mode"] = nearest
        if sampling.mode == "cubic":
            found |= {"cubic_coeff_a": sampling.a, "exclude_outside": int(not sampling.outside)}
        if coordinates == "tf_crop_and_resize":
            found["extrapolation_value"] = float(self.extrapolation)
        if sampling.antialias and any((one.factor(x[one.axis]) or 0) < 1 for one in self.axes):
            if opset < 18:
                raise _since(18, "antialias")
            found |= {"antialias": 1, "exclude_outside": int(not sampling.outside)}
        return found

    def _ends(self, one: Rescale, x: Shape) -> tuple[Size, Size, Fraction]:
        n = x[one.axis]
        return n, one.out_size(n), one.factor(n) or Fraction(1)


def _shape_with(sizes: Shape) -> tuple[Form, ...]:
    """Makes `t:sizes`: the sizes, and where one is a symbol, that of x."""
    parts: list[str | Const] = []
    forms = [Form("Shape", ("x0",), {}, "t:shape", (len(sizes),), dtype="int64")]
    for axis, size in enumerate(sizes):
        if isinstance(size, int):
            parts.append(Const((size,), "int64"))
            continue
        parts.append(f"t:size{axis}")
        ends = (Const((axis,), "int64"), Const((axis + 1,), "int64"))
        forms.append(Form("Slice", ("t:shape", *ends), {}, f"t:size{axis}", (1,), dtype="int64"))
    return (*forms, Form("Concat", tuple(parts), {"axis": 0}, "t:sizes", (len(sizes),), dtype="int64"))


def _since(opset: int, what: str) -> Refusal:
    return Refusal("opset", what, f"Resize has that since opset {opset}", f"build with --opset {opset} or later")


def _power_of_two(n: int) -> bool:
    return n & (n - 1) == 0


def _around(positions: Array, n: int) -> tuple[Array, Array]:
    """All positions from one before the first to one after the last, each with a weight of 2."""
    wide = np.concatenate([positions[:, :1] - 1, positions, positions[:, -1:] + 1], axis=1)
    return np.clip(wide, 0, n - 1), np.full(wide.shape, 2.0)


def _weighted(x: Array, axis: int, positions: Array, weights: Array) -> Array:
    """[…, outputs, …]: the sum of the values at `positions` [outputs, taps] times `weights`. A weight of 0 reads nothing."""
    total: Array | None = None
    for read, share in zip(positions.T, weights.T, strict=True):
        values = np.take(x, read, axis)
        if not (share == 1).all():
            values *= share.reshape([-1 if a == axis else 1 for a in range(x.ndim)]).astype(x.dtype)
        if not share.all():
            values[(*[slice(None)] * axis, share == 0)] = 0
        total = values if total is None else np.add(total, values, out=total)
    assert total is not None, "every output reads something"
    return total
