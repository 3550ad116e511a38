"""Output sizes and pooled values against torch, where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onnxconv.errors import SpecError
from onnxconv.execute import run
from onnxconv.graph import Graph
from onnxconv.resolve import resolve
from onnxconv.spec import parse
from onnxconv.weights import from_file, seeded

torch = pytest.importorskip("torch")

small = st.integers(1, 4)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


def graph(layer: str, shape: tuple[int, ...]) -> Graph:
    return resolve(parse(f"inputs: {{x: 'float64{list(shape)}'}}\nlayers:\n- {layer}"))


@settings(max_examples=100, deadline=None)
@given(sizes, small, small, small, st.integers(0, 3))
def test_conv_sizes(n: tuple[int, int], size: int, stride: int, dilation: int, pad: int) -> None:
    layer = f"conv: {{filters: 1, kernel: {size}, stride: {stride}, dilation: {dilation}, pad: {pad}}}"
    module = torch.nn.Conv2d(1, 1, size, stride, pad, dilation)
    try:
        expected = tuple(module(torch.zeros(1, 1, *n)).shape)
    except RuntimeError:
        with pytest.raises(SpecError, match="does not fit"):
            graph(layer, (1, 1, *n))
        return
    assert graph(layer, (1, 1, *n)).nodes[-1].type.shape == expected


@settings(max_examples=100, deadline=None)
@given(sizes, small, small, small, st.integers(0, 3), st.integers(0, 3))
def test_conv_transpose_sizes(
    n: tuple[int, int], size: int, stride: int, dilation: int, pad: int, output_pad: int
) -> None:
    assume(output_pad < max(stride, dilation))
    layer = (
        f"conv_transpose: {{filters: 1, kernel: {size}, stride: {stride}, dilation: {dilation}, pad: {pad}, "
        f"output_pad: {output_pad}}}"
    )
    module = torch.nn.ConvTranspose2d(1, 1, size, stride, pad, output_pad, dilation=dilation)
    try:
        expected = tuple(module(torch.zeros(1, 1, *n)).shape)
    except RuntimeError:
        expected = (1, 1, 0, 0)
    if 0 in expected:
        with pytest.raises(SpecError, match="leaves nothing"):
            graph(layer, (1, 1, *n))
    else:
        assert graph(layer, (1, 1, *n)).nodes[-1].type.shape == expected


@settings(max_examples=100, deadline=None)
@given(sizes, small, small, st.integers(0, 2), st.booleans(), st.sampled_from(["max", "average", "counted"]))
def test_pools(n: tuple[int, int], size: int, stride: int, pad: int, ceil: bool, kind: str) -> None:
    assume(2 * pad <= size)  # torch's own rule
    name = "max_pool" if kind == "max" else "average_pool"
    counted = ", count_include_pad: true" if kind == "counted" else ""
    layer = f"{name}: {{kernel: {size}, stride: {stride}, pad: {pad}, ceil: {str(ceil).lower()}{counted}}}"
    module = (
        torch.nn.MaxPool2d(size, stride, pad, ceil_mode=ceil)
        if kind == "max"
        else torch.nn.AvgPool2d(size, stride, pad, ceil_mode=ceil, count_include_pad=kind == "counted")
    )
    x = np.random.default_rng(3).normal(size=(1, 2, *n))
    try:
        expected = module(torch.from_numpy(x)).numpy()
    except RuntimeError:
        with pytest.raises(SpecError, match="does not fit"):
            graph(layer, x.shape)
        return
    (y,) = run(graph(layer, x.shape), seeded(), {"x": x}).values()
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 3, 4, 7), (2, 7)])
@pytest.mark.parametrize("bias", [True, False])
def test_dense_over_the_last_axis_takes_torchs_weights(shape: tuple[int, ...], bias: bool, tmp_path: Path) -> None:
    """float64 numbers of the same sums, in whatever order each of the two adds them up."""
    made = graph(f"dense: {{features: 4, last_axis: true, bias: {str(bias).lower()}}}\n  name: d", shape)
    module = torch.nn.Linear(7, 4, bias=bias, dtype=torch.float64)
    np.savez(tmp_path / "w.npz", **{f"d.{name}": value.numpy() for name, value in module.state_dict().items()})
    x = np.random.default_rng(0).normal(size=shape)
    (y,) = run(made, from_file(made, tmp_path / "w.npz"), {"x": x}).values()
    np.testing.assert_allclose(y, module(torch.tensor(x)).detach().numpy(), rtol=1e-13, atol=1e-14)
