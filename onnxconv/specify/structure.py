"""A graph as lists of layers: what forks and meets again becomes the branches of a join, the rest reads by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from onnxconv.graph import Graph, Node
from onnxconv.spec import LAYERS
from onnxconv.specify.items import PREVIOUS, Branch, Layer, layers_in
from onnxconv.specify.writers import Said

__all__ = ["structure"]

LONGEST_BRANCH = 16
"""Layers of a branch that is written inside of its join; longer ones stand for themselves, and are joined by name."""


def structure(graph: Graph, said: Mapping[str, Said]) -> tuple[Layer, ...]:
    """The layers of a graph in an order in which most of them read the one before. `said`: by name of the node.

    Every layer that anything refers to by name has one: that of its tensor.
    """
    forks = _Forks(graph, said)
    for node in graph.nodes:
        forks.take(node)
    return _named(_flowing(tuple(forks.pieces.values()), tuple(name for name, _ in graph.inputs)), graph)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A layer with everything that is written inside of it, and the tensors that it reads from outside."""

    layer: Layer
    reads: tuple[str, ...]


class _Forks:
    """Layers taken in order; a join swallows what leads to it from the tensor where its branches part."""

    def __init__(self, graph: Graph, said: Mapping[str, Said]) -> None:
        self.said = said
        self.uses = Counter([name for node in graph.nodes for name in node.inputs] + list(graph.outputs))
        self.pieces: dict[str, _Piece] = {}
        """By the tensor that they end in."""

    def take(self, node: Node) -> None:
        said = self.said[node.name]
        joins = LAYERS[said.kind].join  # else further inputs are read for their sizes alone
        piece = _Piece(Layer(said, node), node.inputs if joins else node.inputs[:1])
        if joins:
            piece = self._joined(piece)
        self.pieces[node.output] = piece

    def _joined(self, piece: _Piece) -> _Piece:
        """The join with constants that nobody else reads inside, and with its branches where they fit."""
        held = {name: (self.pieces[name].layer,) for name in piece.reads if self._is_constant(name)}
        read = [name for name in piece.reads if name not in held]
        others = tuple(dict.fromkeys(read))
        if not others:
            return piece
        for name in held:
            del self.pieces[name]
        chains = self._chains(others) if len(others) > 1 else None
        if chains is None:
            named: tuple[Branch, ...] = tuple(held.get(name, name) for name in piece.reads)
            self.uses -= Counter(read) - Counter(others)
            return _Piece(replace(piece.layer, branches=named), others)
        start = self._chain(others[0])[0]
        for chain in chains.values():
            for layer in chain:
                del self.pieces[layer.node.output]
        self.uses[start] -= len(read) - 1
        branches: tuple[Branch, ...] = tuple((held | chains)[name] for name in piece.reads)
        return _Piece(replace(piece.layer, branches=branches), (start,))

    def _is_constant(self, name: str) -> bool:
        """A constant that nobody else reads."""
        return self.uses[name] == 1 and name in self.pieces and not self.pieces[name].reads

    def _chains(self, names: tuple[str, ...]) -> dict[str, tuple[Layer, ...]] | None:
        """What leads to each tensor, where all of it starts at one tensor and is short; else None."""
        found = {name: self._chain(name) for name in names}
        chains = {name: chain for name, (_, chain) in found.items()}
        size = max(sum(1 for _ in layers_in(chain)) for chain in chains.values())
        fits = len({start for start, _ in found.values()}) == 1 and any(chains.values()) and size <= LONGEST_BRANCH
        return chains if fits else None

    def _chain(self, name: str) -> tuple[str, tuple[Layer, ...]]:
        """(tensor where it starts, layers from there to `name`): back as long as nobody else reads what lies between."""
        chain: list[Layer] = []
        while self.uses[name] == 1 and name in self.pieces and len(self.pieces[name].reads) == 1:
            layer = self.pieces[name].layer
            following = tuple(PREVIOUS if isinstance(branch, str) else branch for branch in layer.branches)
            chain.insert(0, replace(layer, branches=following))
            (name,) = self.pieces[name].reads
        return name, tuple(chain)


def _flowing(pieces: tuple[_Piece, ...], inputs: tuple[str, ...]) -> tuple[_Piece, ...]:
    """In an order in which a layer follows what it reads, if it can."""
    known, waiting, ordered = {*inputs}, list(pieces), list[_Piece]()
    before = inputs[0] if len(inputs) == 1 else ""
    while waiting:
        ready = (i for i, piece in enumerate(waiting) if known.issuperset(piece.reads))
        first = next(ready)
        follows = before in waiting[first].reads or not before
        at = first if follows else next((i for i in ready if before in waiting[i].reads), first)
        ordered.append(waiting.pop(at))
        before = ordered[-1].layer.node.output
        known.add(before)
    return tuple(ordered)


def _named(pieces: tuple[_Piece, ...], graph: Graph) -> tuple[Layer, ...]:
    """The layers with what they read said: nothing where it is the tensor before, else its name."""
    inputs = tuple(name for name, _ in graph.inputs)
    before = inputs[0] if len(inputs) == 1 else ""
    wanted = {*graph.outputs}
    trunk: list[Layer] = []
    for piece in pieces:
        layer = piece.layer
        named = [branch for branch in layer.branches or piece.reads if isinstance(branch, str)]
        if LAYERS[layer.said.kind].join and named:
            branches = tuple(PREVIOUS if name == before else name for name in layer.branches or piece.reads)
            layer = replace(layer, branches=branches)
            wanted |= {name for name in named if name != before}
        elif piece.reads and piece.reads[0] != before:
            layer = replace(layer, source=piece.reads[0])
            wanted.add(piece.reads[0])
        trunk.append(layer)
        before = layer.node.output
    return tuple(_with_name(layer, wanted, {*graph.outputs}) for layer in trunk)


def _with_name(layer: Layer, wanted: set[str], outputs: set[str]) -> Layer:
    inside = tuple(
        branch
        if isinstance(branch, str)
        else tuple(_with_name(item, wanted, outputs) for item in branch if isinstance(item, Layer))
        for branch in layer.branches
    )
    name = layer.node.output if layer.node.output in wanted else None
    return replace(layer, branches=inside, name=name, kept=name in outputs)
