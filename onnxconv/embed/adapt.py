"""Ways round what a target cannot take: rewrites of a graph that change no output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from onnxconv.embed.target import Obstacle, Target
from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.graph import Graph
from onnxconv.verify.sizes import pinned

__all__ = ["REWRITES", "Rewrite", "adapted"]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What it does, in words, and doing it."""

    says: str
    of: Callable[[Graph], Graph]


REWRITES: Mapping[str, Rewrite] = {
    "fixed-sizes": Rewrite("one image, and a number for every size that is open", pinned),
}
"""By the name that an `Obstacle` refers to."""


def adapted(graph: Graph, target: Target, adapt: bool) -> tuple[Graph, tuple[str, ...]]:
    """The graph as the target takes it, and what was done to it. Raises `UsageError` with all obstacles that stand."""
    obstacles = (*_unreadable(graph), *target.obstacles(graph))
    ways = tuple(dict.fromkeys(found.rewrite for found in obstacles if found.rewrite))
    if not adapt or any(not found.rewrite for found in obstacles):
        _refuse(obstacles, target)
        return graph, ()
    for way in ways:
        graph = REWRITES[way].of(graph)
    _refuse(tuple(target.obstacles(graph)), target)
    return graph, tuple(REWRITES[way].says for way in ways)


def _unreadable(graph: Graph) -> Iterator[Obstacle]:
    """Golden vectors of a data type that no runner's language has."""
    types = graph.types()
    for name in (*(name for name, _ in graph.inputs), *graph.outputs):
        if types[name].dtype == "bfloat16":
            yield Obstacle("", f"is checked on arrays without bfloat16, which {name!r} is of")


def _refuse(obstacles: tuple[Obstacle, ...], target: Target) -> None:
    if obstacles:
        raise UsageError(_told(found, target) for found in obstacles)


def _told(found: Obstacle, target: Target) -> Diagnostic:
    where = f"layer {found.layer!r}" if found.layer else "the model"
    fix = f"--adapt: {REWRITES[found.rewrite].says}" if found.rewrite else ""
    return Diagnostic(Where(), "target", f"{where}: {target.title} {found.reason}", "", fix)
