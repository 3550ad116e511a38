"""Weights made from stored ones: tied kernels repeated, batch norms multiplied in."""

from __future__ import annotations

import numpy as np
import pytest

from onnxconv.errors import WeightsError
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import FoldedBias, FoldedWeight, Initial, Param, Quantised, Recipe, ScaleOf, Tiled
from onnxconv.ops import BatchNorm, Conv, ConvTranspose
from onnxconv.weights import given, seeded


def stored(name: str, *shape: int, low: float = 0.5, high: float = 1.5) -> Initial:
    return Initial(name, shape, "uniform", (low, high))


def array(initial: Initial, dtype: str = "float64") -> np.ndarray:
    return seeded()[Param(initial.name, dtype, initial.shape, initial)]


def pieces(param: Param) -> np.ndarray:
    """The same array by odd chunks."""
    return np.frombuffer(b"".join(seeded().chunks(param, 5)), param.dtype).reshape(param.shape)


@pytest.mark.parametrize("repeats", [(4, 1, 1), (1, 3, 1), (2, 2, 1), (1, 1, 1)])
def test_tiled(repeats: tuple[int, ...]) -> None:
    source = stored("w", 2, 3, 2)
    shape = tuple(n * r for n, r in zip(source.shape, repeats, strict=True))
    param = Param("w", "float64", shape, Tiled(source, repeats))
    np.testing.assert_array_equal(seeded()[param], np.tile(array(source), repeats))
    np.testing.assert_array_equal(pieces(param), np.tile(array(source), repeats))


def folded(
    weight: Initial | Tiled, shape: tuple[int, ...], channels: int, axis: int, bias: bool
) -> tuple[Param, Param]:
    scale, var, mean, shift = (stored(name, channels) for name in ("scale", "var", "mean", "shift"))
    b = stored("b", channels) if bias else None
    recipes: tuple[Recipe, Recipe] = (
        FoldedWeight(weight, scale, var, 1e-3, axis),
        FoldedBias(b, scale, shift, mean, var, 1e-3),
    )
    return Param("fw", "float64", shape, recipes[0]), Param("fb", "float64", (channels,), recipes[1])


