"""Rewrites of layers: other layers that together compute the same."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from onnxconv.geometry import Array, Axis
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.ops import (
    AveragePool,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Div,
    GlobalAveragePool,
    GlobalMaxPool,
    Max,
    MaxPool,
    Operator,
    Pad,
    Range,
    Slice,
)
from onnxconv.weights import Weights, given

__all__ = [
    "LayerRewrite",
    "Site",
    "explicit_pads",
    "max_of_slices",
    "split_groups",
    "sums_for_averages",
    "windowed_global_pools",
    "with_arrays",
]


@dataclass(slots=True)
class Site:
    """A layer, what it reads, and the layers that are about to take its place."""

    node: Node
    types: dict[str, TensorType]
    weights: Weights
    taken: set[str]
    nodes: list[Node] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)

    @property
    def x(self) -> str:
        return self.node.inputs[0]

    def array(self, role: str) -> Array | None:
        return next((self.weights[param] for found, param in self.node.params if found == role), None)

    def add(self, what: str, op: Operator, *inputs: str, **arrays: Array | None) -> str:
        """A layer before the last one, named after the layer and `what`; the tensor that it makes."""
        name = self._fresh(f"{self.node.name}.{what}")
        self._place(name, name, op, inputs, self._params(name, arrays))
        return name

    def finish(self, op: Operator, *inputs: str, **arrays: Array | None) -> None:
        """The last layer, which makes the tensor that the layer made; it keeps the layer's weights unless it is given others."""
        params = self._params(self.node.name, arrays) if arrays else self.node.params
        self._place(self.node.name, self.node.output, op, inputs, params)

    def _params(self, layer: str, arrays: Mapping[str, Array | None]) -> tuple[tuple[str, Param], ...]:
        made = []
        for role, array in arrays.items():
            if array is not None:
                name = self._fresh(f"{layer}.{role}")
                self.arrays[name] = array
                param = Param(name, array.dtype.name, array.shape, Initial(name, array.shape, "constant", (0.0,)))
                made.append((role, param))
        return tuple(made)

    def _place(
        self, name: str, output: str, op: Operator, inputs: tuple[str, ...], params: tuple[tuple[str, Param], ...]
    ) -> None:
        read = [self.types[x] for x in inputs]
        dtype = op.out_dtype(*(t.dtype for t in read)) if read else params[0][1].dtype
        type = TensorType(dtype, op.out_shape(*(t.shape for t in read)))
        self.types[output] = type
        self.nodes.append(Node(name, op, inputs, output, type, params, self.node.where))

    def _fresh(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


LayerRewrite: TypeAlias = Callable[[Site], None]
"""Places the layers that are to be there instead; none where the rewrite does not fit the layer."""


def with_arrays(graph: Graph, weights: Weights, arrays: Mapping[str, Array]) -> Weights:
    """The weights that a network had, and those that it has got."""
    return given({p.name: arrays[p.name] if p.name in arrays else weights[p] for p in graph.params()})


def explicit_pads(site: Site) -> None:
    """Padding as a layer before a convolution or pool, cropping as one behind a transposed convolution."""
    match site.node.op:
        case Conv() | AveragePool(count_include_pad=True) as op if any(any(a.pad) for a in op.window):
            padded = site.add("pad", Pad(tuple(a.pad for a in op.window)), site.x)
            site.finish(replace(op, window=_bare(op.window)), padded)
        case MaxPool() as op if any(any(a.pad) for a in op.window):
            _padded_max_pool(site, op)
        case ConvTranspose() as op if any(any(a.pad) or a.output_pad for a in op.window):
            _cropped(site, op)


def _bare(window: tuple[Axis, ...]) -> tuple[Axis, ...]:
    return tuple(replace(a, pad=(0, 0)) for a in window)


def _padded_max_pool(site: Site, op: MaxPool) -> None:
    """A window without dilation that sees padding sees the pixel at that edge too, so repeating it changes no maximum."""
    pads = tuple(a.pad for a in op.window)
    if all(a.dilation == 1 for a in op.window):
        padded = site.add("pad", Pad(pads, mode="edge"), site.x)
    elif site.types[site.x].dtype.startswith("float"):
        padded = site.add("pad", Pad(pads, value=-math.inf), site.x)
    else:
        return
    site.finish(replace(op, window=_bare(op.window)), padded)


def _cropped(site: Site, op: ConvTranspose) -> None:
    """Where appended outputs reach beyond what the kernel does, the kernel gets taps of zeros there."""
    window, cuts = zip(*(a.uncropped() for a in op.window), strict=True)
    weight, bias = site.array("weight"), site.array("bias")
    assert weight is not None, "a convolution has a weight"
    more = [(0, whole.size - a.size) for whole, a in zip(window, op.window, strict=True)]
    grown = np.pad(weight, [(0, 0), (0, 0), *more])
    ranges = tuple(
        Range(axis, begin, -end) if end else Range(axis, begin)
        for axis, (begin, end) in enumerate(cuts, 2)
        if begin or end
    )
    whole_op = replace(op, window=window)
    if not ranges:
        site.finish(whole_op, site.x, weight=grown, bias=bias)
        return
    y = site.add("whole", whole_op, site.x, weight=grown, bias=bias)
    site.finish(Slice(ranges), y)


def split_groups(site: Site) -> None:
    """Each group's channels cut out, a convolution for each, and their outputs one after the other."""
    op = site.node.op
    if not isinstance(op, Conv | ConvTranspose) or op.groups == 1:
        return
    channels = site.types[site.x].shape[1]
    weight, bias = site.array("weight"), site.array("bias")
    assert weight is not None, "a convolution has a weight"
    assert isinstance(channels, int), "a convolution's channels are counted"
    share = channels // op.groups
    one = replace(op, groups=1, out_channels=op.out_channels // op.groups)
    kernels = np.split(weight, op.groups)
    biases = [None] * op.groups if bias is None else np.split(bias, op.groups)
    parts = []
    for g, (kernel, shift) in enumerate(zip(kernels, biases, strict=True)):
        x = site.add(f"group{g}.x", Slice((Range(1, g * share, (g + 1) * share),)), site.x)
        parts.append(site.add(f"group{g}", one, x, weight=kernel, bias=shift))
    site.finish(Concat(1), *parts)


def windowed_global_pools(site: Site) -> None:
    """A pool over all positions as one with a window of their size."""
    sizes = site.types[site.x].spatial
    if not isinstance(site.node.op, GlobalAveragePool | GlobalMaxPool):
        return
    window = tuple(Axis(n) for n in sizes if isinstance(n, int) and n > 0)
    if len(window) == len(sizes):
        pool = AveragePool(window) if isinstance(site.node.op, GlobalAveragePool) else MaxPool(window)
        site.finish(pool, site.x)


def sums_for_averages(site: Site) -> None:
    """A mean as a convolution with ones, each channel for itself, divided by the number of pixels that each window counts."""
    op, (_, channels, *sizes) = site.node.op, site.types[site.x].shape
    if not isinstance(op, AveragePool) or not isinstance(channels, int):
        return
    pixels = [n for n in sizes if isinstance(n, int)]
    partial = not op.count_include_pad and any(any(a.pad) for a in op.window)
    if partial and len(pixels) < len(sizes):
        return
    dtype = site.node.type.dtype
    ones = np.ones((channels, 1, *(a.size for a in op.window)), dtype)
    if partial:
        counts = AveragePool(op.window, count_include_pad=True).define(np.ones((1, 1, *pixels))) * math.prod(
            ones.shape[1:]
        )
        divisor = np.rint(counts).astype(dtype)
    else:
        divisor = np.full((1,) * (2 + len(sizes)), math.prod(ones.shape[1:]), dtype)
    sums = site.add("sums", Conv(op.window, channels, channels, bias=False), site.x, weight=ones)
    count = site.add("count", Constant(divisor.shape), value=divisor)
    site.finish(Div(), sums, count)


def max_of_slices(site: Site) -> None:
    """A max pool without padding as the largest of the tensors that its taps see, of which each stride keeps one."""
    op, sizes = site.node.op, site.types[site.x].spatial
    if not isinstance(op, MaxPool) or any(any(a.pad) for a in op.window) or all(a.size == 1 for a in op.window):
        return
    pixels = [n for n in sizes if isinstance(n, int)]
    if len(pixels) < len(sizes):
        return
    largest = ""
    for n, tap in enumerate(itertools.product(*(range(a.size) for a in op.window))):
        seen = site.x
        for axis, (a, k, size) in enumerate(zip(op.window, tap, pixels, strict=True), 2):
            first, beyond = a.position(0, k), size - 1 - a.position(int(a.out_size(size)) - 1, k)
            range_ = Range(axis, first, -beyond) if beyond else Range(axis, first)
            seen = site.add(f"tap{n}.{axis}", Slice((range_,)), seen) if first or beyond else seen
        largest = site.add(f"max{n}", Max(), largest, seen) if largest else seen
    site.finish(MaxPool(tuple(Axis(1, a.stride) for a in op.window)), largest)
