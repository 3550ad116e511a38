"""Convolutions and pools against nested loops, and against torch where it is installed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from oracles import loops

from onnxconv.errors import Refusal
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.ops import AveragePool, Conv, ConvTranspose, MaxPool, Operator, Pad


def random_window(draw: random.Random, rank: int) -> tuple[Axis, ...]:
    return tuple(
        Axis(draw.randint(1, 3), draw.randint(1, 3), draw.randint(1, 3), (draw.randint(0, 3), draw.randint(0, 3)))
        for _ in range(rank)
    )


def random_transposed(draw: random.Random, rank: int) -> tuple[TransposedAxis, ...]:
    window = []
    for _ in range(rank):
        stride, dilation = draw.randint(1, 3), draw.randint(1, 3)
        pad, extra = (draw.randint(0, 2), draw.randint(0, 2)), draw.randint(0, max(stride, dilation) - 1)
        window.append(TransposedAxis(draw.randint(1, 3), stride, dilation, pad, extra))
    return tuple(window)


def integers(draw: random.Random, *shape: int) -> np.ndarray:
    return np.random.default_rng(draw.randrange(2**32)).integers(-9, 10, shape).astype(np.float64)


def random_case(
    draw: random.Random, transposed: bool
) -> tuple[Conv | ConvTranspose, np.ndarray, dict[str, np.ndarray]]:
    """A legal operator with an input and weights of small integers, on which float64 is exact."""
    while True:
        rank, groups = draw.choice((1, 2, 2, 3)), draw.choice((1, 1, 2, 3))
        side = {1: 11, 2: 6, 3: 4}[rank]
        x = integers(
            draw, draw.randint(1, 2), groups * draw.randint(1, 2), *(draw.randint(1, side) for _ in range(rank))
        )
        filters, bias = groups * draw.randint(1, 2), draw.random() < 0.5
        op: Conv | ConvTranspose = (
            ConvTranspose(random_transposed(draw, rank), filters, groups, bias)
            if transposed
            else Conv(random_window(draw, rank), filters, groups, bias)
        )
        try:
            op.out_shape(x.shape)
        except Refusal:
            continue
        return op, x, {role: integers(draw, *shape) for role, shape in op.weight_shapes(x.shape).items()}


def spelled(op: Any) -> dict[str, list[int]]:
    return {
        "strides": [a.stride for a in op.window],
        "dilations": [a.dilation for a in op.window],
        "begins": [a.pad[0] for a in op.window],
        "ends": [a.pad[1] for a in op.window],
    }


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "conv_transpose"])
def test_convolutions_equal_loops(transposed: bool, seed: int) -> None:
    op, x, w = random_case(random.Random(seed), transposed)
    more = {"output_pads": [a.output_pad for a in op.window]} if isinstance(op, ConvTranspose) else {}
    oracle = loops.conv_transpose if isinstance(op, ConvTranspose) else loops.conv
    y, macs, valid = oracle(x, w["weight"], w.get("bias"), **spelled(op), **more, groups=op.groups)
    np.testing.assert_array_equal(op.define(x, **w), y)
    assert op.out_shape(x.shape) == y.shape
    assert (op.work(x.shape).macs, op.work(x.shape).valid_macs) == (macs, valid)
    absolute = {role: np.abs(a) for role, a in w.items()}
    s, _, _ = oracle(abs(x), absolute["weight"], absolute.get("bias"), **spelled(op), **more, groups=op.groups)
    np.testing.assert_array_equal(op.magnitude(x, **w), s)


@pytest.mark.parametrize("seed", range(60))
def test_pools_equal_loops(seed: int) -> None:
    draw = random.Random(seed)
    tried = 0
    while tried < 3:
        rank = draw.choice((1, 2, 3))
        window, x = random_window(draw, rank), integers(draw, 2, 2, *(draw.randint(1, 6) for _ in range(rank)))
        counted = draw.random() < 0.5
        ops: tuple[Operator, ...] = (MaxPool(window), AveragePool(window, counted))
        try:
            shapes = {op.out_shape(x.shape) for op in ops}
            blind = any(a.blind(n) for a, n in zip(window, x.shape[2:], strict=True))
        except Refusal:
            continue
        tried += 1
        kernel = [a.size for a in window]
        if not blind:
            y = loops.pool(x, kernel, **spelled(MaxPool(window)), mode="max")
            assert shapes == {y.shape}
            np.testing.assert_array_equal(ops[0].define(x), y)
        if not blind or counted:
            y = loops.pool(x, kernel, **spelled(MaxPool(window)), mode="average", count_include_pad=counted)
            np.testing.assert_allclose(ops[1].define(x), y, rtol=1e-15)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("seed", range(5))
def test_pads_equal_loops(mode: str, seed: int) -> None:
    draw = random.Random(seed)
    x = integers(draw, 1, 2, *(draw.randint(4, 6) for _ in range(draw.randint(1, 3))))
    pads = tuple((draw.randint(0, 3), draw.randint(0, 3)) for _ in x.shape[2:])
    op = Pad(pads, mode, 2.5)
    y = loops.pad(x, [p[0] for p in pads], [p[1] for p in pads], mode, 2.5)
    np.testing.assert_array_equal(op.define(x), y)
    assert op.out_shape(x.shape) == y.shape


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "conv_transpose"])
def test_convolutions_equal_torch(transposed: bool, seed: int) -> None:
    torch = pytest.importorskip("torch")
    op, x, w = random_case(random.Random(1000 + seed), transposed)
    rank, names = len(op.window), spelled(op)
    image, weight = torch.from_numpy(x), torch.from_numpy(w["weight"])
    common = {"stride": names["strides"], "dilation": names["dilations"], "groups": op.groups}
    if isinstance(op, ConvTranspose):
        y = getattr(torch.nn.functional, f"conv_transpose{rank}d")(image, weight, **common)
        y = torch.nn.functional.pad(y, [n for a in reversed(op.window) for n in (0, a.output_pad)])
        crops = [slice(a.pad[0], n - a.pad[1]) for a, n in zip(op.window, y.shape[2:], strict=True)]
        y = y[(slice(None), slice(None), *crops)]
    else:
        padded = torch.nn.functional.pad(image, [n for a in reversed(op.window) for n in a.pad])
        y = getattr(torch.nn.functional, f"conv{rank}d")(padded, weight, **common)
    if op.bias:
        y = y + torch.from_numpy(w["bias"]).reshape(-1, *[1] * rank)
    np.testing.assert_array_equal(op.define(x, **w), y.numpy())


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("counted", [False, True])
def test_pools_equal_torch(rank: int, counted: bool) -> None:
    torch = pytest.importorskip("torch")
    x = integers(random.Random(rank), 2, 3, *[9] * rank)
    most = MaxPool((Axis(3, 2, 2, (1, 1)),) * rank).define(x)
    y = getattr(torch.nn.functional, f"max_pool{rank}d")(torch.from_numpy(x), 3, 2, 1, dilation=2)
    np.testing.assert_array_equal(most, y.numpy())
    mean = AveragePool((Axis(3, 2, 1, (1, 1)),) * rank, counted).define(x)
    y = getattr(torch.nn.functional, f"avg_pool{rank}d")(torch.from_numpy(x), 3, 2, 1, count_include_pad=counted)
    np.testing.assert_allclose(mean, y.numpy(), rtol=1e-15)


def test_a_max_pool_over_nothing_but_negative_values_ignores_padding_and_keeps_nan() -> None:
    x = np.array([[[-3.0, -2.0, -5.0, np.nan]]])
    np.testing.assert_array_equal(MaxPool((Axis(2, pad=(1, 1)),)).define(x), [[[-3, -2, -2, np.nan, np.nan]]])