def two_steps(conv: Conv | ConvTranspose, x: np.ndarray, weight: np.ndarray, bias: bool) -> np.ndarray:
    w = {"weight": weight} | ({"bias": array(stored("b", conv.out_channels))} if bias else {})
    roles = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "var"}
    norm = {role: array(stored(name, conv.out_channels)) for role, name in roles.items()}
    return BatchNorm(1e-3).define(conv.define(x, **w), **norm)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_folded_batch_norm_gives_the_same_output(bias: bool, groups: int, transposed: bool) -> None:
    """To float64 rounding: some 10 products of numbers near 1."""
    x = np.random.default_rng(0).random((2, 4, 7))
    if transposed:
        weight = stored("w", 4, 6 // groups, 3)
        conv: Conv | ConvTranspose = ConvTranspose((TransposedAxis(3, 2),), 6, groups, bias)
        folded_conv: Conv | ConvTranspose = ConvTranspose((TransposedAxis(3, 2),), 6, groups, True)
    else:
        weight = stored("w", 6, 4 // groups, 3)
        conv, folded_conv = Conv((Axis(3),), 6, groups, bias), Conv((Axis(3),), 6, groups, True)
    fw, fb = folded(weight, weight.shape, 6, int(transposed), bias)
    y = folded_conv.define(x, weight=seeded()[fw], bias=seeded()[fb])
    np.testing.assert_allclose(y, two_steps(conv, x, array(weight), bias), rtol=1e-13)
    np.testing.assert_array_equal(pieces(fw), seeded()[fw])
    np.testing.assert_array_equal(pieces(fb), seeded()[fb])


def test_a_folded_tied_kernel() -> None:
    tiled = Tiled(stored("w", 2, 1, 3), (3, 1, 1))
    fw, _ = folded(tiled, (6, 1, 3), 6, 0, False)
    factor = array(stored("scale", 6)) / np.sqrt(array(stored("var", 6)) + float(np.float32(1e-3)))
    np.testing.assert_array_equal(seeded()[fw], np.tile(array(tiled.source), (3, 1, 1)) * factor[:, None, None])


def test_folding_rounds_once_from_what_is_stored() -> None:
    """float32: the stored numbers are rounded to float32, the product is taken in float64 and rounded once."""
    weight = stored("w", 6, 4, 3)
    scale, var = array(stored("scale", 6), "float32"), array(stored("var", 6), "float32")
    factor = scale.astype(np.float64) / np.sqrt(var.astype(np.float64) + float(np.float32(1e-3)))
    expected = (array(weight, "float32").astype(np.float64) * factor[:, None, None]).astype(np.float32)
    recipe = FoldedWeight(weight, stored("scale", 6), stored("var", 6), 1e-3)
    np.testing.assert_array_equal(seeded()[Param("fw", "float32", (6, 4, 3), recipe)], expected)


def test_a_variance_below_zero_is_refused() -> None:
    recipe = FoldedWeight(stored("w", 2, 1, 1), stored("s", 2), stored("v", 2, low=-2, high=-1), 1e-3)
    with pytest.raises(WeightsError, match="a variance of"):
        seeded()[Param("fw", "float32", (2, 1, 1), recipe)]


def test_given() -> None:
    param = Param("w", "float32", (2, 3), stored("elsewhere", 2, 3))
    whole = np.arange(6.0).reshape(2, 3)
    assert given({"w": whole})[param].dtype == np.float32
    np.testing.assert_array_equal(given({"w": whole})[param], whole)
    np.testing.assert_array_equal(given({"w": whole.T.copy().T})[param], whole)
    assert b"".join(given({"w": whole}).chunks(param, 4)) == whole.astype("<f4").tobytes()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({}, "there is no array 'w'"),
        ({"W": np.zeros((2, 3))}, "did you mean 'W'"),
        ({"w": np.zeros((3, 2))}, r"weight 'w' has shape \[3, 2\], the layer needs \[2, 3\]"),
        ({"w": np.zeros((2, 3), int)}, "holds int64, not floats"),
        ({"w": np.full((2, 3), 1e300)}, "float32 ends at"),
    ],
)
def test_given_wrongly(arrays: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        given(arrays)[Param("w", "float32", (2, 3), stored("w", 2, 3))]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
@pytest.mark.parametrize("per_channel", [False, True])
def test_quantised(per_channel: bool, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against one number after the other, scales rounded to float32 twice; a channel of zeros has scale 1."""
    monkeypatch.setattr("onnxconv.weights.CHUNK", chunk)
    monkeypatch.setattr("onnxconv.weights.WORTH_A_THREAD", 0)
    numbers = np.random.default_rng(0).standard_normal((5, 3, 2)).astype(np.float32)
    numbers[2] = 0
    source = Param("w", "float32", numbers.shape, Initial("w", numbers.shape))
    scale = ScaleOf(source, per_channel, 0.25)
    weights = given({"w": numbers}, drawn=("q", "s"))
    most = [max(abs(float(x)) for x in row.flat) for row in numbers]
    most = most if per_channel else [max(most)]
    scales = [float(np.float32(float(np.float32(m / 127) or 1.0) * 0.25)) for m in most]
    made = weights[Param("s", "float32", (len(scales),), scale)]
    assert made.tolist() == scales
    expected = [
        max(-127, min(127, round(float(x) / scales[c if per_channel else 0])))
        for c in range(5)
        for x in numbers[c].flat
    ]
    quantised = Param("q", "int8", numbers.shape, Quantised(source, scale))
    assert weights[quantised].reshape(-1).tolist() == expected
    assert b"".join(weights.stream([quantised])) == np.array(expected, np.int8).tobytes()
