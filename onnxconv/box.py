"""The box of input pixels that one position of a layer sees: exact at the borders too, where padding cuts paths short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from onnxconv.errors import Diagnostic, Refusal, UsageError, Where, closest
from onnxconv.geometry import Positions, Size
from onnxconv.graph import Graph, Node, TensorType, shapes_of
from onnxconv.ops import BROADCAST, POINT, UNKNOWN, UNSEEN, WHOLE_AXIS, Operator, Pad, Resize, Step, To, shape_text
from onnxconv.receptive import Sights, sights

__all__ = ["Seen", "View", "views"]

Along: TypeAlias = "Positions | None"
"""Positions along an axis; None: all of them."""
Box: TypeAlias = "tuple[Along, ...]"
"""One entry per axis of a tensor; it holds every combination of their positions."""

MOST_BOXES = 64
"""Boxes of one tensor that are told apart. Where there are more they become one that holds them all: then a path that
ends in padding along one axis may still be counted along another."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a position sees along one axis of an input, of `size` pixels.

    `field`: what it would see of an endless input. `inside`: what it sees of this one; None: all of it. `exact`: false
    where it may see less, since data decide or nobody knows.
    """

    field: Along
    inside: Along
    size: Size
    exact: bool = True

    def span(self) -> tuple[int, int] | None:
        """The first and the last pixel that is seen; None where none is, and where all are and their number is open."""
        if self.inside is None:
            return (0, self.size - 1) if isinstance(self.size, int) else None
        return (self.inside.first, self.inside.last) if self.inside else None

    def samples(self) -> int | None:
        """How many pixels are seen; None where all are and their number is open."""
        if self.inside is None:
            return self.size if isinstance(self.size, int) else None
        return len(self.inside)

    def holes(self) -> tuple[tuple[int, int], ...]:
        """(first, last) of each stretch of pixels inside the span that are not seen."""
        return self.inside.gaps().runs() if self.inside else ()

    def clipped(self) -> tuple[int, int | None]:
        """Pixels from the first to the last of the field that lie before the input and beyond it (None: its size is open)."""
        if not self.field:
            return 0, 0
        length = self.field.last - self.field.first + 1
        beyond = min(length, max(0, self.field.last - self.size + 1)) if isinstance(self.size, int) else None
        return min(length, max(0, -self.field.first)), beyond


@dataclass(frozen=True, slots=True)
class View:
    """What one position of a layer's tensor sees, by input and by axis. Inputs that no path reaches are absent."""

    layer: str
    position: tuple[int, ...]
    inputs: Mapping[str, tuple[Seen, ...]]


def views(graph: Graph, asked: Sequence[tuple[str, Sequence[int]]], source: str = "") -> tuple[View, ...]:
    """What positions see that a user names: pairs of a layer and one index per spatial axis of its tensor.

    Spatial axes are those after batch and channels; where a position moves along others, as behind a transposition, these
    are. Negative indices count from the end: -1 is the last. Raises `UsageError` with all that is wrong.
    """
    every = sights(graph) if asked else {}
    found: list[View] = []
    wrong: list[Diagnostic] = []
    for layer, position in asked:
        try:
            found.append(_view(graph, every, layer, tuple(position)))
        except Refusal as refusal:
            wrong.append(refusal.at(Where(source)))
    if wrong:
        raise UsageError(dict.fromkeys(wrong))
    return tuple(found)


def _view(graph: Graph, every: Mapping[str, Sights], layer: str, position: tuple[int, ...]) -> View:
    node = _layer(graph, layer)
    axes = _axes(every[node.output], len(node.type.shape))
    sizes = tuple(node.type.shape[axis] for axis in axes)
    index = _index(position, sizes, node)
    start = dict(zip(axes, (Positions(i, 1) for i in index), strict=True))
    box = tuple(start.get(axis) for axis in range(len(node.type.shape)))
    endless, real = _walk(graph, node.output, box, clip=False), _walk(graph, node.output, box, clip=True)
    inputs = {
        name: tuple(
            Seen(endless[name][s.source], _inside(real.get(name), s.source), type.shape[s.source], s.reach.exact)
            for s in every[node.output][name]
        )
        for name, type in graph.inputs
        if name in endless and name in every[node.output]
    }
    return View(node.name, index, inputs)


def _inside(real: Box | None, axis: int) -> Along:
    return Positions() if real is None else real[axis]


def _layer(graph: Graph, layer: str) -> Node:
    """The node of this name, or the one that makes the tensor of this name."""
    known = {node.output: node for node in graph.nodes} | {node.name: node for node in graph.nodes}
    if layer not in known:
        fix = closest(layer, (node.name for node in graph.nodes), most=12)
        raise Refusal("unknown-layer", f"there is no layer {layer!r} to look from", "", fix)
    return known[layer]


def _axes(seen: Sights, rank: int) -> tuple[int, ...]:
    """The axes of a tensor of this rank that a position is told along."""
    moving = {s.axis for found in seen.values() for s in found if s.axis is not None and not s.reach.whole}
    usual = range(2, rank)
    return tuple(usual) if moving.issubset(usual) else tuple(sorted(moving))


