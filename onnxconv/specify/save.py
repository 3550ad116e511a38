"""A spec and its weights as files, read back before they appear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.files import whole_folder
from onnxconv.graph import Graph, Initial, Number, Param, Transposed
from onnxconv.resolve import resolve
from onnxconv.spec import read
from onnxconv.specify.proof import Pairs
from onnxconv.weights import Weights, from_file
from onnxconv.weights.store import write_safetensors

__all__ = ["Specified", "save", "weights_path"]


@dataclass(frozen=True, slots=True)
class Specified:
    """The text of a spec, the graph that it resolves to, and the parameters of both graphs that belong together.

    `remarks`: what is not as it was, in words.
    """

    text: str
    graph: Graph
    pairs: Pairs
    remarks: tuple[str, ...]


def weights_path(path: Path) -> Path:
    """Where the weights of the spec at `path` go."""
    return path.with_suffix(".safetensors")


def save(specified: Specified, weights: Weights, path: Path) -> None:
    """Write the spec to `path` and its weights beside it. `weights`: those of the graph that it was made from.

    Both are read back first. Raises `UsageError` where nothing can be written.
    """
    if not path.parent.is_dir():
        what, fix = (
            f"{path} cannot be written: there is no folder {path.parent}",
            "choose a path in a folder that is there",
        )
        raise UsageError(Diagnostic(Where(), "cannot-write", what, "", fix))
    with whole_folder(path.parent) as hidden:
        spec, arrays = hidden / path.name, hidden / weights_path(path).name
        spec.write_text(specified.text, encoding="utf-8")
        with arrays.open("wb") as stream:
            write_safetensors(_stored(specified.pairs), weights, stream)
        again = resolve(read(spec))
        assert again == specified.graph, "what was written says what was resolved"
        there = from_file(again, arrays)
        for old, new in specified.pairs:
            mine, theirs = weights.chunks(old), there.chunks(new)
            assert all(a == b for a, b in zip(mine, theirs, strict=True)), f"{new.name} is the weight that it was"


def _stored(pairs: Pairs) -> Iterator[tuple[str, Param, bool]]:
    """The arrays that the spec does not say, by the names that it stores them under, and whether with axes exchanged."""
    for old, new in pairs:
        match new.recipe:
            case Initial(name=name) | Transposed(source=Initial(name=name)):
                yield name, old, isinstance(new.recipe, Transposed)
            case recipe:
                assert isinstance(recipe, Number), "a spec that was written folds and ties nothing"
