"""Layers on large images, computed together a band of rows at a time, so that what passes between them is never there as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache

from onnxconv.dtypes import DTYPES
from onnxconv.execute.definition import Arrays
from onnxconv.execute.fast.aside import Applied, calls_of, needed
from onnxconv.execute.fast.block import Block, Call, Kernel, cuts, triple
from onnxconv.execute.fast.chains import Chain
from onnxconv.execute.fast.steps import Step, computed
from onnxconv.geometry import Array, Axis
from onnxconv.ops import AveragePool, Conv, MaxPool

__all__ = ["BAND", "LARGE", "BandKernel", "banded", "together"]

LARGE = 1 << 26
"""Bytes of a tensor that is not made as a whole where its layer and the one that reads it can go together."""

BAND = 1 << 22
"""Elements of such a tensor that are made at a time; neighbouring bands share the rows that windows overlap."""

MOST = 4
"""Chains that go together: each one's windows add to the rows that are computed twice."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """One of the chains on a band: its kernel, its stages, and the shape [C, *S] of what it makes."""

    kernel: Kernel
    stages: tuple[Applied, ...]
    aside: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class Band(Block):
    """Some rows of one image, the `rows` of the input that they need, and how they are made of these."""

    rows: slice
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class BandKernel:
    """Chains one after the other, each band through all of them; `between`: elements of the largest tensor between them."""

    blocks: tuple[Band, ...]
    between: int
    scratch: int

    def calls(self, block: Block, xs: Sequence[Array], out: Array, scratch: Array) -> Iterator[Call]:
        assert isinstance(block, Band), "bands are asked for their own blocks"
        x = xs[0][block.images, :, block.rows]
        two = scratch[: self.between], scratch[self.between : 2 * self.between]
        for place, link in enumerate(block.links):
            if place == len(block.links) - 1:
                y = out
            else:
                y = two[place % 2][: math.prod(link.shape)].reshape(1, link.shape[0], -1)
            for part in link.kernel.blocks:
                yield from calls_of(link.kernel, link.stages, part, (x,), y, scratch[2 * self.between :], link.aside)
            x = y.reshape(1, *link.shape)


def together(
    found: Sequence[Chain], shapes: Mapping[str, Shape], dtypes: Mapping[str, str], kept: Set[str]
) -> Iterator[tuple[Chain, ...]]:
    """The chains in their order, those that go together in one run."""
    readers: dict[str, int] = {}
    for chain in found:
        for name in chain.inputs:
            readers[name] = readers.get(name, 0) + 1
    run: list[Chain] = []
    for chain in found:
        if run and len(run) < MOST and chain.inputs == (run[-1].output,) and _slides(chain) and _slides(run[-1]):
            passed = run[-1].output
            large = math.prod(shapes[passed]) * DTYPES[dtypes[passed]].bytes > LARGE
            if large and readers[passed] == 1 and passed not in kept and dtypes[passed] in ("float32", "float64"):
                run.append(chain)
                continue
        if run:
            yield tuple(run)
        run = [chain]
    if run:
        yield tuple(run)


def _slides(chain: Chain) -> bool:
    """Whether rows of the output need rows of the one input, and nothing else."""
    return isinstance(chain.head.op, Conv | MaxPool | AveragePool) and len(chain.inputs) == 1


def banded(run: Sequence[Chain], shapes: Mapping[str, Shape], dtypes: Mapping[str, str], weights: Arrays) -> Step:
    """The step of chains that go together."""
    source, output = run[0].inputs[0], run[-1].output
    y, widest = shapes[output], max(math.prod(shapes[chain.output][1:]) for chain in run)
    inner = math.prod(y[3:])

    @cache
    def link(place: int, axis: Axis, rows: int) -> Link:
        return _link(run[place], axis, rows, shapes, dtypes[output], weights)

    bands = tuple(
        Band(slice(image, image + 1), slice(0, y[1]), slice(rows.start * inner, rows.stop * inner), read, tuple(links))
        for rows in cuts(y[2], max(1, y[2] * BAND // widest))
        for read, slid in [_backwards(run, shapes, rows)]
        for links in [[link(place, axis, n) for place, (axis, n) in enumerate(slid)]]
        for image in range(y[0])
    )
    between = max(math.prod(one.shape) for band in bands for one in band.links[:-1])
    scratch = max(one.aside + one.kernel.scratch for band in bands for one in band.links)
    names = tuple(node.name for chain in run for node in (chain.head, *chain.tail))
    return Step(names, BandKernel(bands, between, 2 * between + scratch), (source,), (), output, dtypes[output])


def _backwards(run: Sequence[Chain], shapes: Mapping[str, Shape], rows: slice) -> tuple[slice, list[tuple[Axis, int]]]:
    """The rows of the input that rows of the output need, and for each chain its axis on its band and the rows it reads."""
    slid: list[tuple[Axis, int]] = []
    for chain in reversed(run):
        op = chain.head.op
        assert isinstance(op, Conv | MaxPool | AveragePool), "only windows slide"
        rows, axis = op.window[0].slab(shapes[chain.head.inputs[0]][2], rows.start, rows.stop)
        slid.append((axis, rows.stop - rows.start))
    return rows, slid[::-1]


def _link(chain: Chain, axis: Axis, rows: int, shapes: Mapping[str, Shape], dtype: str, weights: Arrays) -> Link:
    """A chain on an input of so many rows, its window along them being `axis`."""
    op = chain.head.op
    assert isinstance(op, Conv | MaxPool | AveragePool), "only windows slide"
    slid = replace(op, window=(axis, *op.window[1:]))
    x = shapes[chain.head.inputs[0]]
    seen = (1, x[1], rows, *x[3:])
    y = tuple(int(n) for n in slid.out_shape(seen))
    known = {chain.head.inputs[0]: seen} | {node.output: y for node in (chain.head, *chain.tail)}
    kernel, stages = computed(Chain(replace(chain.head, op=slid), chain.tail), known, dtype, weights)
    applied = tuple(stage.bound({}) for stage in stages)
    return Link(kernel, applied, needed(kernel, stages, triple(y)), triple(y)[1:2] + y[2:])
