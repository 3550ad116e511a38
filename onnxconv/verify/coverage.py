"""Which filters and kernel taps of a routed network show at its outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from onnxconv.execute import apply
from onnxconv.graph import Graph, Node
from onnxconv.verify.route import Routed
from onnxconv.verify.signal import Signal, channels, varies
from onnxconv.verify.words import MOVING, Array

__all__ = ["Seen", "add", "alive", "observed", "shares"]

Seen = dict[str, tuple[Array, Array]]
"""By layer with taps: which filters [M] were observed, and which taps [∏K] some observed filter has."""

MIXING = ("Softmax",)


def alive(node: Node, signal: Signal, route: Routed, inputs: Sequence[Array], xs: Sequence[Signal]) -> Array:
    """Of each channel of the output, whether it depends on the graph's input; `inputs`: the same of the node's inputs `xs`.

    It does if it has more than one value, further apart than the error that they may have. Where a channel has one element only, it does if its source does, and if the
    activation has let it through.
    """
    y = signal.value
    if not any(x.any() for x in inputs):
        return np.zeros(channels(y.shape), bool)
    if y.ndim and y.shape[0] * math.prod(y.shape[2:]) > 1:
        return varies(signal)
    (first, *_) = inputs
    if route.sources is not None:
        unbiased = y.reshape(-1) - route.weights.get("bias", 0.0)
        seen: Array = first[route.sources].any(axis=1) & (unbiased != 0)
        return seen
    match node.op.kind:
        case "Concat" if getattr(node.op, "axis", 1) == 1:
            return np.concatenate(list(inputs))
        case kind if kind in MOVING:
            arrived: Array = np.any(_moves(node, [x.value.shape for x in xs])[:, first], axis=1)
            return arrived
        case "Relu" | "Clip":
            low, high = getattr(node.op, "low", 0.0), getattr(node.op, "high", None)
            flat = y.reshape(-1)
            inside = (flat != (math.nan if low is None else low)) & (flat != (math.nan if high is None else high))
            through: Array = first & inside
            return through
        case _:
            reached = np.zeros(channels(y.shape), bool)
            for x in inputs:
                reached |= x if len(x) == len(reached) else x.any()
            return reached


def observed(
    graph: Graph, shapes: Mapping[str, tuple[int, ...]], routes: Mapping[str, Routed], live: Mapping[str, Array]
) -> Seen:
    """Walk from the outputs back along the taps. A channel counts where its values vary and reach an output."""
    reached = {name: np.zeros(channels(shapes[name]), bool) for name in shapes}
    for name in graph.outputs:
        reached[name][...] = True
    seen: Seen = {}
    for node in reversed(graph.nodes):
        here = reached[node.output] & live[node.output]
        route = routes[node.name]
        if route.sources is not None and route.taps is not None:
            kernel = math.prod(dict(node.params)["weight"].shape[2:])
            seen[node.name] = here, np.bincount(route.taps[here].reshape(-1), minlength=kernel).astype(bool)
            reached[node.inputs[0]][route.sources[here]] = True
        else:
            _back(node, here, reached, shapes)
    return seen


def _back(node: Node, here: Array, reached: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    start = 0
    for name in node.inputs:
        mask = reached[name]
        match node.op.kind:
            case "Concat" if getattr(node.op, "axis", 1) == 1:
                mask |= here[start : start + len(mask)]
                start += len(mask)
            case kind if kind in MOVING:
                moves = _moves(node, [shapes[read] for read in node.inputs])
                mask |= np.any(moves[here], axis=0) if name == node.inputs[0] else False
            case kind if kind in MIXING or len(mask) != len(here):
                mask |= here.any()
            case _:
                mask |= here


def _moves(node: Node, shapes: Sequence[tuple[int, ...]]) -> Array:
    """[channels of the output, channels of the first input]: whether values of the one are values of the other.

    Of further inputs only the shapes matter.
    """
    shape, *others = shapes
    count = channels(shape)
    numbers = np.arange(count).reshape(-1, *[1] * (len(shape) - 2)) if len(shape) > 1 else np.zeros(1)
    moved = np.broadcast_to(numbers, shape).astype(np.float64)
    y = apply(node, [moved, *(np.broadcast_to(0.0, other) for other in others)], {})
    into = np.broadcast_to(np.arange(channels(y.shape)).reshape(-1, *[1] * (y.ndim - 2)), y.shape)
    found = np.zeros((channels(y.shape), count), bool)
    found[into.reshape(-1), y.astype(np.int64).reshape(-1)] = True
    return found


def add(one: Seen, other: Seen) -> Seen:
    """What either has observed."""
    return {name: tuple(a | b for a, b in zip(one.get(name, seen), seen, strict=True)) for name, seen in other.items()}  # type: ignore[misc]


def shares(seen: Seen) -> dict[str, float]:
    """Observed shares of all filters, and of all taps of all kernels (a tap is a place in a layer's window)."""
    found: dict[str, float] = {}
    for i, what in enumerate(("filters", "taps")):
        total = sum(masks[i].size for masks in seen.values())
        if total:
            found[what] = round(sum(int(masks[i].sum()) for masks in seen.values()) / total, 4)
    return found
