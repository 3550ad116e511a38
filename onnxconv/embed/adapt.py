"""Ways round what a target cannot take: rewrites of a network, each named, proven or measured, and written down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from onnxconv.embed.fold import fold_batch_norms
from onnxconv.embed.rewrite import (
    LayerRewrite,
    Site,
    explicit_pads,
    max_of_slices,
    split_groups,
    sums_for_averages,
    windowed_global_pools,
    with_arrays,
)
from onnxconv.embed.target import Obstacle, Target
from onnxconv.errors import Diagnostic, UsageError, Where, closest
from onnxconv.execute import run
from onnxconv.geometry import Array
from onnxconv.graph import Graph, Node, only
from onnxconv.verify.draw import Stream
from onnxconv.verify.sizes import pinned
from onnxconv.weights import Weights, given

__all__ = ["REWRITES", "Adapted", "Change", "Rewrite", "adapted"]

ROUNDS = 8
"""Rewrites may make layers that others are for: grouped, then padded. More rounds than this mean that they go in circles."""
LARGEST = 3
"""Integers of the proof: sums of their products stay exact in float64 for up to 2^49 terms."""


Made: TypeAlias = tuple[Graph, Weights, tuple[str, ...]]
"""A network, and the names of the layers of it that were changed."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What it does, in words, and doing it.

    It is given the layers that it may change; None: all that it fits. `proof`: why the result is the same network.
    """

    says: str
    proof: str
    of: Callable[[Graph, Weights, Collection[str] | None], Made]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """A rewrite that was made, and the layers that it changed."""

    rewrite: str
    layers: tuple[str, ...]

    @property
    def made(self) -> Rewrite:
        return REWRITES[self.rewrite]

    def __str__(self) -> str:
        layers = f" ({', '.join(self.layers)})" if self.layers else ""
        return f"{self.rewrite}: {self.made.says}{layers}"


@dataclass(frozen=True, slots=True)
class Adapted:
    """A network as a target takes it, and what was done to it."""

    graph: Graph
    weights: Weights
    changes: tuple[Change, ...] = ()

    def by(self, rewrite: str, layers: Collection[str] | None) -> Adapted:
        """With one rewrite more, if it fits any of the layers."""
        graph, weights, changed = REWRITES[rewrite].of(self.graph, self.weights, layers)
        if graph is self.graph:
            return self
        return Adapted(graph, weights, (*self.changes, Change(rewrite, changed)))


def _fixed_sizes(graph: Graph, weights: Weights, _: Collection[str] | None) -> Made:
    sized = pinned(graph)
    return (graph if sized == graph else sized), weights, ()


def _layerwise(of: LayerRewrite) -> Callable[[Graph, Weights, Collection[str] | None], Made]:
    """A rewrite of single layers as one of a network; every layer that it changes is proven."""

    def rewrite(graph: Graph, weights: Weights, layers: Collection[str] | None) -> Made:
        types = graph.types()
        taken = {*types, *(node.name for node in graph.nodes), *(param.name for param in graph.params())}
        nodes: list[Node] = []
        arrays: dict[str, Array] = {}
        changed = []
        for node in graph.nodes:
            site = Site(node, types, weights, taken)
            if node.inputs and (layers is None or node.name in layers):
                of(site)
            if site.nodes:
                _prove(of, only(graph, node))
                changed.append(node.name)
                arrays |= site.arrays
            nodes += site.nodes or [node]
        if not changed:
            return graph, weights, ()
        made = replace(graph, nodes=tuple(nodes))
        return made, with_arrays(made, weights, arrays), tuple(changed)

    return rewrite


def _prove(of: LayerRewrite, layer: Graph) -> None:
    """One layer before and after, both by definition, on integers so small that nothing rounds: equal bit for bit.

    Raises AssertionError where they are not, with Python's own assertions switched off too: it is what bundles are said to rest on.
    """
    sized = pinned(layer)
    stream = Stream("rewrite", layer.nodes[-1].name)
    weights = given({p.name: stream.filled(p.shape, LARGEST, p.dtype) for p in sized.params()})
    inputs = {name: stream.filled(tuple(map(int, type.shape)), LARGEST, type.dtype) for name, type in sized.inputs}
    before = run(sized, weights, inputs)
    node = sized.nodes[-1]
    site = Site(node, sized.types(), weights, {*sized.types(), *(p.name for p in sized.params())})
    of(site)
    rewritten = replace(sized, nodes=(*sized.nodes[:-1], *site.nodes))
    after = run(rewritten, with_arrays(rewritten, weights, site.arrays), inputs)
    if not all(np.array_equal(before[name], after[name]) for name in before):
        raise AssertionError(f"{node.name}: the rewrite is another layer")


LAYERWISE = "each changed layer computes the same bits as before on integers"

REWRITES: Mapping[str, Rewrite] = {
    "fixed-sizes": Rewrite("one image, and a number for every size that is open", "the same layers", _fixed_sizes),
    "explicit-pads": Rewrite("padding, and cropping, as layers of their own", LAYERWISE, _layerwise(explicit_pads)),
    "split-groups": Rewrite("a convolution for each group", LAYERWISE, _layerwise(split_groups)),
    "windowed-global-pools": Rewrite(
        "a window of all positions for pools without one", LAYERWISE, _layerwise(windowed_global_pools)
    ),
    "sums-for-averages": Rewrite(
        "means as convolutions with ones, divided by what each window counts", LAYERWISE, _layerwise(sums_for_averages)
    ),
    "max-of-slices": Rewrite(
        "max pools as the largest of the tensors that their taps see", LAYERWISE, _layerwise(max_of_slices)
    ),
    "fold-batch-norm": Rewrite(
        "batch norm multiplied into the layer before it",
        "equal but for rounding: the difference is measured on the golden inputs, and part of the tolerance",
        fold_batch_norms,
        exact=False,
    ),
}
"""By the name that an `Obstacle` refers to."""


def adapted(
    graph: Graph, weights: Weights, target: Target, *, adapt: bool = False, rewrites: Sequence[str] = ()
) -> Adapted:
    """The network as the target takes it. `rewrites` are made whether or not it needs them; `adapt`: whatever it needs.

    Raises `UsageError` with all obstacles that stand, and for a rewrite that is unknown or fits no layer.
    """
    found = Adapted(graph, weights)
    for name in rewrites:
        found = _asked(found, name)
    for _ in range(ROUNDS):
        obstacles = (*_unreadable(found.graph), *target.obstacles(found.graph))
        if not obstacles:
            return found
        if not adapt or any(not one.rewrite for one in obstacles):
            break
        before = found
        for name in dict.fromkeys(one.rewrite for one in obstacles):
            found = found.by(name, [one.layer for one in obstacles if one.rewrite == name])
        if found is before:
            break
    raise UsageError(_told(one, target) for one in obstacles)


def _asked(found: Adapted, name: str) -> Adapted:
    if name not in REWRITES:
        fix = closest(name, REWRITES)
        raise UsageError(Diagnostic(Where(), "unknown-rewrite", f"there is no rewrite {name!r}", "", fix))
    after = found.by(name, None)
    if after is found:
        what = f"rewrite {name!r} fits no layer of this network"
        raise UsageError(Diagnostic(Where(), "no-rewrite", what, f"it is for {REWRITES[name].says}", "leave it out"))
    return after


def _unreadable(graph: Graph) -> Iterator[Obstacle]:
    """Golden vectors of a data type that no runner's language has."""
    types = graph.types()
    for name in (*(name for name, _ in graph.inputs), *graph.outputs):
        if types[name].dtype == "bfloat16":
            yield Obstacle("", f"is checked on arrays without bfloat16, which {name!r} is of")


def _told(found: Obstacle, target: Target) -> Diagnostic:
    where = f"layer {found.layer!r}" if found.layer else "the model"
    fix = f"--adapt: {REWRITES[found.rewrite].says}" if found.rewrite else ""
    return Diagnostic(Where(), "target", f"{where}: {target.title} {found.reason}", "", fix)
