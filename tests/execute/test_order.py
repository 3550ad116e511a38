"""Average pools and 1 × 1 convolutions, in either order."""

from __future__ import annotations

import numpy as np
import pytest
from execute.single import node
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxconv.execute import run
from onnxconv.execute.fast import Program, make_plan
from onnxconv.geometry import Axis
from onnxconv.graph import Graph, TensorType
from onnxconv.ops import AveragePool, Conv, Operator, Relu

ONE = (Axis(1),) * 2
HALVES = AveragePool((Axis(2, 2),) * 2)
SAME = AveragePool((Axis(3, pad=(1, 1)),) * 2)


def chain(*ops: Operator, shape: tuple[int, ...], dtype: str = "float32", outputs: tuple[str, ...] = ()) -> Graph:
    inputs, nodes, before = (("x", TensorType(dtype, shape)),), [], "x"
    for place, op in enumerate(ops):
        nodes.append(node(f"n{place}", op, (before,), shape, dtype=dtype))
        shape, before = nodes[-1].type.shape, nodes[-1].output
    return Graph("chain", inputs, tuple(nodes), (before, *outputs))


def kinds(graph: Graph, shape: tuple[int, ...], *, every_tensor: bool = False) -> list[str]:
    """The operators of the plan's steps, each by its node's name."""
    w = {p: np.zeros(p.shape, p.dtype) for p in graph.params()}
    plan = make_plan(graph, w, {"x": shape}, every_tensor=every_tensor)
    by_name = {n.name: n.op.kind for n in graph.nodes}
    return [by_name[name] for step in plan.steps for name in step.nodes]


def test_channels_are_summed_first_where_that_leaves_fewer_to_average() -> None:
    shape = (1, 16, 9, 8)
    assert kinds(chain(SAME, Conv(ONE, 4, bias=False), Relu(), shape=shape), shape) == [
        "Conv",
        "AveragePool",
        "Relu",
    ]
    assert kinds(chain(SAME, Conv(ONE, 64, bias=False), shape=shape), shape) == ["AveragePool", "Conv"]
    assert kinds(chain(Conv(ONE, 8, bias=False), HALVES, shape=(1, 16, 64, 64)), (1, 16, 64, 64)) == [
        "Conv",
        "AveragePool",
    ]
    wide = (1, 256, 28, 28)
    assert kinds(chain(Conv(ONE, 256, bias=False), HALVES, shape=wide), wide) == ["AveragePool", "Conv"]


@pytest.mark.parametrize(
    ("ops", "outputs"),
    [
        ((SAME, Conv(ONE, 4, bias=True)), ()),
        ((SAME, Conv(ONE, 4, groups=4, bias=False)), ()),
        ((SAME, Conv((Axis(1, 2),) * 2, 4, bias=False)), ()),
        ((SAME, Conv((Axis(1, pad=(1, 1)),) * 2, 4, bias=False)), ()),
        ((SAME, Conv(ONE, 4, bias=False)), ("n0",)),
    ],
    ids=["bias", "groups", "stride", "pad", "read elsewhere"],
)
def test_what_does_not_commute_stays(ops: tuple[Operator, ...], outputs: tuple[str, ...]) -> None:
    shape = (1, 16, 9, 8)
    assert kinds(chain(*ops, shape=shape, outputs=outputs), shape) == ["AveragePool", "Conv"]


def test_what_is_asked_for_or_narrow_stays() -> None:
    shape = (1, 16, 9, 8)
    graph = chain(SAME, Conv(ONE, 4, bias=False), shape=shape)
    assert kinds(graph, shape, every_tensor=True) == ["AveragePool", "Conv"]
    assert kinds(chain(SAME, Conv(ONE, 4, bias=False), shape=shape, dtype="float16"), shape) == [
        "AveragePool",
        "Conv",
    ]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_either_order_is_the_definition(data: st.DataObject) -> None:
    """Exact on whole numbers where windows have four pixels, else as far as rounding goes."""
    exact = data.draw(st.booleans())
    axis = Axis(2, data.draw(st.integers(1, 2))) if exact else Axis(3, data.draw(st.integers(1, 3)), pad=(1, 0))
    pool = AveragePool((axis,) * 2, count_include_pad=data.draw(st.booleans()))
    channels, filters = data.draw(st.sampled_from([(16, 2), (2, 16), (7, 5), (64, 64)]))
    ops = [pool, Conv(ONE, filters, bias=False)]
    if data.draw(st.booleans()):
        ops = [Conv(ONE, filters, bias=False), pool]
    shape = (data.draw(st.integers(1, 2)), channels, 9, 8)
    graph = chain(*ops, Relu(), shape=shape)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    w = {p: rng.integers(-8, 9, p.shape).astype(p.dtype) for p in graph.params()}
    x = {"x": rng.integers(-64, 65, shape).astype("float32")}
    (expected,), (found,) = run(graph, w, x).values(), Program(make_plan(graph, w, {"x": shape}), 1).run(x).values()
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if exact else 1e-5 * 64 * 8 * channels)
