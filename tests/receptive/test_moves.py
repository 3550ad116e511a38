"""What the outputs of operators that move values see, against NaN, along every axis: batch, channels and space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from chains import chain

from onnxconv.execute import run
from onnxconv.geometry import Axis, Sampling
from onnxconv.graph import Graph
from onnxconv.ops import (
    END,
    Add,
    ChannelShuffle,
    Concat,
    Conv,
    DepthToSpace,
    Expand,
    Flatten,
    Gather,
    Operator,
    Range,
    Rescale,
    Reshape,
    Resize,
    Shape,
    Slice,
    SpaceToDepth,
    Squeeze,
    Tile,
    Transpose,
    Unsqueeze,
)
from onnxconv.receptive import Sight, follow, sights
from onnxconv.weights import seeded

X: Shape = (2, 4, 6, 8)
CHAINS: list[tuple[Shape, tuple[Operator, ...]]] = [
    (X, (Transpose((0, 3, 1, 2)),)),
    (X, (Transpose((3, 2, 1, 0)), Slice((Range(1, 1, 5, 2),)))),
    (X, (Reshape((2, 24, 8)),)),
    (X, (Reshape((2, 4, 48)), Slice((Range(2, 5, END, 3),)))),
    (X, (Reshape((2, 4, 2, 3, 8)),)),
    (X, (Reshape((2, 4, 6, 4, 2)), Transpose((0, 1, 4, 2, 3)), Reshape((2, 8, 6, 4)))),
    (X, (Reshape((2, 4, 8, 6)),)),
    (X, (Reshape((2, 2, 2, 6, 8)), Transpose((0, 2, 1, 3, 4)), Reshape((2, 4, 6, 8)))),
    (X, (Flatten(2),)),
    (X, (Flatten(3),)),
    ((2, 1, 6, 1), (Squeeze((1, 3)), Unsqueeze((0, 2)))),
    (X, (Slice((Range(2, 1, -1), Range(3, -1, -END, -2), Range(1, 0, END, 3))),)),
    (X, (Slice((Range(3, 6, 1, -3),)), Slice((Range(2, 4, -END, -2),)))),
    (X, (Gather((5, 0, 2), (3,), 2),)),
    (X, (Gather((1, 3, 5), (3,), 2), Gather((1, 0), (2,), 2))),
    (X, (Gather((3,), (), 3),)),
    (X, (Gather((0, 7, 2, 3), (2, 2), 3),)),
    ((2, 1, 6, 1), (Expand((2, 3, 6, 4)),)),
    ((2, 4, 6), (Expand((3, 1, 1, 1)),)),
    (X, (Tile((1, 1, 2, 3)),)),
    (X, (Tile((1, 1, 2, 1)), Slice((Range(2, 3, 9, 2),)))),
    (X, (ChannelShuffle(2),)),
    ((1, 12, 3), (ChannelShuffle(3), ChannelShuffle(4))),
    (X, (DepthToSpace(2),)),
    (X, (DepthToSpace(2, "CRD"),)),
    ((1, 8, 3, 2), (DepthToSpace(2, "CRD"), Slice((Range(2, 1, END, 2),)))),
    (X, (SpaceToDepth(2),)),
    (X, (SpaceToDepth(2, "CRD"),)),
    (X, (Resize((Rescale(2, (2, 1)), Rescale(3, (1, 2))), Sampling(nearest="floor"), "asymmetric"),)),
    (X, (Resize((Rescale(2, (2, 3)), Rescale(3, (5, 4)))),)),
    (X, (Concat(2), Slice((Range(2, 4, 15, 3),)))),
    (X, (Concat(1), Concat(3))),
]  # fmt: skip


def spoilt(graph: Graph, axis: int) -> dict[str, np.ndarray]:
    """By tensor, an array per position of an axis of the input: true where a NaN in that slab of pixels arrives."""
    ((name, type),) = graph.inputs
    found: dict[str, list[np.ndarray]] = {}
    for position in range(int(type.shape[axis])):
        x = np.zeros([int(n) for n in type.shape], np.float32)
        x[(slice(None),) * axis + (position,)] = np.nan
        for tensor, y in run(graph, seeded(), {name: x}, every_tensor=True).items():
            found.setdefault(tensor, []).append(np.isnan(y))
    return {tensor: np.stack(arrays) for tensor, arrays in found.items()}


def seen(sight: Sight, position: int, n: int) -> set[int]:
    if sight.reach.whole:
        return set(range(n))
    first, mask = sight.reach.at(position)
    return {first + bit for bit in range(mask.bit_length()) if mask >> bit & 1} & set(range(n))


@pytest.mark.parametrize(("x", "ops"), CHAINS, ids=[f"{i}-{ops[0].kind}" for i, (_, ops) in enumerate(CHAINS)])
def test_what_moved_values_see(x: Shape, ops: tuple[Operator, ...]) -> None:
    graph = chain(x, *ops)
    compared = 0
    every = sights(graph)
    for axis in range(1, len(x)):
        arrays = spoilt(graph, axis)
        for node in graph.nodes:
            sight = next((s for s in every[node.output]["x"] if s.source == axis), None)
            if sight is None:
                continue
            marks = arrays[node.output]
            kept = 0 if sight.axis is None else 1 + sight.axis
            over = tuple(a for a in range(1, marks.ndim) if a != kept)
            table = marks.any(axis=over).reshape(len(marks), -1)
            for position in range(table.shape[1]):
                found = set(np.flatnonzero(table[:, position]).tolist())
                expected = seen(sight, position, len(marks))
                assert found == expected if sight.reach.exact else found <= expected, (node.name, axis, position)
                compared += 1
    assert compared > 1


def test_a_split_axis_is_an_upper_bound() -> None:
    """Seen along the outer part alone, a block of it is seen; which pixel of it, the inner part tells."""
    (only,) = chain((1, 2, 12), Reshape((1, 2, 4, 3))).nodes
    sight = sights(chain((1, 2, 12), Reshape((1, 2, 4, 3))))[only.output]["x"][0]
    assert (sight.reach.size(), sight.reach.stride(), sight.reach.exact) == (3, 3, False)


def test_the_channels_of_a_position_are_taken_together() -> None:
    """Back from channels to space, each pixel sees itself alone; what is said is the block that all channels saw."""
    graph = chain((1, 2, 4, 4), SpaceToDepth(2), DepthToSpace(2))
    sight = sights(graph)["l1"]["x"][0]
    assert (sight.reach.size(), sight.reach.stride()) == (2, 1)
    assert sight.reach.at(0) == sight.reach.at(1) == (0, 3)


def test_what_no_later_node_reads_is_forgotten() -> None:
    """Along a chain one tensor is needed at a time, and the one that is made of it; what is told is the same."""
    graph = chain((1, 2, 40), *[Conv((Axis(3),), 2)] * 10)
    every = sights(graph)
    inputs, nodes = follow(graph)
    known = []
    for at in nodes:
        assert {*at.node.inputs, at.node.output} <= set(at.seen)
        assert all(at.seen[tensor] == every[tensor] for tensor in at.seen)
        known.append(len(at.seen))
    assert inputs["x"] == every["x"]
    assert known == [2] * 10


def test_what_is_read_late_is_kept_until_then() -> None:
    layers = [Conv((Axis(3, 1, 1, (1, 1)),), 2)] * 4
    graph = chain((1, 2, 40), *layers, Add())
    last = graph.nodes[-1]
    graph = replace(graph, nodes=(*graph.nodes[:-1], replace(last, inputs=("x", "l0", "l3"))))
    known = [sorted(at.seen) for at in follow(graph)[1] if at.node.output != "l1"]
    assert known == [["l0", "x"], *(["l0", f"l{i - 1}", f"l{i}", "x"] for i in (2, 3)), ["l0", "l3", "l4", "x"]]
