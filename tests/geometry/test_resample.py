"""Positions and weights of resampled axes, against rational arithmetic by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from onnxconv.geometry import NEAREST, Line, Sampling, line, rational, sampled_field

HALF = Fraction(1, 2)
ROUNDED = {
    "round_prefer_floor": lambda p: math.ceil(p - HALF),
    "round_prefer_ceil": lambda p: math.floor(p + HALF),
    "floor": math.floor,
    "ceil": math.ceil,
}


@pytest.mark.parametrize("nearest", NEAREST)
@pytest.mark.parametrize("scale", [Fraction(2), Fraction(1, 7), Fraction(3, 5), Fraction(10**9, 10**9 + 7)])
def test_the_nearest_position_is_exact(nearest: str, scale: Fraction) -> None:
    """Also where whole numbers leave the range of float64."""
    for lies in (
        Line(1 / scale, HALF / scale - HALF),
        Line(1 / scale, Fraction(0)),
        Line(1 / scale, Fraction(1, 2**60)),
    ):
        positions, weights = Sampling(nearest=nearest).taps(lies, 200, scale)
        assert positions[:, 0].tolist() == [ROUNDED[nearest](lies.at(out)) for out in range(200)]
        assert (weights == 1).all()


def keys(x: Fraction, a: Fraction) -> Fraction:
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else Fraction(0)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("scale", [Fraction(3), Fraction(1, 2), Fraction(3, 7)])
def test_weights_are_the_kernels(mode: str, antialias: bool, scale: Fraction) -> None:
    lies = Line(1 / scale, HALF / scale - HALF)
    positions, weights = Sampling(mode, antialias=antialias).taps(lies, 30, scale)
    width = min(scale, Fraction(1)) if antialias else Fraction(1)
    for out, (read, shares) in enumerate(zip(positions.tolist(), weights.tolist(), strict=True)):
        away = [abs(at - lies.at(out)) * width for at in range(read[0] - 3, read[-1] + 4)]
        wanted = [max(1 - d, Fraction(0)) if mode == "linear" else keys(d, Fraction(-3, 4)) for d in away]
        assert not any(wanted[:3] + wanted[-3:]), "nothing beyond the taps has a weight"
        exact = [float(w / sum(wanted)) for w in wanted[3:-3]]
        np.testing.assert_allclose(shares, exact, rtol=0, atol=1e-15)
        assert [w == 0 for w in shares] == [w == 0 for w in exact]


@pytest.mark.parametrize(
    ("scale", "meant"),
    [(2.0, (2, 1)), (1 / 3, (1, 3)), (0.6, (3, 5)), (1.4142135, (11863283, 8388608)), (0.001, (1, 1000))],
)
def test_scales_stored_as_float32_are_meant_as_fractions(scale: float, meant: tuple[int, int]) -> None:
    assert rational(scale) == meant


def test_fields() -> None:
    def field(n: int, out: int, coordinates: str, sampling: Sampling) -> object:
        lies = line(n, out, Fraction(out, n), coordinates)
        assert lies is not None
        found = sampled_field(lies, sampling, Fraction(out, n))
        return found and (found.advance, found.phases)

    assert field(8, 16, "asymmetric", Sampling(nearest="floor")) == (1, ((0, 1), (0, 1)))
    assert field(8, 16, "half_pixel", Sampling("linear")) == (1, ((-1, 3), (0, 3)))
    assert field(9, 5, "align_corners", Sampling("linear")) == (2, ((0, 1),))
    assert field(8, 4, "half_pixel", Sampling("linear")) == (2, ((0, 3),))
    assert field(8, 4, "half_pixel", Sampling("linear", antialias=True)) == (2, ((-1, 15),))
    assert field(1010, 1500, "align_corners", Sampling("linear")) is None
    assert line("H", 5, Fraction(1), "align_corners") is None
