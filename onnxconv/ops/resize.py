"""The operator that gives axes another number of positions, by repeating, weighting or leaving out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from onnxconv.deferred import np
from onnxconv.errors import Refusal
from onnxconv.geometry import Array, Computed, Line, Sampling, Size, line, sampled_field
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
    need_numbers,
    shape_text,
)
from onnxconv.ops.rescale import Rescale, around, weighted

__all__ = ["Resize"]


_NEAREST = Sampling()
PLAIN = ("half_pixel", "pytorch_half_pixel", "asymmetric", "tf_half_pixel_for_nn")
"""Coordinates made of the scale alone."""


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
        need_numbers(x, range(len(x)) if any(x[one.axis] == 0 for one in self.axes) else (), "a resize")
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
        return self._sampled(xs[0], {})

    def otherwise(self, *xs: Array) -> Iterator[Array]:
        """Where a position lies on the border between two pixels, or at an end of the axis, but for rounding: on either side."""
        (x,) = xs
        unsure = [one.axis for one in self.axes if self._unsure(one, x.shape)]
        for sides in itertools.product((-1, 1), repeat=len(unsure)) if unsure else ():
            yield self._sampled(x, dict(zip(unsure, sides, strict=True)))

    def _sampled(self, x: Array, sides: Mapping[int, int]) -> Array:
        """The output where positions along some axes, computed in float32, lie on a side of where they should."""
        y, beyond = x, np.zeros((1,) * x.ndim, bool)
        for one in self.axes:
            positions, weights, outside = self._read(one, x.shape, sides.get(one.axis, 0))
            y = weighted(y, one.axis, positions, weights)
            beyond = beyond | outside.reshape([-1 if a == one.axis else 1 for a in range(x.ndim)])
        return np.where(beyond, x.dtype.type(np.float32(self.extrapolation)), y) if beyond.any() else y

    def _read(self, one: Rescale, x: Sequence[int], side: int) -> tuple[Array, Array, Array]:
        """(positions, weights, which outputs lie beyond the ends) of an axis."""
        n, outs = x[one.axis], int(one.out_size(x[one.axis]))
        lies, factor = self._placed(one, x)
        seen: Line | Computed = Computed(lies, self._terms(one, n, lies), side) if side else lies
        outside = np.zeros(outs, bool)
        if self.coordinates == "tf_crop_and_resize":
            above, below = seen.over(outs)
            outside = ((above < 0) | (above > (n - 1) * below)).astype(bool)
        return (*self.sampling.reads(seen, outs, factor, n), outside)

    def reads(self, one: Rescale, x: Sequence[int]) -> tuple[Array, Array]:
        """(positions, weights), [outputs, taps]: what the outputs along an axis are sums of."""
        return self._read(one, x, 0)[:2]

    def _unsure(self, one: Rescale, x: Sequence[int]) -> bool:
        """Which pixel some output reads, or whether it reads any, depends on how float32 rounds."""
        lies, factor = self._placed(one, x)
        if self.coordinates == "align_corners" and _power_of_two(lies.step.denominator):
            return False
        if self.coordinates in PLAIN and _power_of_two(factor.numerator * factor.denominator):
            return False
        lower, upper = (self._read(one, x, side) for side in (-1, 1))
        nearest = self.sampling.mode == "nearest" and (lower[0] != upper[0]).any()
        return bool(nearest or (lower[2] != upper[2]).any())

    def _terms(self, one: Rescale, n: int, lies: Line) -> Fraction:
        """What a position is the sum of, besides o·step and what is left of the others: halves, and the axis' length."""
        cut = n if self.coordinates == "half_pixel_symmetric" else 0
        begin, end = (abs(Fraction(end)) for end in one.roi)
        cropped = 2 * n * (begin + end) if self.coordinates == "tf_crop_and_resize" else 0
        return 1 + abs(lies.step) + cut + cropped

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
                positions, weights = around(positions, n)
            y = weighted(y, one.axis, positions, np.abs(weights))
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
