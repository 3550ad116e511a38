"""Golden vectors: inputs, the outputs that must come of them, and by how much these may be off.

Two sets. ``model`` asks the model itself, with its own weights on seeded data. ``proof`` asks a twin of it: the same layers
and sizes, with weights that route whole numbers from input to output (`onnxconv.verify.routing`), so that the outputs
must be equal bit for bit at any depth, or within a small bound from the first layer that rounds. The twin shows what a
tolerance hides: a layout that is mixed up, a pad on the wrong side, arithmetic that is narrower than meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnxconv.dtypes import DTYPES
from onnxconv.embed.tolerance import Tolerance, carried, tolerances
from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.execute import run, seeded_inputs
from onnxconv.graph import Graph
from onnxconv.verify.plan import Plan, plan, plan_in_multiples
from onnxconv.verify.sizes import pinned
from onnxconv.weights import Weights, given

__all__ = ["IMAGES", "GoldenSet", "golden", "write"]

Array: TypeAlias = "npt.NDArray[Any]"

TINY = float(np.finfo(np.float64).tiny)

IMAGES = 2
"""Images in a set where their number is open: two, so that a mixed-up batch shows."""


@dataclass(frozen=True)
class GoldenSet:
    """Arrays by name, for the model called `model`; `weights` are those that it has there."""

    name: str
    model: str
    weights: Weights
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    tolerances: Mapping[str, Tolerance]


def golden(
    graph: Graph, weights: Weights, seed: int, arithmetic: str, before: tuple[Graph, Weights] | None = None
) -> Iterator[GoldenSet]:
    """The sets of a network; without ``proof`` where nothing would show in it.

    `before`: what it was made from by rewrites; the outputs of ``model`` are those of that. Raises `UsageError` where an output is not finite: no tolerance can be told of it.
    """
    sized = pinned(graph, IMAGES)
    inputs = seeded_inputs(sized, seed)
    expected = run(*(before or (sized, weights)), inputs)
    _demand_finite(expected)
    found = tolerances(sized, weights, inputs, expected, arithmetic)
    _demand_finite({name: np.array(tolerance.value) for name, tolerance in found.items()}, "the tolerance of ")
    yield GoldenSet("model", "model.onnx", weights, inputs, expected, found)
    if telling := _telling(_most_exact(graph, weights, seed), expected):
        yield telling


def _most_exact(graph: Graph, weights: Weights, seed: int) -> Plan:
    """The plan of the twin; where it rounds, that in whole multiples, in which means do not, if more is exact in it."""
    routed = plan(graph, weights, seed)
    other = plan_in_multiples(graph, weights, seed) if routed.inexact else None
    return routed if other is None or _blur(routed) <= _blur(other) else other


def _blur(routed: Plan) -> float:
    """The largest error of an output, relative to the largest number in it."""
    return max(
        float(y.slack().max(initial=0) / max(np.abs(y.value).max(initial=0), TINY)) for y in routed.outputs.values()
    )


def _demand_finite(arrays: Mapping[str, Array], of: str = "") -> None:
    found = {name: int((~np.isfinite(array)).sum()) for name, array in arrays.items()}
    why = "outputs are compared by their distance, which numbers alone have"
    fix = "give it weights or a seed (--seed) by which its outputs are finite"
    told = [
        Diagnostic(
            Where(), "not-finite", f"{of}output {name!r}: {n} of {arrays[name].size} numbers are not finite", why, fix
        )
        for name, n in found.items()
        if n
    ]
    if told:
        raise UsageError(told)


def _telling(routed: Plan, like: Mapping[str, Array]) -> GoldenSet | None:
    """The set of a routed twin; None where some output is constant, or could be anything."""
    limits = {name: float(y.slack().max(initial=0)) for name, y in routed.outputs.items()}
    values = {name: y.value for name, y in routed.outputs.items()}
    if routed.dead or not all(np.isfinite(y).all() for y in values.values()):
        return None
    if any(not limits[name] < np.abs(y).max(initial=0) for name, y in values.items()):
        return None
    outputs = {name: y.astype(like[name].dtype) for name, y in values.items()}
    said = f"carried from layer {routed.inexact} on, where the first rounding is"
    found = {name: carried(limits[name], said) for name in outputs}
    return GoldenSet("proof", "proof.onnx", given(routed.arrays), routed.inputs, outputs, found)


def write(sets: list[GoldenSet], folder: Path) -> dict[str, Any]:
    """Write each set twice, as raw little-endian ``.bin`` and in the layout of ONNX's node tests; what ``golden.json`` says."""
    return {"sets": [_written(one, folder) for one in sets]}


def _written(one: GoldenSet, folder: Path) -> dict[str, Any]:
    inputs = [
        _array(folder, f"{one.name}/input_{n}", name, array) for n, (name, array) in enumerate(one.inputs.items())
    ]
    outputs = [
        _array(folder, f"{one.name}/output_{n}", name, array) | _tolerance(one.tolerances[name])
        for n, (name, array) in enumerate(one.outputs.items())
    ]
    return {"name": one.name, "model": one.model, "inputs": inputs, "outputs": outputs}


def _tolerance(of: Tolerance) -> dict[str, Any]:
    return {"tolerance": of.value, "basis": of.basis}


def _array(folder: Path, stem: str, name: str, array: Array) -> dict[str, Any]:
    from onnx import numpy_helper

    file = folder / f"{stem}.bin"
    file.parent.mkdir(parents=True, exist_ok=True)
    little = np.ascontiguousarray(array)
    file.write_bytes(little.astype(little.dtype.newbyteorder("<"), copy=False).tobytes())
    proto = folder / Path(stem).parent / "test_data_set_0" / f"{Path(stem).name}.pb"
    proto.parent.mkdir(exist_ok=True)
    proto.write_bytes(numpy_helper.from_array(little, name).SerializeToString(deterministic=True))
    dtype = little.dtype.name
    assert dtype in DTYPES, f"{dtype} is a data type of tensors"
    return {"name": name, "dtype": dtype, "shape": list(little.shape), "file": f"{stem}.bin"}
