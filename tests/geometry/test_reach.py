"""What outputs see, along one axis, against sets of positions followed by hand."""

from __future__ import annotations

import time
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from onnxconv.geometry import IDENTITY, WHOLE, Axis, Reach, TransposedAxis, cycled, held, repeated, through, union

small = st.integers(1, 4)
pads = st.tuples(st.integers(0, 4), st.integers(0, 4))
steps = st.one_of(
    st.builds(Axis, small, small, small, pads),
    st.builds(TransposedAxis, small, small, small, pads),
)


def seen_by_hand(chain: list[Axis | TransposedAxis], position: int) -> set[int]:
    """Walk one output position back through the chain, on an endless input."""
    found = {position}
    for axis in reversed(chain):
        if isinstance(axis, Axis):
            found = {o * axis.stride - axis.pad[0] + k * axis.dilation for o in found for k in range(axis.size)}
        else:
            lifted = {o + axis.pad[0] - k * axis.dilation for o in found for k in range(axis.size)}
            found = {at // axis.stride for at in lifted if at % axis.stride == 0}
    return found


def walked(chain: list[Axis | TransposedAxis]) -> Reach:
    reach = IDENTITY
    for axis in chain:
        reach = through(reach, axis)
    return reach


def pixels(reach: Reach, position: int) -> set[int]:
    first, mask = reach.at(position)
    return {first + i for i in range(mask.bit_length()) if mask >> i & 1}


chains = st.lists(steps, max_size=5)


@given(chains, st.integers(-20, 20))
def test_a_chain_sees_what_walking_back_finds(chain: list[Axis | TransposedAxis], position: int) -> None:
    assert pixels(walked(chain), position) == seen_by_hand(chain, position)


@given(chains)
def test_stride_size_and_samples_of_a_chain(chain: list[Axis | TransposedAxis]) -> None:
    reach = walked(chain)
    (field,) = reach.fields
    period = len(field.phases)
    seen = [seen_by_hand(chain, o) for o in range(period)]
    assert reach.samples() == max(map(len, seen))
    assert reach.size() == max((max(s) - min(s) + 1 if s else 0) for s in seen)
    assert {at + field.advance for at in seen[0]} == seen_by_hand(chain, period)
    assert reach.stride() == field.stride
    assert reach.padding() == (-min(seen[0]) if seen[0] else None)


hourglasses = st.builds(
    lambda stride, ahead, behind: [*ahead, Axis(stride, stride), TransposedAxis(stride, stride), *behind],
    st.integers(1, 4),
    st.lists(st.builds(Axis, small, pad=pads), max_size=1),
    st.lists(st.builds(Axis, small, pad=pads), max_size=1),
)


@given(st.lists(hourglasses, min_size=2, max_size=3), st.integers(-20, 20))
def test_paths_of_one_stride_and_different_phases_join_in_one_field(
    paths: list[list[Axis | TransposedAxis]], position: int
) -> None:
    joined = union(map(walked, paths))
    assert len(joined.fields) == 1
    assert joined.stride() == 1
    assert pixels(joined, position) == set().union(*(seen_by_hand(chain, position) for chain in paths))


@given(st.lists(chains, min_size=1, max_size=3), st.integers(0, 12), st.integers(1, 13))
def test_a_join_sees_the_union_of_its_paths(
    paths: list[list[Axis | TransposedAxis]], position: int, outputs: int
) -> None:
    joined = union(map(walked, paths))

    def together(o: int) -> set[int]:
        return set().union(*(seen_by_hand(chain, o) for chain in paths))

    assert pixels(joined, position) == together(position)
    seen = [together(o) for o in range(outputs)]
    if len(joined.fields) > 1:
        assert not joined.aligned
        assert joined.stride() is None
        assert joined.size() is None
    assert joined.samples(outputs) == max(map(len, seen))
    assert joined.size(outputs) == max((max(s) - min(s) + 1 if s else 0) for s in seen)


def test_a_residual_block_is_aligned_and_a_shifted_one_is_not() -> None:
    same = through(IDENTITY, Axis(3, pad=(1, 1)))
    assert union([IDENTITY, same]).aligned
    shifted = through(IDENTITY, Axis(3, pad=(2, 0)))
    assert not union([IDENTITY, shifted]).aligned
    assert not through(union([IDENTITY, shifted]), Axis(3, pad=(1, 1))).aligned
    strided = through(IDENTITY, Axis(3, 2, pad=(1, 1)))
    assert not union([same, strided]).aligned


def test_upsampling_has_one_phase_per_output_and_undoes_a_stride() -> None:
    up = through(IDENTITY, TransposedAxis(4, 2, pad=(1, 1)))
    assert (up.stride(), up.size(), [pixels(up, o) for o in range(3)]) == (1 / 2, 2, [{-1, 0}, {0, 1}, {0, 1}])
    back = through(up, Axis(2, 2))
    assert back.stride() == 1
    skip = union([through(through(IDENTITY, Axis(2, 2)), TransposedAxis(2, 2)), IDENTITY])
    assert (skip.stride(), skip.size(), skip.aligned) == (1, 2, True)


def test_gaps_of_an_upsampling_see_nothing() -> None:
    gaps = through(IDENTITY, TransposedAxis(1, 3))
    assert [pixels(gaps, o) for o in range(4)] == [{0}, set(), set(), {1}]
    assert (gaps.size(), gaps.samples(), gaps.stride()) == (1, 1, Fraction(1, 3))
    dead = through(gaps, Axis(1, 3, pad=(1, 0)))
    assert (dead.size(), dead.samples(), dead.padding()) == (0, 0, None)
    assert union([dead, IDENTITY]) == IDENTITY
    assert union([dead, dead]).size() == 0


def test_what_comes_round_again_has_no_stride() -> None:
    """The columns of an image whose rows become one row of tokens; the rows themselves; a position that all see."""
    assert through(IDENTITY, cycled(4)).stride() is None
    assert through(IDENTITY, repeated(4)).stride() == Fraction(1, 4)
    assert held(IDENTITY).stride() == 0


def test_a_whole_axis_stays_whole() -> None:
    assert through(WHOLE, Axis(3)).whole
    assert union([IDENTITY, WHOLE]).whole
    assert (WHOLE.size(), WHOLE.samples(), WHOLE.stride(), WHOLE.padding()) == (None, None, None, None)


def test_a_few_outputs_count_only_their_own_phases() -> None:
    up = through(IDENTITY, TransposedAxis(3, 2, pad=(1, 0)))
    assert (up.size(1), up.size()) == (1, 2)


def test_dilation_leaves_holes() -> None:
    reach = through(through(IDENTITY, Axis(3, dilation=4)), Axis(3, dilation=4))
    assert (reach.size(), reach.samples()) == (17, 5)


def test_a_thousand_layers_and_wide_dilations_are_quick() -> None:
    started = time.perf_counter()
    reach = walked([Axis(3, pad=(1, 1))] * 1000)
    assert (reach.size(), reach.samples()) == (2001, 2001)
    wide = walked([Axis(2, dilation=2**i) for i in range(17)])
    assert (wide.size(), wide.samples()) == (2**17, 2**17)
    deep = walked([Axis(2, 2)] * 6 + [TransposedAxis(2, 2)] * 6 + [Axis(3, pad=(1, 1))] * 100)
    assert deep.stride() == 1
    assert time.perf_counter() - started < 5
