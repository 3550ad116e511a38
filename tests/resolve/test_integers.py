"""Layers that compute with integers, and deformed and undone windows: what they become, against onnxruntime, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from onnxconv.emit import EmitOptions, save
from onnxconv.errors import SpecError
from onnxconv.execute import run
from onnxconv.geometry import Axis
from onnxconv.graph import Graph
from onnxconv.ops import Conv, DeformConv, DequantizedConv, MaxPoolIndices, MaxUnpool
from onnxconv.resolve import resolve
from onnxconv.spec import parse
from onnxconv.weights import from_file, seeded


def graph(layers: str, inputs: str = "x: 'float32[2, 4, 6, 5]'") -> Graph:
    return resolve(parse(f"inputs: {{{inputs}}}\nlayers:\n{layers}"))


EXACT = [
    "- quantize_linear: {scale: 0.1, zero_point: 9}",
    "- quantize_linear: {scale: 0.01, to: int8}\n- dequantize_linear: {scale: 0.3, zero_point: -7}",
    "- quantize_linear: {axis: 1, init: {scale: {uniform: [0.01, 0.1]}, zero_point: {integers: [0, 200]}}}",
    "- quantize_linear: {axis: 2, scale: 0.05, to: int16}\n- dequantize_linear: {axis: 3, init: {scale: {uniform: [0.01, 0.1]}}}",
    "- quantize_linear: {axis: 3, block: 2, init: {scale: {uniform: [0.01, 0.1]}}}",
    "- dynamic_quantize_linear",
    "- dynamic_scale",
    "- dynamic_zero_point",
    "- quantize_linear: {scale: 0.02, zero_point: 120}\n"
    "- qlinear_conv: {filters: 6, kernel: 3, group: 2, stride: 2, pad: same, x_zero_point: 120}\n"
    "- qlinear_conv: {filters: 3, kernel: [1, 2], weights: uint8, weight_scale: 0.25, weight_zero_point: 128, bias: false, to: uint8}",
    "- dynamic_quantize_linear:\n  name: q\n- dynamic_zero_point:\n  name: z\n  from: x\n"
    "- conv_integer: {of: [q, z], filters: 4, kernel: 3, dilation: 2, pad: 1, weight_zero_point: 5}",
    "- quantize_linear: {scale: 0.02, zero_point: 120}\n  name: q\n"
    "- matmul_integer: [q, [constant: {shape: [5, 3], dtype: int8}], [constant: {value: 120, dtype: uint8}]]",
    "- quantize_linear: {scale: 0.02, zero_point: 120}\n  name: q\n"
    "- qlinear_matmul: {of: [q, [constant: {shape: [5, 3], dtype: int8}]], a_zero_point: 120, b_zero_point: -3, b_scale: 0.5}",
    "- max_pool_indices: {kernel: 2, stride: 2, ceil: true}",
    "- max_pool: 2\n- max_unpool: {of: [max_pool, [{max_pool_indices: 2, from: x}]], kernel: 2, size: [6, 5]}",
    "- max_pool: [3, 1]\n- max_unpool: {of: [max_pool, [{max_pool_indices: [3, 1], from: x}]], kernel: [3, 1]}",
]


@pytest.mark.parametrize("layers", EXACT)
def test_as_onnxruntime_computes_them(layers: str, tmp_path: Path) -> None:
    """Powers of two as scales are exact in whatever order they are multiplied; quotients are rounded as the standard says."""
    made = graph(layers)
    save(made, seeded(2), tmp_path / "m.onnx", EmitOptions(opset=21))
    x = {"x": np.random.default_rng(1).normal(size=(2, 4, 6, 5)).astype(np.float32)}
    (mine,) = run(made, seeded(2), x).values()
    (theirs,) = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"]).run(None, x)
    assert mine.dtype == theirs.dtype
    np.testing.assert_array_equal(mine, theirs)
    assert len(np.unique(mine)) > 1 or mine.size == 1


@pytest.mark.parametrize("how", ["per_filter", "per_tensor"])
def test_weights_stored_as_integers(how: str, tmp_path: Path) -> None:
    """They are what PyTorch's names say, and their products are those of the numbers that they stand for."""
    made = graph(f"- conv: {{filters: 6, kernel: 3, group: 2, int8: {how}}}\n  name: c")
    assert made.nodes[0].op == DequantizedConv(Conv((Axis(3),) * 2, 6, 2), how == "per_filter")
    draw = np.random.default_rng(0)
    scales = (6,) if how == "per_filter" else ()
    held = {
        "c.weight": draw.integers(-127, 128, (6, 2, 3, 3)).astype(np.int8),
        "c.weight_scale": draw.uniform(0.01, 0.02, scales).astype(np.float32),
        "c.bias": draw.integers(-900, 900, 6).astype(np.int32),
        "c.bias_scale": draw.uniform(0.001, 0.002, scales).astype(np.float32),
    }
    np.savez(tmp_path / "w.npz", **held)
    x = draw.normal(size=(2, 4, 6, 5)).astype(np.float32)
    (mine,) = run(made, from_file(made, tmp_path / "w.npz"), {"x": x}).values()
    plain = graph("- conv: {filters: 6, kernel: 3, group: 2}\n  name: c")
    floats = {role: (held[f"c.{role}"].T * held[f"c.{role}_scale"]).astype(np.float32).T for role in ("weight", "bias")}
    np.savez(tmp_path / "v.npz", **{f"c.{role}": array for role, array in floats.items()})
    (wanted,) = run(plain, from_file(plain, tmp_path / "v.npz"), {"x": x}).values()
    np.testing.assert_array_equal(mine, wanted)


