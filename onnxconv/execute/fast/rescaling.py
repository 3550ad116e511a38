"""What happens to exact sums of integers: they wrap around as int32, or are rescaled to bytes as their definition says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.geometry import Array
from onnxconv.graph import Node
from onnxconv.ops import ConvInteger, MatMulInteger
from onnxconv.ops.integer import wrapped
from onnxconv.ops.quantize import saturated

__all__ = ["Operands", "Rescaling"]


@dataclass(frozen=True, slots=True)
class Operands:
    """Which input is what; None: there is none. `single`: those that must be one number."""

    w: int
    x_zero: int | None
    w_zero: int | None
    bias: int | None
    scales: tuple[int, int, int] | None
    y_zero: int | None

    @classmethod
    def of(cls, node: Node) -> Operands:
        count = len(node.inputs)
        if isinstance(node.op, ConvInteger | MatMulInteger):
            return cls(1, 2 if count > 2 else None, 3 if count > 3 else None, None, None, None)
        return cls(3, 2, 5, 8 if count > 8 else None, (1, 4, 6), 7)

    @property
    def single(self) -> tuple[int, ...]:
        places = (self.x_zero, self.scales[0] if self.scales else None, self.y_zero)
        return tuple(place for place in places if place is not None)


@dataclass(frozen=True, slots=True)
class Rescaling:
    """From sums, at most `most` in size, to the output; a scale for each filter is shaped to `per_filter`."""

    at: Operands
    per_filter: tuple[int, ...]
    bias: Array | None
    most: float
    dtype: str

    def x_zero(self, xs: Sequence[Array]) -> Any:
        """The input's zero point, a number."""
        return np.zeros((), np.float32) if self.at.x_zero is None else xs[self.at.x_zero].reshape(())

    @property
    def wraps(self) -> bool:
        """Whether a sum may be more than an int32 holds."""
        return self.most + (0.0 if self.bias is None else float(np.abs(self.bias).max())) >= 2.0**31

    def finish(self, total: Array, xs: Sequence[Array], place: tuple[slice, ...], out: Array) -> None:
        """The output from whole numbers in float64, which are lost; `place`: the filters that they are of."""
        if self.bias is not None:
            np.add(total, self.bias[place], out=total)
        if self.wraps:
            total[...] = wrapped(total)
        if self.at.scales is None:
            np.copyto(out, total, casting="unsafe")
            return
        x_scale, w_scale, y_scale = (xs[i].astype(np.float64) for i in self.at.scales)
        factor = x_scale.reshape(()) * w_scale / y_scale.reshape(())
        mine = factor.reshape(()) if factor.size == 1 else factor.reshape(self.per_filter)[place]
        assert self.at.y_zero is not None, "what has scales has a zero point"
        zero = xs[self.at.y_zero].astype(np.float64).reshape(())
        np.multiply(total, mine, out=total)
        np.rint(total, out=total)
        np.add(total, zero, out=total)
        if np.isfinite(factor).all():
            np.clip(total, DTYPES[self.dtype].low, DTYPES[self.dtype].high, out=total)
        else:
            total[...] = saturated(total, self.dtype)
        np.copyto(out, total, casting="unsafe")
