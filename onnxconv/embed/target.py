"""What is known of a target: its files, what a machine needs to run them, and what it cannot take."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnxconv.graph import Graph

__all__ = ["CHECKING", "Need", "Obstacle", "Target", "nothing"]


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a machine must have to run a bundle's check: a program, or a package of Python.

    `converts`: a bundle cannot be written without it either.
    """

    what: str
    fix: str
    program: str = ""
    module: str = ""
    found: Callable[[], bool] | None = None
    """For what is neither."""
    converts: bool = False

    def missing(self) -> bool:
        if self.found is not None:
            return not self.found()
        if self.program:
            return shutil.which(self.program) is None
        try:
            return importlib.util.find_spec(self.module) is None
        except ModuleNotFoundError:  # the package that the module is of
            return True


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What a target cannot take of a graph: the layer (empty: the graph as a whole), the reason, and the way round it.

    `rewrite`: the name of one of `onnxconv.embed.adapt.REWRITES` that removes it; empty where there is none.
    """

    layer: str
    reason: str
    rewrite: str = ""


CHECKING = ("README.md", "check*", "golden*", "proof*", "sha256.*", "compare.mjs", "disk.mjs", "index.html")
"""Files, as patterns, that a product does without."""


def nothing(_: Graph) -> Iterable[Obstacle]:
    """A target that takes every graph."""
    return ()


def _as_it_is(_: Path, __: dict[str, Any]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Target:
    """A runtime that bundles are made for.

    `files`: folders whose content is copied into every bundle. `check`: the command that checks a bundle, run in its
    folder; ``{python}`` stands for this interpreter. It exits with 0 where every output is right, 1 where one is wrong or a
    file was changed, 2 where it could not run; a line ``SET: loaded in X ms, ran in Y ms`` tells start-up. `checking`: patterns
    of the files that a product does without. `precision`: what the runner sets so that nothing is computed more
    narrowly than meant. `limits`: what the target does otherwise, in words. `obstacles`: what it cannot take of a graph.
    `convert`: makes the target's own files from ``model.onnx`` and ``proof.onnx`` in the bundle's folder, given what ``bundle.json``
    is going to say. `arithmetic`: the
    name in `onnxconv.verify.arithmetic` of what the runtime may compute in.
    """

    name: str
    title: str
    language: str
    files: Sequence[Path]
    check: Sequence[str]
    needs: Sequence[Need] = ()
    precision: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[str] = ()
    obstacles: Callable[[Graph], Iterable[Obstacle]] = nothing
    convert: Callable[[Path, dict[str, Any]], None] = _as_it_is
    arithmetic: str = "direct"
    checking: Sequence[str] = CHECKING

    def missing(self) -> tuple[Need, ...]:
        """What this machine lacks to check a bundle."""
        return tuple(need for need in self.needs if need.missing())

    def writable(self) -> bool:
        """Whether this machine has what it takes to write a bundle."""
        return not any(need.converts for need in self.missing())