def test_what_windows_become() -> None:
    two = "x: 'float32[2, 4, 6, 5]', o: 'float32[2, 36, 6, 5]', m: 'float32[2, 18, 6, 5]'"
    deformed = graph("- deform_conv: {of: [x, o, m], filters: 3, kernel: 3, pad: same, offset_group: 2}", two)
    assert deformed.nodes[0].op == DeformConv((Axis(3, pad=(1, 1)),) * 2, 3, offset_groups=2)
    assert deformed.nodes[0].inputs == ("x", "o", "m")
    assert [param.name for param in deformed.params()] == ["deform_conv.weight", "deform_conv.bias"]
    assert graph("- max_pool_indices: {kernel: 2, by_columns: true}").nodes[0].op == MaxPoolIndices(
        (Axis(2, 2),) * 2, True
    )
    pools = (
        "- max_pool: 2\n- max_unpool: {of: [max_pool, [{max_pool_indices: 2, from: x}]], kernel: 2, pad: [[1, 0], 0]}"
    )
    assert graph(pools).nodes[-1].op == MaxUnpool((Axis(2, 2, pad=(1, 0)), Axis(2, 2)))


def test_taps_that_are_not_moved_are_those_of_a_convolution() -> None:
    inputs = "x: 'float64[2, 4, 6, 5]', o: 'float64[2, 18, 6, 5]'"
    deformed = graph("- deform_conv: {of: [x, o], filters: 4, kernel: 3, pad: 1, group: depthwise}\n  name: c", inputs)
    plain = graph("- conv: {filters: 4, kernel: 3, pad: 1, group: depthwise}\n  name: c\n  from: x", inputs)
    x = {"x": np.random.default_rng(1).normal(size=(2, 4, 6, 5)), "o": np.zeros((2, 18, 6, 5))}
    mine, wanted = (run(made, seeded(), x)["c"] for made in (deformed, plain))
    np.testing.assert_allclose(mine, wanted, rtol=1e-13, atol=1e-14)


REFUSED = [
    ("- quantize_linear: {block: 2}", "block without an axis [axis]"),
    ("- quantize_linear: {axis: 4}", "a scale along axis 4 of a tensor with 4 axes [axis]"),
    ("- quantize_linear: {scale: 1, zero_point: 256}", "zero_point is 256 [range]"),
    ("- dequantize_linear: {scale: 1}", "it dequantises float32"),
    ("- qlinear_conv: {filters: 4, kernel: 3}", "[dtype]"),
    ("- quantize_linear: {scale: 1}\n- qlinear_conv: {filters: 4, kernel: 3, group: 3}", "4 input channels cannot be split into 3"),
    ("- conv_integer: {of: x, filters: 4, kernel: 3}", "conv_integer joins 1 tensors [arity]"),
    ("- matmul_integer: [x]", "matmul_integer joins 1 tensors [arity]\n    rule: matmul_integer has 2 or 3 or 4 tensors"),
    ("- deform_conv: {of: [x, x], filters: 4, kernel: 3}", "its offset has shape [2, 4, 6, 5] [offset-shape]"),
    ("- deform_conv: {of: [x], filters: 4, kernel: 3}", "deform_conv joins 1 tensors [arity]"),
    ("- max_unpool: {of: [x, x], kernel: 2}", "its places are float32 [dtype]"),
    ("- max_unpool: {of: [x, [max_pool_indices: 1]], kernel: 2, pad: 9}", "[2, 4, 6, 5] unpools to [-6, -8] [unpool-shape]"),
    ("- cast: float16\n- conv: {filters: 4, kernel: 3, int8: per_filter}", "int8 weights on float16 [dtype]"),
    ("- dense: {features: 4, last_axis: true, int8: per_tensor}", "int8 with last_axis [int8]"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "told"), REFUSED)
def test_what_is_refused(layers: str, told: str) -> None:
    with pytest.raises(SpecError) as found:
        graph(layers)
    assert told in "\n".join(map(str, found.value.diagnostics))
