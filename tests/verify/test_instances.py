"""Operands of the exact probe are exact by construction; bounds hold for sums in any order."""

from __future__ import annotations

import numpy as np
import pytest
from verify.random_graphs import conv, net
from verify.sketch import Sketch, small

from onnxconv.dtypes import DTYPES, FLOATS, numpy_dtype, rounded
from onnxconv.execute import apply, magnitude
from onnxconv.ops import Clip
from onnxconv.verify.draw import KINDS, Stream, real
from onnxconv.verify.exact import layers
from onnxconv.verify.instance import instances
from onnxconv.verify.rounding import bound, gamma, representable
from onnxconv.verify.signal import exact_sum, grid_of
from onnxconv.verify.sizes import concrete

LIMIT = 2**24


@pytest.mark.parametrize("seed", range(60))
def test_sums_fit_the_significand(seed: int) -> None:
    graph = conv(seed) if seed % 2 else net(seed)
    shapes = concrete(graph, 2)
    for node in layers(graph):
        for make in instances(node, "float32", (seed,)):
            made = make(tuple(shapes[name] for name in node.inputs))
            for array in (*made.xs, *made.weights.values()):
                assert array.dtype == np.float32
                assert np.isfinite(array).all()
            if made.exact:
                assert representable(apply(node, made.xs, made.weights), "float32")
                if node.op.kind in ("Conv", "ConvTranspose", "Add"):
                    assert magnitude(node, made.xs, made.weights).max() <= LIMIT


@pytest.mark.parametrize(
    ("dtype", "limit"), [("float16", 60000.0), ("float32", 3e38), ("float64", 1e38), ("bfloat16", 3e38)]
)
def test_limits_near_the_largest_number_have_operands_beyond_them(dtype: str, limit: float) -> None:
    s = Sketch((1, 2, 64), dtype)
    s.add(Clip(None, limit))
    (node,) = s.graph().nodes
    (make,) = instances(node, dtype, (0,))
    (x,) = make(((1, 2, 64),)).xs
    assert np.isfinite(x).all()
    assert (x > limit).any()
    assert (x < limit).any()


@pytest.mark.parametrize(
    ("dtype", "widths"), [("float32", {12, 24}), ("float16", {6, 11}), ("float64", {27, 53}), ("bfloat16", {4, 8})]
)
def test_operands_are_as_wide_as_they_say(dtype: str, widths: set[int]) -> None:
    s = Sketch((1, 16, 9, 9), dtype)
    s.conv(8)
    (node,) = s.graph().nodes
    made = [make(((1, 16, 9, 9),)) for make in instances(node, dtype, (0,))]
    assert len(made) == 5
    for side in ("x", "w"):
        arrays = [(m.xs[0] if side == "x" else m.weights["weight"]) for m in made[1:]]
        found = {int(np.abs(a).max()).bit_length() for a in arrays if int(np.abs(a).max()).bit_length() > 2}
        assert found == widths
    assert made[0].density == 1 or dtype in ("float16", "bfloat16")
    assert made[-1].density < made[1].density <= 1
    for m in made:
        assert np.abs(m.xs[0]).astype(float).max() < 2.0 ** DTYPES[dtype].significand
        assert (m.weights["weight"] != 0).any()


def test_layers_are_tried_once_a_kind() -> None:
    s = Sketch()
    for _ in range(3):
        s.conv(3)
    assert len(layers(s.graph())) == 1
    assert len(layers(small())) == len(small().nodes)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
def test_no_order_of_summation_exceeds_the_bound(n: int, dtype: str) -> None:
    """Sums in the data type itself; of a bfloat16 product ml_dtypes rounds an exact float32, of a sum one of 24 > 2·8 + 1 bits."""
    stream = Stream("orders", n)
    x, w = (real(kind, (n, 50), dtype, stream) for kind in ("heavy", "normal"))
    products = x.astype(np.longdouble) * w.astype(np.longdouble)
    exact = products.sum(axis=0)
    limit = bound(dtype, n + 1, np.abs(products).sum(axis=0).astype(np.float64))
    assert np.isfinite(limit).all() == ((n + 1) * DTYPES[dtype].unit < 1)
    for trial in range(20):
        order = Stream(trial).order(n)
        total = np.zeros(50, numpy_dtype(dtype))
        for i in order:
            total = total + x[i] * w[i]
        assert total.dtype == numpy_dtype(dtype)
        assert (np.abs(total.astype(np.longdouble) - exact) <= limit).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_bit_less_of_precision_exceeds_the_bound(dtype: str) -> None:
    """Products rounded to one bit less than the data type has."""
    stream, p = Stream("less", dtype), DTYPES[dtype].significand
    x, w = (real("normal", (1, 4000), "float64", stream) for _ in range(2))
    x, w = (rounded(a, dtype).astype(np.float64) for a in (x, w))
    fraction, exponent = np.frexp(x * w)
    coarse = np.ldexp(np.rint(np.ldexp(fraction, p - 2)), exponent - p + 2)
    assert (np.abs(coarse - x * w) > bound(dtype, 1, np.abs(x * w))).any() == (dtype != "float64")


def test_the_bound_is_not_far_above_what_happens() -> None:
    """A sum of equal terms in sequence uses a fair share of it."""
    n = 4096
    total = np.float32(0)
    for _ in range(n):
        total = np.float32(total + np.float32(0.1))
    exact = n * float(np.float32(0.1))
    assert abs(float(total) - exact) > 0.01 * float(bound("float32", n, np.array([exact]))[0])


def test_bounds_end_where_nothing_can_be_said() -> None:
    assert gamma(2**24, 2.0**-24) == np.inf
    assert bound("float32", 3, np.array([3.4028234e38]))[0] == np.inf
    assert bound("float32", 0, np.array([1.0]))[0] == 0


def test_grids() -> None:
    assert grid_of(np.array([1.0, 2.0])) == 0
    assert grid_of(np.array([1.5, -0.125])) == 3
    assert grid_of(np.array([4.0, 12.0])) == -2
    assert grid_of(np.zeros(2)) < -1000
    assert exact_sum(np.array([2.0**20]), 4, "float32")
    assert not exact_sum(np.array([2.0**20 + 1]), 4, "float32")


@pytest.mark.parametrize("kind", KINDS)
def test_data_are_seeded_and_of_order_one(kind: str) -> None:
    one, same, other = (real(kind, (40, 30), "float32", Stream(key)) for key in ("a", "a", "b"))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert 0.1 < np.abs(one).mean() < 20
    assert (kind == "constant") == (len(np.unique(one)) == 1)


def test_streams_do_not_change() -> None:
    """Published numbers: any NumPy and any machine draws these."""
    stream = Stream("a", 1)
    assert stream.below(10, 8).tolist() == [4, 0, 0, 6, 2, 2, 1, 9]
    assert sorted(stream.order(9).tolist()) == list(range(9))
    assert set(np.abs(Stream(0).long((50,), 5, "float32")).tolist()) <= {17, 19, 21, 23, 25, 27, 29, 31}
    assert 0 not in Stream(0).filled((1000,), 2, "float32")
