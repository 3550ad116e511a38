"""Who sees what: for every tensor, the positions of each graph input that one of its positions depends on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from onnxconv.geometry import ANYTHING, IDENTITY, WHOLE, Axis, Field, Reach, Size, TransposedAxis, held, through, union
from onnxconv.graph import Graph, Node, TensorType, shapes_of
from onnxconv.ops import BROADCAST, POINT, UNKNOWN, UNSEEN, WHOLE_AXIS, Footprint, Shape, Step, To

__all__ = ["Reaches", "Sight", "Sighted", "Sights", "follow", "receptive_fields", "sights"]

Reaches: TypeAlias = "dict[str, tuple[Reach, ...]]"
"""By graph input: one `Reach` per spatial axis of that input, outermost first. Inputs not seen are absent."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a tensor's positions see of one axis of a graph input.

    `source`: that axis of the input, counted from 0. `reach`: what is seen, as the position moves along `axis` of the
    tensor; None: wherever the position is, it sees what position 0 of the reach does.
    """

    source: int
    reach: Reach
    axis: int | None


Sights: TypeAlias = "dict[str, tuple[Sight, ...]]"
"""By graph input: one `Sight` for each spatial axis of that input, outermost first. Inputs not seen are absent."""


@dataclass(frozen=True, slots=True)
class Sighted:
    """A node, the inputs of it whose values matter, and what the tensors see that it reads and makes.

    `seen` holds these at least, until the next node is asked for.
    """

    node: Node
    read: tuple[str, ...]
    seen: Mapping[str, Sights]


def receptive_fields(graph: Graph) -> dict[str, Reaches]:
    """What a position of every tensor sees of every graph input, by tensor; exact away from the borders.

    A path that sees nothing along one axis sees nothing at all. A tensor without spatial axes keeps the reaches of the
    tensor it was flattened from. An axis that is seen as a whole is `WHOLE`, unless it is one position long: then it is
    that position.
    """
    return {
        tensor: {name: tuple(sight.reach for sight in found) for name, found in seen.items()}
        for tensor, seen in sights(graph).items()
    }


def sights(graph: Graph) -> dict[str, Sights]:
    """As `receptive_fields`, with the axes along which a position moves.

    The spatial axes of an input are those after batch and channels. Where windows slide along others, as on images
    whose channels come last, these are.
    """
    inputs, nodes = follow(graph)
    return inputs | {at.node.output: at.seen[at.node.output] for at in nodes}


def follow(graph: Graph) -> tuple[dict[str, Sights], Iterator[Sighted]]:
    """The sights of the inputs, and those of every node in order; what no later node reads is forgotten on the way.

    So memory grows with the tensors that are needed at a time, and not with their number.
    """
    plan = _Plan.of(graph)
    spatial = plan.spatial()
    inputs = {name: dict(_published(seen, spatial)) for name, seen in plan.inputs().items()}
    return inputs, _sighted(plan, dict(inputs), spatial)


def _sighted(plan: _Plan, known: dict[str, Sights], spatial: Mapping[str, tuple[int, ...]]) -> Iterator[Sighted]:
    for node, reads, gone, seen in zip(plan.graph.nodes, plan.reads, plan.gone, plan.walk(_Slid()), strict=True):
        known[node.output] = dict(_published(seen, spatial))
        yield Sighted(node, tuple(dict(reads)), known)
        for name in gone:
            del known[name]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A graph, and for each of its nodes the inputs that matter with their footprints, and the tensors that no later node reads."""

    graph: Graph
    types: Mapping[str, TensorType]
    reads: tuple[Reads, ...]
    gone: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, graph: Graph) -> _Plan:
        types, later, gone = graph.types(), set[str](), list[tuple[str, ...]]()
        for node in reversed(graph.nodes):
            gone.append(tuple({node.output, *node.inputs} - later))
            later.update(gone[-1])
        reads = tuple(tuple(_seen_inputs(node, types)) for node in graph.nodes)
        return cls(graph, types, reads, tuple(reversed(gone)))

    def inputs(self) -> dict[str, Sights]:
        """What the inputs see: themselves, along every axis but the batch."""
        return {
            name: {name: tuple(Sight(axis, IDENTITY, axis) for axis in range(1, len(type.shape)))}
            for name, type in self.graph.inputs
        }

    def walk(self, slid: _Slid) -> Iterator[Sights]:
        """What the output of each node sees along every axis but the batch."""
        every, alike = self.inputs(), {name: True for name, _ in self.graph.inputs}
        for node, reads, gone in zip(self.graph.nodes, self.reads, self.gone, strict=True):
            every[node.output] = seen = _joined(reads, every, self.types, slid, alike)
            alike[node.output] = _alike(node, dict(reads), every, alike)
            yield seen
            for name in gone:
                del every[name]

    def spatial(self) -> dict[str, tuple[int, ...]]:
        """The spatial axes of each input. Where nothing leaves its place among the axes, they are known beforehand."""
        slid = _Slid()
        if any(_moves(footprint) for reads in self.reads for _, footprint in reads):
            deque(self.walk(slid), maxlen=0)
        return {name: slid.spatial(name, len(type.shape)) for name, type in self.graph.inputs}


