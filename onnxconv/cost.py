"""What a graph costs, for one image: learned numbers, multiply-adds, bytes of weights and of activations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from onnxconv.dtypes import DTYPES
from onnxconv.errors import Refusal
from onnxconv.geometry import evaluated, names
from onnxconv.graph import Graph, Node, Param, TensorType, shapes_of
from onnxconv.ops import Opaque, Work

__all__ = ["Costs", "LayerCost", "Totals", "costs"]


@dataclass(frozen=True, slots=True)
class LayerCost:
    """The cost of one node. None: a symbolic size hides it.

    `params`: numbers that training would adjust; `weight_bytes`: bytes of the weight tensors. What several nodes share
    counts at the first one. `macs` counts taps on padding, `valid_macs` does not. `activation_bytes`: bytes of the output.
    """

    params: int
    macs: int | None
    valid_macs: int | None
    activation_bytes: int | None
    weight_bytes: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all nodes, and the most bytes of tensors alive while some node runs: its inputs, its output, and what is still needed.

    `left_out`: nodes that are not understood, which the sums leave out as far as they are not known.
    """

    params: int
    macs: int | None
    valid_macs: int | None
    weight_bytes: int
    peak_activation_bytes: int | None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Costs:
    """The cost of every node by its name, in the order of the graph, and the totals."""

    layers: Mapping[str, LayerCost]
    totals: Totals


def costs(graph: Graph) -> Costs:
    """The cost of a graph for one image: whatever the size of the batch, it counts as 1."""
    types, size = graph.types(), _bytes_per_image(graph)
    counted: set[str] = set()
    layers: dict[str, LayerCost] = {}
    for node in graph.nodes:
        new = {param.name: param for _, param in node.params if param.name not in counted}
        counted.update(new)
        layers[node.name] = _layer(node, new.values(), types, size[node.output])
    opaque = {node.name for node in graph.nodes if isinstance(node.op, Opaque)}
    understood = [layer for name, layer in layers.items() if name not in opaque]
    totals = Totals(
        params=sum(layer.params for layer in layers.values()),
        macs=_total(layer.macs for layer in understood),
        valid_macs=_total(layer.valid_macs for layer in understood),
        weight_bytes=sum(layer.weight_bytes for layer in layers.values()),
        peak_activation_bytes=_peak(graph, size),
        left_out=len(opaque) + sum(lost.op not in ("input", "output", "initializer") for lost in graph.unread),
    )
    return Costs(layers, totals)


def _layer(node: Node, params: Iterable[Param], types: Mapping[str, TensorType], size: int | None) -> LayerCost:
    params = tuple(params)
    work = _work(node, types)
    return LayerCost(
        params=sum(param.learned for param in params),
        macs=work.macs if work else None,
        valid_macs=work.valid_macs if work else None,
        activation_bytes=size,
        weight_bytes=sum(math.prod(param.shape) * DTYPES[param.dtype].bytes for param in params),
    )


def _work(node: Node, types: Mapping[str, TensorType]) -> Work | None:
    try:
        return node.op.work(*shapes_of(node, types))
    except Refusal:  # a symbolic size, or an operator that is not understood
        return None


def _bytes_per_image(graph: Graph) -> dict[str, int | None]:
    """Bytes of every tensor for one image; None where a symbolic size hides it.

    An open batch is 1 wherever it stands, as in ``4*N``; where it is a larger number, the first axis is taken for it.
    """
    first = int(any(isinstance(n, int) and n > 1 for _, type in graph.inputs for n in type.shape[:1]))
    batch = {name: 1 for _, type in graph.inputs for n in type.shape[:1] for name in names(n)}
    known_as = cache(lambda n: evaluated(n, batch))

    def size(type: TensorType) -> int | None:
        shape = [n if isinstance(n, int) else known_as(n) for n in type.shape[first:]]
        known = [n for n in shape if isinstance(n, int)]
        return math.prod(known) * DTYPES[type.dtype].bytes if len(known) == len(shape) else None

    return {name: size(type) for name, type in graph.types().items()}


def _peak(graph: Graph, size: Mapping[str, int | None]) -> int | None:
    """A graph input is alive from the start, an output of the graph to the end, all else from its node to its last use."""
    known = {name: n for name, n in size.items() if n is not None}
    if len(known) < len(size):
        return None
    last = dict.fromkeys((name for name, _ in graph.inputs), 0)
    last |= {tensor: step for step, node in enumerate(graph.nodes) for tensor in (node.output, *node.inputs)}
    freed: Counter[int] = Counter()
    for name in last.keys() - set(graph.outputs):
        freed[last[name]] += known[name]
    peak = alive = sum(known[name] for name, _ in graph.inputs)
    for step, node in enumerate(graph.nodes):
        alive += known[node.output]
        peak = max(peak, alive)
        alive -= freed[step]
    return peak


def _total(numbers: Iterable[int | None]) -> int | None:
    counted = 0
    for n in numbers:
        if n is None:
            return None
        counted += n
    return counted
