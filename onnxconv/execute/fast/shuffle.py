"""Channel shuffles: one copy, of channels seen in another order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from onnxconv.execute.fast.block import BLOCK, Block, Call, cuts, shared, triple
from onnxconv.geometry import Array

__all__ = ["ShuffleKernel", "shuffle_kernel"]


@dataclass(frozen=True, slots=True)
class ShuffleKernel:
    """Output channel j · `groups` + i is channel i · C/`groups` + j of x[N, C, *S]; a block has all i of some j."""

    groups: int
    blocks: tuple[Block, ...]
    scratch: int = 0

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        n, c, s = triple(xs[0].shape)
        grouped = xs[0].reshape(n, self.groups, c // self.groups, s).swapaxes(1, 2)
        seen = grouped[block.images, block.channels.start // self.groups : block.channels.stop // self.groups]
        yield partial(np.copyto, out.reshape(seen.shape), seen)


def shuffle_kernel(groups: int, shape: Sequence[int]) -> ShuffleKernel:
    """A shuffle of x[N, C, *S]."""
    n, c, s = triple(shape)
    each = c // groups
    most = shared(each, max(1, BLOCK // (groups * s)), groups * s)
    blocks = tuple(
        Block(slice(image, image + 1), slice(mine.start * groups, mine.stop * groups), slice(0, s))
        for image in range(n)
        for mine in cuts(each, most)
    )
    return ShuffleKernel(groups, blocks)
