"""Who sees what: for every tensor, the positions of each graph input that one of its positions depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from onnxconv.geometry import ANYTHING, IDENTITY, WHOLE, Axis, Field, Reach, Size, TransposedAxis, held, through, union
from onnxconv.graph import Graph, Node, TensorType, shapes_of
from onnxconv.ops import BROADCAST, POINT, UNKNOWN, UNSEEN, WHOLE_AXIS, Footprint, Step, To

__all__ = ["Reaches", "Sight", "Sights", "receptive_fields", "seen_inputs", "sights"]

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
    types, slid = graph.types(), _Slid()
    every: dict[str, Sights] = {
        name: {name: tuple(Sight(axis, IDENTITY, axis) for axis in range(1, len(type.shape)))}
        for name, type in graph.inputs
    }
    alike = {name: True for name, _ in graph.inputs}
    for node in graph.nodes:
        every[node.output] = _joined(node, every, types, slid, alike)
        alike[node.output] = _alike(node, every, types, alike)
    spatial = {name: slid.spatial(name, len(type.shape)) for name, type in graph.inputs}
    return {tensor: dict(_published(seen, spatial)) for tensor, seen in every.items()}


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


def _slides(step: Step) -> bool:
    return isinstance(step, Axis | TransposedAxis) and (step.size > 1 or step.stride > 1)


def _alike(node: Node, every: Mapping[str, Sights], types: Mapping[str, TensorType], alike: Mapping[str, bool]) -> bool:
    """All channels of a position see the same: so in the inputs, and wherever a layer takes all channels together."""
    seen = dict(seen_inputs(node, types))
    if seen and all(f[1:2] == (WHOLE_AXIS,) for f in seen.values()) and getattr(node.op, "groups", 1) == 1:
        return True
    if node.op.kind == "SpaceToDepth":
        return False
    if node.op.kind == "Concat" and any(every[name] != every[node.inputs[0]] for name in node.inputs):
        return False
    return all(alike[name] for name in seen)


def seen_inputs(node: Node, types: Mapping[str, TensorType]) -> Iterator[tuple[str, Footprint]]:
    """The inputs of a node whose values matter."""
    footprints = node.op.footprint(*shapes_of(node, types))
    return ((name, f) for name, f in zip(node.inputs, footprints, strict=True) if UNSEEN not in f)


def _apart(footprint: Footprint) -> bool:
    """A layer that chooses among channels, or moves them elsewhere."""
    return any(entry not in (POINT, WHOLE_AXIS, BROADCAST) for entry in footprint[1:2])


def _joined(
    node: Node,
    every: Mapping[str, Sights],
    types: Mapping[str, TensorType],
    slid: _Slid,
    alike: Mapping[str, bool],
) -> Sights:
    paths: dict[str, list[tuple[Sight, ...]]] = {}
    for tensor, footprint in seen_inputs(node, types):
        entries = tuple(entry if isinstance(entry, To) else To(axis, entry) for axis, entry in enumerate(footprint))
        sizes = types[tensor].shape
        sure = alike[tensor] or not _apart(footprint)
        for name, found in every[tensor].items():
            path = []
            for sight in found:
                if sight.axis is None:
                    path.append(sight)
                    continue
                entry = entries[sight.axis]
                slid.note(name, sight, entry.step)
                reach = _along(sight.reach, entry.step, sizes[sight.axis])
                path.append(Sight(sight.source, replace(reach, exact=reach.exact and entry.exact and sure), entry.axis))
            if not any(sight.reach.sees_nothing for sight in path):
                paths.setdefault(name, []).append(tuple(path))
    return {name: tuple(map(_union, zip(*found, strict=True))) for name, found in paths.items()}


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
    return replace(whole, aligned=reach.aligned, exact=whole.exact and reach.exact)
