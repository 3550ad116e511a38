"""One axis given another number of positions, and sums of the values that its outputs read."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from onnxconv.deferred import np
from onnxconv.geometry import Array, Size, resized

__all__ = ["Rescale", "around", "weighted"]


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


def around(positions: Array, n: int) -> tuple[Array, Array]:
    """All positions from one before the first to one after the last, each with a weight of 2."""
    wide = np.concatenate([positions[:, :1] - 1, positions, positions[:, -1:] + 1], axis=1)
    return np.clip(wide, 0, n - 1), np.full(wide.shape, 2.0)


def weighted(x: Array, axis: int, positions: Array, weights: Array) -> Array:
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
