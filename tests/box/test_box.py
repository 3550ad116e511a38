"""What single positions see, at borders and inside, against NaN: what a NaN in a slab of input pixels spoils sees it."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from chains import chain
from moving import Repeat, Take, Turn, Widen
from receptive.test_nan_probing import Eighths, node, random_graph

from onnxconv.box import Seen, views
from onnxconv.execute import run
from onnxconv.geometry import Axis
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import PAD_MODES, Add, Conv, DepthToSpace, Opaque, Pad, SpaceToDepth


def probed(graph: Graph, source: str, axis: int) -> dict[str, np.ndarray]:
    """By tensor, [input position along `axis`, *positions of the tensor]: true where a NaN in that slab of pixels arrives."""
    n = int(dict(graph.inputs)[source].spatial[axis])
    arrays = {name: np.full((n, *map(int, type.shape[1:])), 0.5, np.float32) for name, type in graph.inputs}
    for i in range(n):
        arrays[source][(i, slice(None), *[slice(None)] * axis, i)] = np.nan
    inputs = tuple((name, TensorType(type.dtype, ("N", *type.shape[1:]))) for name, type in graph.inputs)
    tensors = run(Graph(graph.name, inputs, graph.nodes, graph.outputs), Eighths(), arrays, every_tensor=True)
    return {name: np.isnan(array).any(axis=1) for name, array in tensors.items()}


def pixels(seen: Seen | None) -> set[int]:
    """All that are told to be seen."""
    if seen is None or seen.span() is None:
        return set()
    (first, last), holes = seen.span() or (0, -1), {i for a, b in seen.holes() for i in range(a, b + 1)}
    told = set(range(first, last + 1)) - holes
    assert len(told) == seen.samples()
    return told


def compare(seed: int) -> int:
    """Assert that what is told of some positions of every tensor of a random graph is what NaN finds; how many were compared.

    Behind values that moved between channels and space it may be more: which pixel a channel holds depends on its number.
    """
    graph, draw = random_graph(seed), random.Random(seed)
    crossing = any(isinstance(layer.op, DepthToSpace | SpaceToDepth) for layer in graph.nodes)
    compared = 0
    spoilt = {
        (name, axis): probed(graph, name, axis) for name, type in graph.inputs for axis in range(len(type.spatial))
    }
    for layer in graph.nodes:
        sizes = [int(n) for n in layer.type.spatial]
        corner = [draw.choice((0, n - 1)) for n in sizes]
        for position in ([draw.randrange(n) for n in sizes], [draw.randrange(n) for n in sizes], corner):
            (view,) = views(graph, [(layer.name, position)])
            for (name, axis), found in spoilt.items():
                expected = set(np.flatnonzero(found[layer.output][(slice(None), *position)]).tolist())
                seen = view.inputs[name][axis] if name in view.inputs else None
                told = pixels(seen)
                place = (graph.name, layer.name, position, name, axis)
                assert expected == told or (crossing and expected < told), place
                compared += bool(expected)
    return compared


@pytest.mark.parametrize("block", range(6))
def test_positions_see_what_nan_finds(block: int) -> None:
    assert all(compare(seed) for seed in range(10 * block, 10 * block + 10))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_positions_see_what_nan_finds_on_1000_graphs(block: int) -> None:
    assert all(compare(seed) for seed in range(60 + 50 * block, 110 + 50 * block))


@pytest.mark.parametrize("mode", PAD_MODES)
def test_padding_that_is_no_constant_is_taken_from_the_input(mode: str) -> None:
    graph = chain((1, 1, 7, 6), Pad(((3, 2), (1, 4)), mode), Conv((Axis(2, 1, 2), Axis(1)), 1))
    spoilt = [probed(graph, "x", axis)["l1"] for axis in (0, 1)]
    for position in itertools.product(*map(range, spoilt[0].shape[1:])):
        (view,) = views(graph, [("l1", position)])
        for axis in (0, 1):
            assert pixels(view.inputs["x"][axis]) == set(np.flatnonzero(spoilt[axis][(slice(None), *position)])), (
                position
            )


LAST = Conv((Axis(3, 2, 1, (1, 1)), Axis(2, 1, 2, (2, 2))), 3)
MOVED = {
    "channels last": (chain((1, 7, 6, 2), Turn((0, 3, 1, 2)), LAST), (1, 2), (2, 3)),
    "rows along columns": (chain((1, 7, 6, 2), Turn((0, 3, 2, 1)), LAST, Turn((0, 2, 3, 1))), (1, 2), (1, 2)),
    "repeated": (chain((1, 1, 6, 5), Repeat(2, 3), Repeat(3, 2), LAST), (2, 3), (2, 3)),
    "sound without channels": (
        chain((1, 14), Widen(1), Conv((Axis(4, 3, 1, (2, 2)),), 3), Turn((0, 2, 1))),
        (1,),
        (1,),
    ),
    "one row": (chain((1, 1, 9, 8), LAST, Take(2, 1), Conv((Axis(3, 1, 1, (1, 1)),), 1)), (2, 3), (2,)),
}
"""A graph, the axes of its input that are told, and the axes of its output along which positions move."""


@pytest.mark.parametrize("case", MOVED)
def test_positions_are_followed_where_axes_move(case: str) -> None:
    graph, sources, moving = MOVED[case]
    x = graph.inputs[0][1]
    batched = Graph("b", (("x", TensorType("float32", ("N", *x.shape[1:]))),), graph.nodes, graph.outputs)
    for at, source in enumerate(sources):
        slabs = np.full((int(x.shape[source]), *map(int, x.shape[1:])), 0.5, np.float32)
        for i in range(len(slabs)):
            slabs[(i, *[slice(None)] * (source - 1), i)] = np.nan
        spoilt = np.isnan(run(batched, Eighths(), {"x": slabs})[graph.outputs[0]])
        found = spoilt.any(axis=tuple(axis for axis in range(1, spoilt.ndim) if axis not in moving))
        for position in itertools.product(*map(range, found.shape[1:])):
            (view,) = views(graph, [(graph.outputs[0], position)])
            assert len(view.inputs["x"]) == len(sources)
            assert pixels(view.inputs["x"][at]) == set(np.flatnonzero(found[(slice(None), *position)])), position


def test_paths_that_end_in_padding_along_one_axis_do_not_count_along_another() -> None:
    """One path reads a pixel above the image, far to the right; the other its own."""
    op = Conv((Axis(1, pad=(1, 0)), Axis(1, pad=(0, 5))), 1)
    graph = Graph("g", (("x", TensorType("float32", (1, 1, 5, 6))),), (), ("x",))
    shifted = node("shifted", op, ["x"], graph.types())
    same = node("same", Pad(((0, 1), (5, 0))), ["x"], graph.types())
    types = graph.types() | {n.output: n.type for n in (shifted, same)}
    graph = Graph("g", graph.inputs, (shifted, same, node("sum", Add(), ["shifted", "same"], types)), ("sum",))
    (view,) = views(graph, [("sum", (0, 5))])
    assert [pixels(seen) for seen in view.inputs["x"]] == [{0}, {0}]
    (view,) = views(graph, [("sum", (1, 5))])
    assert [pixels(seen) for seen in view.inputs["x"]] == [{0, 1}, {0, 5}]


def test_what_is_behind_an_operator_not_understood_is_not_exact() -> None:
    x = TensorType("float32", (1, 1, 8))
    opaque = Node("odd", Opaque("Odd", x.shape), ("x",), "odd", x)
    graph = Graph("g", (("x", x),), (opaque,), ("odd",))
    (view,) = views(graph, [("odd", (3,))])
    (seen,) = view.inputs["x"]
    assert (seen.exact, seen.field, seen.span()) == (False, None, (0, 7))
