"""The operator that gives axes another number of positions, by repeating, weighting or leaving out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, TypeAlias

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
            n, lies, factor = x.shape[one.axis], *self._placed(one, x.shape)
            rows = [self.sampling.reads(lies.at(out), factor, n) for out in range(int(one.out_size(n)))]
            y = _weighted(y, one.axis, rows)
            if self.coordinates == "tf_crop_and_resize":
                outside = [not 0 <= lies.at(out) <= n - 1 for out in range(len(rows))]
                beyond = beyond | np.array(outside).reshape([-1 if a == one.axis else 1 for a in range(x.ndim)])
        return np.where(beyond, x.dtype.type(np.float32(self.extrapolation)), y) if beyond.any() else y

    def magnitude(self, *xs: Array, **w: Array) -> Array:
        """Sum of the weights' absolute values times the values'; where positions are rounded, of the values all around.

        A position computed in floating point is off by a multiple of the unit roundoff and of itself, and each weight
        by at most twice as much; next to a position that is read, another may be.
        """
        (x,) = xs
        y = np.abs(x)
        for one in self.axes:
            n, lies, factor = x.shape[one.axis], *self._placed(one, x.shape)
            rows = [self.sampling.reads(lies.at(out), factor, n) for out in range(int(one.out_size(n)))]
            sure = self._exact(x.shape) or self.sampling.mode == "nearest"
            y = _weighted(y, one.axis, [_sure(row) if sure else _around(row, n) for row in rows])
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
        sizes = self._sizes(x, opset)
        scales = self._scales(x) if sizes is None else None
        axes = tuple(range(len(x)))
        attributes = self._attributes(x, opset)
        if sizes is not None and any(isinstance(n, str) for n in sizes):
            axes = tuple(one.axis for one in self.axes)
            attributes |= {"axes": axes}
            sizes = tuple(sizes[axis] for axis in axes)
        operands: list[str | Const] = ["x0", "", "" if scales is None else Const(scales, "float32")]
        if self.coordinates == "tf_crop_and_resize":
            rois = {one.axis: one.roi for one in self.axes}
            ends = tuple(rois.get(axis, (0.0, 1.0))[end] for end in (0, 1) for axis in axes)
            operands[1] = Const(ends, "float32")
        if sizes is not None:
            operands.append(Const(tuple(int(n) for n in sizes), "int64"))
        return (Form("Resize", tuple(operands), attributes),)

    def _sizes(self, x: Shape, opset: int) -> Shape | None:
        """The output's shape, where sizes say it all: no scale rounds, and all are known, or axes can be named."""
        if all(one.size is None for one in self.axes):
            return None
        y = self.out_shape(x)
        whole = all(
            one.scale is None or (isinstance(n := x[one.axis], int) and n * Fraction(*one.scale) == y[one.axis])
            for one in self.axes
        )
        named = opset >= 18 and all(isinstance(y[one.axis], int) for one in self.axes)
        return y if whole and (named or all(isinstance(n, int) for n in y)) else None

    def _scales(self, x: Shape) -> tuple[float, ...]:
        """As float32, whose products with the sizes are rounded down to the sizes that are meant."""
        scales = [1.0] * len(x)
        for one in self.axes:
            n, factor = x[one.axis], one.factor(x[one.axis])
            if factor is None:
                what, why = (
                    f"axis {one.axis} of {shape_text(x)} resized to {one.size}",
                    "Resize names axes since opset 18",
                )
                raise Refusal("opset", what, why, "build with --opset 18 or later, or give the size of the input")
            scale = np.float32(factor.numerator / factor.denominator)
            if isinstance(n, int):
                part = np.float32(one.roi[1] - one.roi[0])
                near = (scale, np.nextafter(scale, np.float32(np.inf)), np.nextafter(scale, np.float32(0)))
                good = [s for s in near if int(np.float32(n) * part * s) == one.out_size(n)]
                if not good:
                    what = f"axis {one.axis} of {shape_text(x)} resized by {factor} to {one.out_size(n)}"
                    raise Refusal("resize", what, "in ONNX the size is that of the input times the scale, rounded down")
                scale = good[0]
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


def _since(opset: int, what: str) -> Refusal:
    return Refusal("opset", what, f"Resize has that since opset {opset}", f"build with --opset {opset} or later")


def _power_of_two(n: int) -> bool:
    return n & (n - 1) == 0


Row: TypeAlias = "Sequence[tuple[int, Fraction]]"
"""What an output reads: positions, each with its weight."""


def _sure(row: Row) -> Row:
    return [(at, abs(weight)) for at, weight in row]


def _around(row: Row, n: int) -> Row:
    """All positions from one before the first to one after the last, each with a weight of 2."""
    return [(at, Fraction(2)) for at in range(max(0, row[0][0] - 1), min(n, row[-1][0] + 2))]


def _weighted(x: Array, axis: int, rows: Sequence[Row]) -> Array:
    """[…, outputs, …]: the sum of what each row reads. What is not read, be it infinite, does not show."""
    taps = max(map(len, rows))
    total: Array | None = None
    for tap in range(taps):
        read = np.array([row[tap][0] if tap < len(row) else -1 for row in rows])
        weights = np.array([float(row[tap][1]) if tap < len(row) else 0.0 for row in rows])
        values = np.take(x, read, axis)
        if taps > 1 or any(weights != 1):
            along = [-1 if a == axis else 1 for a in range(x.ndim)]
            shaped = weights.reshape(along)
            values = np.where(shaped == 0, 0, values * shaped.astype(x.dtype))
        total = values if total is None else total + values
    assert total is not None, "every output reads something"
    return total
