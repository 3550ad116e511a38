"""Convolutions of few channels over wide images, against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from execute.test_fast import alone, chain, planned, whole_numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxconv.execute import run
from onnxconv.execute.fast import Program, make_plan, sliding
from onnxconv.execute.fast.sliding import SlidingKernel
from onnxconv.geometry import Axis
from onnxconv.ops import Conv

pads = st.tuples(st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.builds(Axis, st.integers(2, 4), st.integers(1, 3), st.just(1), pads),
    st.builds(Axis, st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), pads),
    st.integers(1, 2),
    st.booleans(),
    st.sampled_from([1, 150, 1 << 18]),
    st.sampled_from(["float32", "float64", "float16"]),
)
def test_rows_are_those_of_the_definition(
    down: Axis, along: Axis, images: int, bias: bool, gathered: int, dtype: str
) -> None:
    graph, _ = alone(Conv((down, along), 5, bias=bias), (images, 3, 9, 8), dtype)
    w, inputs = whole_numbers(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sliding, "WIDE", 1)
        patch.setattr(sliding, "GATHERED", gathered)
        plan = make_plan(graph, w, {"x": (images, 3, 9, 8)})
    assert isinstance(plan.steps[0].kernel, SlidingKernel)
    expected = run(graph, w, inputs)["y"]
    for threads in (1, 2):
        np.testing.assert_array_equal(Program(plan, threads).run(inputs)["y"], expected)


@pytest.mark.parametrize(
    ("op", "channels", "side"),
    [
        (Conv((Axis(3), Axis(3)), 6, groups=3), 3, 110),
        (Conv((Axis(3), Axis(3)), 4), 33, 110),
        (Conv((Axis(3), Axis(3)), 4), 3, 97),
        (Conv((Axis(1), Axis(3)), 4), 3, 110),
        (Conv((Axis(3, dilation=2), Axis(3)), 4), 3, 110),
    ],
)
def test_where_it_does_not_pay(op: Conv, channels: int, side: int) -> None:
    graph = chain(("y", op, ("x",)), shape=(1, channels, side, side), outputs=("y",))
    w, inputs = whole_numbers(graph)
    plan = make_plan(graph, w, {"x": inputs["x"].shape})
    assert not isinstance(plan.steps[0].kernel, SlidingKernel)


def test_a_stem_is_one_where_it_pays() -> None:
    stem = Conv((Axis(7, 2, pad=(3, 3)),) * 2, 8)
    graph = chain(("y", stem, ("x",)), shape=(1, 3, 224, 224), outputs=("y",))
    w, inputs = whole_numbers(graph)
    plan = make_plan(graph, w, {"x": (1, 3, 224, 224)})
    assert isinstance(plan.steps[0].kernel, SlidingKernel)
    assert len(plan.steps[0].kernel.blocks) > 1
    np.testing.assert_array_equal(planned(graph, w, inputs)["y"], run(graph, w, inputs)["y"])