def _index(position: tuple[int, ...], sizes: Sequence[Size], node: Node) -> tuple[int, ...]:
    """The indices from 0. Raises `Refusal` for too many, too few, and those that are not there."""
    asked = _named(node, position)
    if len(position) != len(sizes):
        given, axes = _counted(len(position), "number", "numbers"), _counted(len(sizes), "spatial axis", "spatial axes")
        middle = _named(node, [n // 2 if isinstance(n, int) else 0 for n in sizes])
        raise Refusal(
            "position",
            f"{asked} gives {given}, where {node.name!r} {shape_text(node.type.shape)} has {axes}",
            "a position has one number for each spatial axis",
            f"such as {middle}" if sizes else f"write {node.name} alone",
        )
    nearest = [_nearest(i, n) for i, n in zip(position, sizes, strict=True)]
    wrong = [at for at, (i, legal) in enumerate(zip(position, nearest, strict=True)) if i != legal]
    if wrong:
        said = " and ".join(f"{position[at]} along spatial axis {at}, which has {sizes[at]} positions" for at in wrong)
        raise Refusal(
            "position",
            f"{asked} asks for {said}",
            "indices count from 0, negative ones from the end where the size is known",
            f"the nearest is {_named(node, nearest)}",
        )
    return tuple(i if i >= 0 else i + int(n) for i, n in zip(position, sizes, strict=True))


def _named(node: Node, position: Sequence[int]) -> str:
    """As on the command line."""
    return f"{node.name}={','.join(map(str, position))}" if position else node.name


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _nearest(index: int, n: Size) -> int:
    """The legal index of an axis next to this one."""
    return min(max(index, -n), n - 1) if isinstance(n, int) else max(index, 0)


def _walk(graph: Graph, tensor: str, box: Box, *, clip: bool) -> dict[str, Box]:
    """From a box of a tensor back to the inputs, by input. `clip`: no tensor has positions beyond its first and its last."""
    types = graph.types()
    boxes: dict[str, tuple[Box, ...]] = {tensor: (box,)}
    for node in reversed(graph.nodes):
        for made in boxes.pop(node.output, ()):
            for name, read in zip(node.inputs, _read(node, made, types, clip), strict=True):
                if all(along is None or along for along in read):
                    boxes[name] = _with(boxes.get(name, ()), read)
    return {name: _hull(found) for name, found in boxes.items()}


def _read(node: Node, box: Box, types: Mapping[str, TensorType], clip: bool) -> list[Box]:
    """What a node reads of each of its inputs to make a box of its output."""
    shapes, read = shapes_of(node, types), []
    for x, footprint in zip(shapes, node.op.footprint(*shapes), strict=True):
        ways = (entry if isinstance(entry, To) else To(axis, entry) for axis, entry in enumerate(footprint))
        read.append(tuple(_along(way, box, node, n, clip) for way, n in zip(ways, x, strict=True)))
    return read


def _along(way: To, box: Box, node: Node, n: Size, clip: bool) -> Along:
    """What is read of an axis of n positions. One that lies along no axis of the output is read as for position 0."""
    step: Step = way.step
    if step in (WHOLE_AXIS, UNKNOWN):
        return Positions(0, 1) if n == 1 else None
    if step == UNSEEN:
        return Positions()
    out, outs = (Positions(0, 1), 1) if way.axis is None else (box[way.axis], node.type.shape[way.axis])
    if isinstance(step, str):
        assert step in (POINT, BROADCAST), (
            f"a step is a window, a family of positions or one of five words, not {step!r}"
        )
        return out if step == POINT else Positions(0, 1)
    if out is None and clip and isinstance(outs, int):
        out = Positions.all(outs)
    if out is None:
        return None
    read = out.through(step)
    return _clipped(read, node.op, n) if clip else read


def _clipped(read: Positions, op: Operator, n: Size) -> Along:
    """What is there of an axis of n positions. Reflected, repeated and wrapped padding is taken from it."""
    if not isinstance(n, int):
        return read.within(None)
    mode = op.mode if isinstance(op, Pad) else "edge" if _held(op) else "constant"
    kept = read.within(n) if mode == "constant" else read.folded(mode, n)
    return None if len(kept) == n else kept


def _held(op: Operator) -> bool:
    """Positions beyond the border are taken for the border's: as a resize does, unless it leaves them out."""
    if not isinstance(op, Resize) or op.coordinates == "tf_crop_and_resize":
        return False
    return op.sampling.mode == "nearest" or op.sampling.outside


def _with(boxes: tuple[Box, ...], new: Box) -> tuple[Box, ...]:
    """The boxes and one more. Where it holds another or is held by it, or differs along one axis alone, they become one."""
    for old in boxes:
        differing = [axis for axis, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
        united = _united(old, new)
        if len(differing) <= 1 or united in (old, new):
            return _with(tuple(box for box in boxes if box is not old), united)
    found = (*boxes, new)
    return found if len(found) <= MOST_BOXES else (_hull(found),)


def _hull(boxes: Sequence[Box]) -> Box:
    hull = boxes[0]
    for box in boxes[1:]:
        hull = _united(hull, box)
    return hull


def _united(one: Box, other: Box) -> Box:
    return tuple(None if a is None or b is None else a | b for a, b in zip(one, other, strict=True))
