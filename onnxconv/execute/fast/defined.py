"""Operators without a kernel of their own, computed by their definitions, and layers that multiply matrices as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from onnxconv.execute.definition import defined
from onnxconv.execute.fast.block import Block, Call, cuts
from onnxconv.geometry import Array
from onnxconv.graph import Node

__all__ = ["DefinedKernel", "DenseKernel", "dense_kernel"]

ROWS = 1 << 18
"""Weights of a dense layer that make a block."""


@dataclass(frozen=True, slots=True)
class DefinedKernel:
    """The definition in the asked arithmetic, the whole output at once."""

    node: Node
    w: Mapping[str, Array]
    arithmetic: str
    blocks: tuple[Block, ...]
    scratch: int = 0

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        yield partial(self._compute, xs, out)

    def _compute(self, xs: Sequence[Array], out: Array) -> None:
        out[...] = defined(self.node, xs, self.w, self.arithmetic).reshape(out.shape)


@dataclass(frozen=True, slots=True)
class DenseKernel:
    """y[N, M] = x[N, C] · weight[M, C]ᵀ + bias[M], a block of the rows of the weight at a time."""

    weight: Array
    bias: Array | None
    blocks: tuple[Block, ...]
    scratch: int = 0

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        made = out[:, :, 0]
        yield partial(np.matmul, xs[0], self.weight[block.channels].T, out=made)
        if self.bias is not None:
            yield partial(np.add, made, self.bias[block.channels], out=made)


def dense_kernel(images: int, weight: Array, bias: Array | None) -> DenseKernel:
    """A dense layer for so many images."""
    rows = cuts(len(weight), max(1, ROWS // weight.shape[1]))
    blocks = tuple(Block(slice(0, images), channels, slice(0, 1)) for channels in rows)
    return DenseKernel(weight, bias, blocks)
