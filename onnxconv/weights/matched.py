"""A file of arrays held against the parameters of a graph: every difference is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Diagnostic, WeightsError, Where, closest
from onnxconv.graph import Graph, Initial, Param, Quantised, ScaleOf
from onnxconv.weights.files import Stored, contents

__all__ = ["matched", "missing"]


def matched(graph: Graph, file: Path) -> dict[str, Stored]:
    """The arrays of a file that a graph is made from, by name. Raises `WeightsError` as `from_file` does."""
    stored = contents(file)
    wanted = {initial.name: (initial, _held(param)) for param in graph.params() for initial in param.stored()}
    found: list[Diagnostic] = []
    for name, (initial, dtype) in wanted.items():
        found += _compared(file, initial, dtype, stored.get(name), stored)
    for name in stored:
        if name not in wanted and not name.endswith(".num_batches_tracked"):
            what = f"{name!r} with shape {list(stored[name].shape)} belongs to no layer"
            found.append(Diagnostic(Where(str(file)), "superfluous-weight", what, "", _near(name, wanted)))
    if found:
        raise WeightsError(found)
    return stored


def missing(name: str, known: Mapping[str, object]) -> WeightsError:
    """That there is no array of that name among those known."""
    return WeightsError(Diagnostic(Where(), "missing-weight", f"there is no array {name!r}", "", _near(name, known)))


def _held(param: Param) -> str:
    """The data type of what a parameter is made from."""
    return _held(param.recipe.source) if isinstance(param.recipe, Quantised | ScaleOf) else param.dtype


def _compared(
    file: Path, initial: Initial, dtype: str, stored: Stored | None, known: Mapping[str, Stored]
) -> list[Diagnostic]:
    where = Where(str(file))
    if stored is None:
        what = f"{initial.name!r} with shape {list(initial.shape)} is not in the file"
        return [Diagnostic(where, "missing-weight", what, "", _near(initial.name, known))]
    if stored.shape != initial.shape:
        what = f"{initial.name!r} has shape {list(stored.shape)} in the file, the layer needs {list(initial.shape)}"
        fix = "transpose it" if stored.shape == initial.shape[::-1] else "use the file that belongs to this network"
        return [Diagnostic(where, "weight-shape", what, "", fix)]
    if dtype not in FLOATS and stored.holds != dtype:
        what = f"{initial.name!r} holds {stored.dtype}"
        return [Diagnostic(where, "weight-type", what, f"the layer computes with {dtype}", "convert it")]
    if dtype in FLOATS and not stored.number:
        what = f"{initial.name!r} holds {stored.dtype}"
        why = "weights are floating-point numbers: float16, bfloat16, float32 or float64"
        return [Diagnostic(where, "weight-type", what, why, "convert it")]
    return []


def _near(name: str, known: Mapping[str, object]) -> str:
    return closest(name, known) if 0 < len(known) <= 1000 else ""
