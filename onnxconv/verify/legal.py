"""Integers that a correct layer may give where it rounds what was computed in floating point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxconv.dtypes import DTYPES
from onnxconv.execute import shifted
from onnxconv.graph import Node
from onnxconv.verify.rounding import gamma
from onnxconv.verify.words import Array

__all__ = ["legal"]


def legal(node: Node, xs: Sequence[Array], w: Mapping[str, Array]) -> tuple[Array, Array]:
    """The least and the largest integers that a correct runtime may give.

    What is rounded to an integer at last, a quotient or a rescaled sum r, was computed in floating point with n roundings:
    it lies within γ_n·|r| of r. Rounding to integers, adding the zero point and saturating keep the order, so that the
    output lies between those of r − γ_n·|r| and r + γ_n·|r|. They differ only where r is that close to a half.
    """
    n = node.op.roundings(*(x.shape for x in xs))
    share = gamma(n, _unit(xs)) + gamma(n + 2, 2.0**-53)
    return shifted(node, xs, w, -share), shifted(node, xs, w, share)


def _unit(xs: Sequence[Array]) -> float:
    """The coarsest of the floating-point types among the inputs; float32 where there is none."""
    floats = [DTYPES[x.dtype.name] for x in xs if DTYPES[x.dtype.name].family == "float"]
    return max((of.unit for of in floats), default=DTYPES["float32"].unit)
