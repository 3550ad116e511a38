"""The taps of routed kernels: one a filter, or more where a network narrows and would leave most channels unread.

Sums of several channels need room in the significand, so that layers close to an output, which hide the most, come first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxconv.graph import Graph, Node
from onnxconv.verify.words import PRODUCTS, Array

__all__ = ["Kernel", "factors", "filters_of", "gathered", "middle_of"]

STEPS = 4
"""Powers of two among the taps of a filter that share a place."""


@dataclass(frozen=True)
class Kernel:
    """A kernel of an operator's kind, shape and groups with some taps a filter, zero elsewhere.

    `source`[M, taps]: the channel of its group that each tap reads. `first`[M]: the place of the first tap in the kernel;
    the others come after it in turn. `factor`[M, taps]: what channels are multiplied with.
    """

    kind: str
    shape: tuple[int, ...]
    groups: int
    source: Array
    first: Array
    factor: Array

    @property
    def size(self) -> int:
        """Places in the kernel."""
        return math.prod(self.shape[2:])

    @property
    def places(self) -> Array:
        found: Array = (self.first[:, None] + np.arange(self.source.shape[1])) % self.size
        return found

    @property
    def origin(self) -> Array:
        """[M, taps]: the channel of the input that each tap reads."""
        filters, fan = filters_of(self.kind, self.shape, self.groups)
        found: Array = self.source + np.repeat(np.arange(self.groups) * fan, filters // self.groups)[:, None]
        return found

    def weight(self, scale: Array) -> Array:
        """The array that the operator takes, each filter times its `scale`[M]."""
        rows, value = np.arange(len(self.source))[:, None], self.factor * scale[:, None]
        if self.kind != "ConvTranspose":
            short = bool((value.astype(np.float32) == value).all())
            weight = np.zeros((*self.shape[:2], self.size), np.float32 if short else np.float64)
            weight[rows, self.source, self.places] = value
            return weight.reshape(self.shape)
        each = len(self.source) // self.groups
        blocks = np.zeros((self.groups, self.shape[0] // self.groups, each, self.size))
        blocks[rows // each, self.source, rows % each, self.places] = value
        return blocks.reshape(self.shape)


def filters_of(kind: str, shape: Sequence[int], groups: int) -> tuple[int, int]:
    """(filters, channels that each of them reads) of a kernel."""
    return (shape[1] * groups, shape[0] // groups) if kind == "ConvTranspose" else (shape[0], shape[1])


def middle_of(shape: Sequence[int]) -> int:
    """The place in the middle of a kernel."""
    return int(np.ravel_multi_index([n // 2 for n in shape[2:]], shape[2:])) if shape[2:] else 0


def gathered(graph: Graph, shapes: Mapping[str, tuple[int, ...]], room: int) -> dict[str, int]:
    """Taps of each filter, by layer: as many as read all channels of its input, or as there is room for.

    `room`: bits by which sums may grow on any way to an output.
    """
    rooms: dict[str, int] = {}
    taps: dict[str, int] = {}
    for node in reversed(graph.nodes):
        left = rooms.get(node.output, room)
        if node.op.kind in PRODUCTS and "weight" in dict(node.params) and node.inputs:
            filters, fan, kernel = _widths(node, shapes[node.inputs[0]])
            wanted = -(-fan // filters)
            taps[node.name] = max(t for t in (wanted, *_powers(wanted)) if _grown(t, kernel) <= left)
            left -= _grown(taps[node.name], kernel)
        for name in node.inputs:
            rooms[name] = min(rooms.get(name, room), left)
    return taps


def _widths(node: Node, of_input: tuple[int, ...]) -> tuple[int, int, int]:
    """(filters, channels that each of them reads, places in its kernel) of a group."""
    shape, groups = node.op.weight_shapes(of_input)["weight"], int(getattr(node.op, "groups", 1))
    filters, fan = filters_of(node.op.kind, shape, groups)
    return filters // groups, fan, math.prod(shape[2:])


def _powers(most: int) -> list[int]:
    return [1 << bit for bit in range(most.bit_length())]


def _grown(taps: int, kernel: int) -> int:
    """Bits that a sum of so many taps needs beyond those of one."""
    return (taps - 1).bit_length() + round(-math.log2(np.abs(factors(taps, kernel)).min()))


def factors(taps: int, kernel: int) -> Array:
    """What the taps of a filter are multiplied with, so that of those that share a place no two are alike up to eight: ±2^-k."""
    turn = np.arange(taps) // kernel
    return (1.0 - 2 * (turn % 2)) * 2.0 ** -(turn // 2 % STEPS)
