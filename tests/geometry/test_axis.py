"""Window arithmetic against sliding windows by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import loops

from onnxconv.errors import Refusal
from onnxconv.geometry import (
    Axis,
    TransposedAxis,
    causal_pads,
    ceil_axis,
    full_pads,
    pads_reaching,
    same_pads,
)

small = st.integers(1, 6)
pads = st.tuples(st.integers(0, 7), st.integers(0, 7))
axes = st.builds(Axis, small, small, small, pads)
transposed = st.builds(
    lambda size, stride, dilation, pad, extra: TransposedAxis(
        size, stride, dilation, pad, extra % max(stride, dilation)
    ),
    small,
    small,
    small,
    pads,
    st.integers(0, 5),
)
pixels = st.integers(1, 25)


def fits(axis: Axis | TransposedAxis, n: int) -> bool:
    try:
        axis.out_size(n)
    except Refusal:
        return False
    return True


@given(axes, pixels)
def test_out_size_counts_the_places_of_the_window(axis: Axis, n: int) -> None:
    places = loops.count_windows(n, axis.size, axis.stride, axis.dilation, *axis.pad)
    if places:
        assert axis.out_size(n) == places
    else:
        with pytest.raises(Refusal, match="does not fit"):
            axis.out_size(n)


@given(axes, pixels)
def test_valid_taps_unused_end_and_blind_outputs_by_counting(axis: Axis, n: int) -> None:
    assume(fits(axis, n))
    outs = int(axis.out_size(n))
    read = [[o * axis.stride - axis.pad[0] + k * axis.dilation for k in range(axis.size)] for o in range(outs)]
    real = [[i for i in row if 0 <= i < n] for row in read]
    assert axis.valid_taps(n) == sum(map(len, real))
    assert axis.blind(n) == sum(not row for row in real)
    assert axis.unused_end(n) == max(0, n - 1 - read[-1][-1])


def test_long_axes_are_counted_without_walking_along_them() -> None:
    n = 1 << 40
    assert Axis(3, 1, 2, (10, 10)).blind(n) == 12
    assert Axis(3, 1, 2, (10, 10)).valid_taps(n) == 3 * n


@given(transposed, pixels)
def test_transposed_sizes_taps_sources_and_overlaps_by_spreading(axis: TransposedAxis, n: int) -> None:
    assume(fits(axis, n))
    spread = (n - 1) * axis.stride + (axis.size - 1) * axis.dilation + 1 + axis.output_pad
    outs = spread - sum(axis.pad)
    assert axis.out_size(n) == outs
    hits = [
        (i, i * axis.stride + k * axis.dilation - axis.pad[0])
        for i in range(-50, n + 50)
        for k in range(axis.size)
    ]  # fmt: skip
    assert axis.valid_taps(n) == sum(0 <= i < n and 0 <= o < outs for i, o in hits)
    for out in range(min(outs, 8)):
        assert axis.sources(out) == sorted(i for i, o in hits if o == out)
    reaching = {sum(o == phase - axis.pad[0] + 20 * axis.stride for _, o in hits) for phase in range(axis.stride)}
    assert axis.overlaps() == tuple(sorted(reaching))


def matrix(axis: Axis | TransposedAxis, n: int) -> np.ndarray:
    """The axis as a matrix [outputs, pixels] of the number of taps."""
    rows = np.zeros((int(axis.out_size(n)), n), int)
    for k in range(axis.size):
        for i in range(len(rows)) if isinstance(axis, Axis) else range(n):
            at = i * axis.stride - axis.pad[0] + k * axis.dilation
            out, pixel = (i, at) if isinstance(axis, Axis) else (at, i)
            if 0 <= out < len(rows) and 0 <= pixel < n:
                rows[out, pixel] += 1
    return rows


@given(st.one_of(axes, transposed), pixels, st.data())
def test_a_slab_makes_exactly_its_outputs(axis: Axis | TransposedAxis, n: int, data: st.DataObject) -> None:
    assume(fits(axis, n))
    whole = matrix(axis, n)
    first = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(first + 1, len(whole)))
    read, part = axis.slab(n, first, stop)
    assert 0 <= read.start <= read.stop <= n
    expected = whole[first:stop]
    assert not expected[:, : read.start].any()
    assert not expected[:, read.stop :].any()
    assert part.out_size(read.stop - read.start) == stop - first
    np.testing.assert_array_equal(matrix(part, read.stop - read.start), expected[:, read])


@given(transposed, pixels)
def test_what_is_cut_off_an_uncropped_axis_leaves_the_axis(axis: TransposedAxis, n: int) -> None:
    assume(fits(axis, n))
    whole, (begin, end) = axis.uncropped()
    assert (whole.pad, whole.output_pad) == ((0, 0), 0)
    rows = np.zeros((int(whole.out_size(n)), n), int)
    for tap in range(axis.size):  # those that it has more are zeros
        for pixel in range(n):
            rows[pixel * whole.stride + tap * whole.dilation, pixel] += 1
    np.testing.assert_array_equal(rows[begin : len(rows) - end], matrix(axis, n))


@given(pixels, small, small, small, st.booleans())
def test_same_pads_give_the_quotient_rounded_up(n: int, size: int, stride: int, dilation: int, lower: bool) -> None:
    extent = dilation * (size - 1) + 1
    found = same_pads(n, extent, stride, lower=lower)
    begin, end = loops.same_upper(n, size, stride, dilation)
    assert found == ((end, begin) if lower else (begin, end))
    if sum(found):  # else a stride beyond the extent: the standard keeps what fits
        assert Axis(size, stride, dilation, found).out_size(n) == -(-n // stride)


@given(pixels, small, small)
def test_causal_outputs_see_nothing_later_and_full_ones_touch_every_overlap(n: int, size: int, dilation: int) -> None:
    causal = Axis(size, 1, dilation, causal_pads(dilation * (size - 1) + 1))
    assert causal.out_size(n) == n
    assert all(causal.position(o, size - 1) == o for o in range(n))
    full = Axis(size, 1, 1, full_pads(size))
    assert full.out_size(n) == n + size - 1
    assert full.position(0, size - 1) == 0
    assert full.position(int(full.out_size(n)) - 1, 0) == n - 1
    assert full.blind(n) == 0


@given(pixels, st.integers(1, 40), small, small, small)
def test_pads_reaching_are_the_smallest_that_reach(n: int, out: int, size: int, stride: int, dilation: int) -> None:
    totals = [t for t in range(300) if loops.count_windows(n, size, stride, dilation, 0, t) == out]
    if not totals:
        with pytest.raises(Refusal, match="no padding"):
            pads_reaching(n, out, size, stride, dilation)
        return
    begin, end = pads_reaching(n, out, size, stride, dilation)
    assert begin + end == totals[0]
    assert end - begin in (0, 1)


@given(pixels, small, small, small, pads)
def test_ceil_mode_by_sliding(n: int, size: int, stride: int, dilation: int, pad: tuple[int, int]) -> None:
    extent = dilation * (size - 1) + 1
    assume(max(pad) < extent)
    axis = Axis(size, stride, dilation, pad)
    expected = loops.ceil_windows(n, size, stride, dilation, *pad)
    assume(expected >= 1)
    found = ceil_axis(axis, n)
    assert found.out_size(n) == expected
    assert found.pad[0] == pad[0]
    assert found.pad[1] >= pad[1]


@given(axes, axes, st.integers(40, 200))
def test_symbolic_sizes_evaluate_to_the_integers(one: Axis, two: Axis, n: int) -> None:
    assume(fits(one, n) and fits(two, int(one.out_size(n))))
    text = two.out_size(one.out_size("H"))
    assert eval(str(text), {"H": n}) == two.out_size(one.out_size(n))


@given(transposed, axes, st.integers(80, 200))
def test_symbolic_sizes_after_upsampling(up: TransposedAxis, down: Axis, n: int) -> None:
    for chain in ((up, down), (down, up)):
        assume(fits(chain[0], n) and fits(chain[1], int(chain[0].out_size(n))))
        size: int | str = n
        text: int | str = "H"
        for axis in chain:
            size, text = axis.out_size(size), axis.out_size(text)
        assert eval(str(text), {"H": n}) == size


@pytest.mark.parametrize(
    ("make", "code", "attribute"),
    [
        (lambda: Axis(0), "not-positive", "kernel"),
        (lambda: Axis(1, stride=0), "not-positive", "stride"),
        (lambda: Axis(1, dilation=-1), "not-positive", "dilation"),
        (lambda: Axis(3, pad=(0, -1)), "negative-pad", "pad"),
        (lambda: Axis(2**20 + 1), "too-large", "kernel"),
        (lambda: TransposedAxis(2, 1, 2**20), "too-large", "kernel"),
        (lambda: TransposedAxis(1, 2**20 + 1), "too-large", "stride"),
        (lambda: Axis(5).out_size(4), "empty-output", "kernel"),
        (lambda: Axis(3, stride=5).out_size(1), "empty-output", "kernel"),
        (lambda: TransposedAxis(3, 2, output_pad=2), "output-pad", "output_pad"),
        (lambda: TransposedAxis(2, pad=(2, 2)).out_size(2), "empty-output", "pad"),
        (lambda: same_pads("H", 3, 2), "symbolic-same", "pad"),
        (lambda: ceil_axis(Axis(3, 2), "H"), "symbolic-ceil", "ceil"),
        (lambda: pads_reaching(8, 0, 3, 1, 1), "unreachable-size", "pad"),
    ],
)
def test_refusals(make: object, code: str, attribute: str) -> None:
    with pytest.raises(Refusal) as found:
        make()  # type: ignore[operator]
    assert (found.value.code, found.value.attribute) == (code, attribute)
    assert found.value.what
    assert found.value.why
    assert found.value.fix


def test_a_refused_window_shows_its_arithmetic() -> None:
    with pytest.raises(Refusal) as found:
        Axis(7, 2, 2, (1, 2)).out_size(5)
    assert "(5 + 1 + 2 - 13) // 2 + 1 = -2" in found.value.what
    assert "pad 5 more" in found.value.fix
    assert Axis(7, 2, 2, (1, 7)).out_size(5) == 1