Reads: TypeAlias = "tuple[tuple[str, Footprint], ...]"


def _moves(footprint: Footprint) -> bool:
    """An axis of the input lies along another one of the output, or a window slides along batch or channels."""
    return any(isinstance(entry, To) for entry in footprint) or any(map(_slides, footprint[:2]))


def _published(seen: Sights, spatial: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, tuple[Sight, ...]]]:
    for name, found in seen.items():
        yield name, tuple(sight for sight in found if sight.source in spatial[name])


class _Slid:
    """The axes of each graph input along which windows were seen to slide."""

    def __init__(self) -> None:
        self.axes: dict[str, set[int]] = {}

    def note(self, name: str, sight: Sight, step: Step) -> None:
        if _slides(step) and not sight.reach.whole:
            self.axes.setdefault(name, set()).add(sight.source)

    def spatial(self, name: str, rank: int) -> tuple[int, ...]:
        usual, found = range(2, rank), self.axes.get(name, set())
        return tuple(usual) if found.issubset(usual) else tuple(sorted(found))


def _slides(step: Step | To) -> bool:
    return isinstance(step, Axis | TransposedAxis) and (step.size > 1 or step.stride > 1)


def _alike(node: Node, reads: Mapping[str, Footprint], every: Mapping[str, Sights], alike: Mapping[str, bool]) -> bool:
    """All channels of a position see the same: so in the inputs, and wherever a layer takes all channels together."""
    if reads and all(f[1:2] == (WHOLE_AXIS,) for f in reads.values()) and getattr(node.op, "groups", 1) == 1:
        return True
    if node.op.kind == "SpaceToDepth":
        return False
    if node.op.kind == "Concat" and any(every[name] != every[node.inputs[0]] for name in node.inputs):
        return False
    return all(alike[name] for name in reads)


def _seen_inputs(node: Node, types: Mapping[str, TensorType]) -> Iterator[tuple[str, Footprint]]:
    """The inputs of a node whose values matter."""
    footprints = node.op.footprint(*shapes_of(node, types))
    return ((name, f) for name, f in zip(node.inputs, footprints, strict=True) if UNSEEN not in f)


def _apart(footprint: Footprint) -> bool:
    """A layer that chooses among channels, or moves them elsewhere."""
    return any(entry not in (POINT, WHOLE_AXIS, BROADCAST) for entry in footprint[1:2])


def _joined(
    reads: Reads,
    every: Mapping[str, Sights],
    types: Mapping[str, TensorType],
    slid: _Slid,
    alike: Mapping[str, bool],
) -> Sights:
    paths: dict[str, list[tuple[Sight, ...]]] = {}
    for tensor, footprint in reads:
        sizes = types[tensor].shape
        sure = alike[tensor] or not _apart(footprint)
        for name, found in every[tensor].items():
            for sight in found:
                if sight.axis is not None:
                    slid.note(name, sight, _step(footprint[sight.axis]))
            path = tuple(sight if sight.axis is None else _beyond(sight, footprint, sizes, sure) for sight in found)
            if not any(sight.reach.sees_nothing for sight in path):
                paths.setdefault(name, []).append(path)
    return {name: tuple(map(_union, zip(*found, strict=True))) for name, found in paths.items()}


def _step(entry: Step | To) -> Step:
    return entry.step if isinstance(entry, To) else entry


def _beyond(sight: Sight, footprint: Footprint, sizes: Shape, sure: bool) -> Sight:
    """What the output of a layer sees through the axis of its input along which the sight moves."""
    assert sight.axis is not None, "it moves along an axis"
    entry = footprint[sight.axis]
    axis, step, exact = (entry.axis, entry.step, entry.exact) if isinstance(entry, To) else (sight.axis, entry, True)
    reach = _along(sight.reach, step, sizes[sight.axis])
    if reach.exact and not (exact and sure):
        reach = replace(reach, exact=False)
    return sight if reach is sight.reach and axis == sight.axis else Sight(sight.source, reach, axis)


def _union(paths: Iterable[Sight]) -> Sight:
    """One sight per path, of the same axis of the same input."""
    paths = tuple(paths)
    if len(paths) == 1:
        return paths[0]
    axes = {path.axis for path in paths if path.axis is not None}
    if len(axes) > 1 and not any(path.reach.whole for path in paths):
        # Each position would see a cross of two families, one moving along either axis: no single reach says that.
        return Sight(paths[0].source, replace(ANYTHING, aligned=False), None)
    reaches = (held(path.reach) if axes and path.axis is None else path.reach for path in paths)
    return Sight(paths[0].source, union(reaches), min(axes, default=None))


def _along(reach: Reach, step: Step, n: Size) -> Reach:
    if isinstance(step, Axis | TransposedAxis | Field):
        return through(reach, step)
    if step == BROADCAST:
        return held(reach)
    if step == POINT or (n == 1 and step == WHOLE_AXIS):
        return reach
    whole = {WHOLE_AXIS: WHOLE, UNKNOWN: ANYTHING}[step]
    if reach.aligned and reach.exact:
        return whole
    return replace(whole, aligned=reach.aligned, exact=whole.exact and reach.exact)
