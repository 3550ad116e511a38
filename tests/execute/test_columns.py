"""Columns of a matrix, gathered a row of pixels or all rows at a time, against windows counted out one by one."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from execute.test_fast import SAME, chain, planned, whole_numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxconv.execute import run
from onnxconv.execute.fast import Program, columns, make_plan
from onnxconv.execute.fast.columns import columns_of
from onnxconv.execute.fast.conv import ColumnsKernel
from onnxconv.geometry import Axis
from onnxconv.ops import Conv, Relu


@st.composite
def readings(draw: st.DrawFn) -> tuple[tuple[Axis, ...], tuple[int, ...], tuple[slice, ...]]:
    """A window, the sizes of an input and a box of outputs, often as many as there are inputs."""
    window, sizes = [], []
    for _ in range(draw(st.integers(1, 3))):
        k, d = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        same = draw(st.integers(0, 3)) > 0
        begin = draw(st.integers(0, d * (k - 1))) if same else draw(st.integers(0, 3))
        end = d * (k - 1) - begin if same else draw(st.integers(0, 3))
        window.append(Axis(k, 1 if same else draw(st.integers(1, 3)), d, (begin, end)))
        sizes.append(draw(st.integers(1, 6)) + (0 if same else d * (k - 1)))
    outs = [int(axis.out_size(n)) for axis, n in zip(window, sizes, strict=True)]
    first = draw(st.integers(0, outs[0] - 1))
    rows = slice(first, draw(st.integers(first + 1, outs[0])))
    return tuple(window), tuple(sizes), (rows, *(slice(0, n) for n in outs[1:]))


def counted_out(x: np.ndarray, window: tuple[Axis, ...], box: tuple[slice, ...]) -> np.ndarray:
    """[C · taps, positions], each number looked up where its output's tap is."""
    rows = []
    for channel in x:
        for taps in product(*(range(axis.size) for axis in window)):
            for at in product(*(range(part.start, part.stop) for part in box)):
                place = [a.position(o, t) for a, o, t in zip(window, at, taps, strict=True)]
                inside = all(0 <= p < n for p, n in zip(place, channel.shape, strict=True))
                rows.append(channel[tuple(place)] if inside else 0.0)
    return np.array(rows).reshape(len(x) * math.prod(axis.size for axis in window), -1)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(readings(), st.sampled_from([1, 2, 3]), st.booleans(), st.booleans())
def test_columns_are_what_windows_read(
    case: tuple[tuple[Axis, ...], tuple[int, ...], tuple[slice, ...]], groups: int, copied: bool, sliced: bool
) -> None:
    window, sizes, box = case
    made = columns_of(window, sizes, box, copied=copied)
    values = np.arange(1, 1 + 2 * groups * math.prod(sizes), dtype=np.float32).reshape(2 * groups, *sizes)
    x = np.full((2 * groups, *(n + sliced for n in sizes)), np.nan, np.float32)[(..., *(slice(0, n) for n in sizes))]
    x[...] = values  # part of something larger
    expected = counted_out(values, window, box)
    scratch = np.full(made.scratch(len(x)), np.nan, np.float32)
    out = np.full((groups, expected.shape[0] // groups + 1, expected.shape[1]), np.nan, np.float32)
    for call in made.gather(x, out[:, :-1], scratch):
        call()
    np.testing.assert_array_equal(out[:, :-1].reshape(expected.shape), expected)
    assert np.isnan(out[:, -1]).all()
    if copied:
        for call in made.gather(x, out[:, :-1], scratch, np.float32(3)):
            call()
        shifted = counted_out(values - 3, window, box)
        np.testing.assert_array_equal(out[:, :-1].reshape(expected.shape), shifted)


def test_short_rows_are_gathered_together_and_long_ones_one_by_one() -> None:
    box = (slice(0, 5), slice(0, columns.SHORT))
    short = columns_of(SAME, (9, columns.SHORT), box)
    assert short.edges is not None
    assert len(short.edges) == 2  # the first and the last tap of a row
    assert columns_of(SAME, (9, columns.SHORT + 1), (slice(0, 5), slice(0, columns.SHORT + 1))).edges is None


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("axis", [Axis(3, pad=(1, 1)), Axis(3, 2, pad=(1, 0)), Axis(2)])
def test_small_images_are_gathered_in_a_step_that_two_share(axis: Axis, bias: bool) -> None:
    layers = (("c", Conv((axis, axis), 130, bias=bias), ("x",)), ("y", Relu(), ("c",)))
    graph = chain(*layers, shape=(1, 3, 9, 8), outputs=("y",))
    w, inputs = whole_numbers(graph)
    plan = make_plan(graph, w, {"x": (1, 3, 9, 8)})
    gathering, product = plan.steps
    assert isinstance(gathering.kernel, ColumnsKernel)
    assert gathering.output == "y columns"
    assert product.reads == ("y columns",)
    assert product.nodes == ("c", "y")
    assert plan.shapes["y columns"][1] == 3 * axis.size**2 + bias
    expected = run(graph, w, inputs, arithmetic="float64")["y"]
    for threads in (1, 2):
        np.testing.assert_array_equal(Program(plan, threads).run(inputs)["y"], expected)


def test_a_tensor_may_have_the_name_of_columns() -> None:
    layers = (("c", Conv(SAME, 130), ("x",)), ("c columns", Relu(), ("x",)))
    graph = chain(*layers, shape=(1, 3, 5, 5), outputs=("c", "c columns"))
    w, inputs = whole_numbers(graph)
    found, expected = planned(graph, w, inputs), run(graph, w, inputs, arithmetic="float64")
    for name in graph.outputs:
        np.testing.assert_array_equal(found[name], expected[name])


def test_settings_of_numpy_are_as_they_were() -> None:
    graph = chain(("y", Relu(), ("x",)), shape=(1, 3, 5, 5), outputs=("y",))
    w, inputs = whole_numbers(graph)
    before = np.setbufsize(4096)
    try:
        with np.errstate(over="raise"):
            planned(graph, w, inputs)
            assert np.geterr()["over"] == "raise"
            assert np.getbufsize() == 4096
    finally:
        np.setbufsize(before)
