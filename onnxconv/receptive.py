"""Who sees what: for every tensor, the positions of each graph input that one of its positions depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from onnxconv.geometry import IDENTITY, WHOLE, Axis, Reach, Size, TransposedAxis, held, through, union
from onnxconv.graph import Graph, Node, TensorType, shapes_of
from onnxconv.ops import BROADCAST, POINT, WHOLE_AXIS

__all__ = ["Reaches", "receptive_fields"]

Reaches: TypeAlias = "dict[str, tuple[Reach, ...]]"
"""By graph input: one `Reach` per spatial axis of that input, outermost first. Inputs not seen are absent."""


def receptive_fields(graph: Graph) -> dict[str, Reaches]:
    """What a position of every tensor sees of every graph input, by tensor; exact away from the borders.

    A path that sees nothing along one axis sees nothing at all. A tensor without spatial axes keeps the reaches of the tensor it was flattened from. An axis that is seen as a whole
    is `WHOLE`, unless it is one position long: then it is that position.
    """
    types = graph.types()
    seen: dict[str, Reaches] = {name: {name: (IDENTITY,) * len(type.spatial)} for name, type in graph.inputs}
    for node in graph.nodes:
        seen[node.output] = _joined(node, seen, types)
    return seen


def _joined(node: Node, seen: Mapping[str, Reaches], types: Mapping[str, TensorType]) -> Reaches:
    paths: dict[str, list[tuple[Reach, ...]]] = {}
    footprints = node.op.footprint(*shapes_of(node, types))
    for tensor, footprint in zip(node.inputs, footprints, strict=True):
        for name, reaches in seen[tensor].items():
            path = reaches if not footprint else _through(reaches, footprint, types[tensor].spatial)
            if not any(reach.sees_nothing for reach in path):
                paths.setdefault(name, []).append(path)
    return {name: tuple(union(axis) for axis in zip(*found, strict=True)) for name, found in paths.items()}


def _through(
    reaches: tuple[Reach, ...], footprint: tuple[Axis | TransposedAxis | str, ...], sizes: tuple[Size, ...]
) -> tuple[Reach, ...]:
    return tuple(_along(reach, step, n) for reach, step, n in zip(reaches, footprint, sizes, strict=True))


def _along(reach: Reach, step: Axis | TransposedAxis | str, n: Size) -> Reach:
    if not isinstance(step, str):
        return through(reach, step)
    if step == BROADCAST:
        return held(reach)
    if step == POINT or n == 1:
        return reach
    assert step == WHOLE_AXIS, f"a footprint is a window, a point, broadcast or the whole axis, not {step!r}"
    return WHOLE if reach.aligned else Reach((), aligned=False, whole=True)
