"""Deformable convolutions: as onnxruntime computes them, and plain ones where nothing is moved or all by whole pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import helper
from oracles import loops
from oracles.hand_models import integers, model, saved

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.errors import ModelError
from onnxconv.execute import run
from onnxconv.geometry import Axis
from onnxconv.load import load
from onnxconv.ops import DeformConv
from onnxconv.receptive import receptive_fields

DEEP = [
    {},
    {"strides": [2, 1], "pads": [1, 0, 2, 1]},
    {"dilations": [1, 2], "pads": [1, 1, 1, 1]},
    {"group": 2, "offset_group": 2, "pads": [1, 1, 1, 1]},
    {"offset_group": 4},
]


def normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("attributes", DEEP, ids=str)
@pytest.mark.parametrize("parts", ["", "b", "m", "bm"])
def test_as_onnxruntime_has_it(attributes: dict[str, object], parts: str, tmp_path: Path) -> None:
    w, groups = normal((6, 4 // attributes.get("group", 1), 3, 2), 1), attributes.get("offset_group", 1)
    pads, strides = attributes.get("pads", [0] * 4), attributes.get("strides", [1, 1])
    dilations = attributes.get("dilations", [1, 1])
    outs = [
        (n + pads[i] + pads[i + 2] - (k - 1) * dilations[i] - 1) // strides[i] + 1
        for i, (n, k) in enumerate(((7, 3), (6, 2)))
    ]
    arrays = {"x": normal((2, 4, 7, 6), 2), "o": 2 * normal((2, groups * 12, *outs), 3)}
    if "m" in parts:
        arrays["m"] = normal((2, groups * 6, *outs), 4)
    operands = [
        "x",
        "w",
        "o",
        *(["b"] if "b" in parts else [""] if "m" in parts else []),
        *(["m"] if "m" in parts else []),
    ]
    constants = {"w": w} | ({"b": normal((6,), 5)} if "b" in parts else {})
    node = helper.make_node("DeformConv", operands, ["y"], kernel_shape=[3, 2], **attributes)
    proto = model([node], {name: a.shape for name, a in arrays.items()}, constants, opset=19)
    graph, weights = load(saved(proto, tmp_path))
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, arrays)[0]
    found = run(graph, weights, arrays)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    again = onnxruntime.InferenceSession(to_bytes(graph, weights, EmitOptions(opset=19))).run(None, arrays)[0]
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("by", [0, 1, -2])
def test_moved_by_whole_pixels_it_is_a_plain_one(rank: int, by: int) -> None:
    """A window moved along the first axis reads as one of other pads."""
    sizes, kernel = (6, 5, 4)[:rank], (3, 2, 2)[:rank]
    x, w = integers((2, 4, *sizes), 1).astype(np.float64), integers((6, 2, *kernel), 2).astype(np.float64)
    op = DeformConv(tuple(Axis(k, pad=(1, 1)) for k in kernel), 6, 2, bias=False)
    ones = [1] * rank
    begins, ends = [1 - by, *ones[1:]], [1 + by, *ones[1:]]
    expected, macs, _ = loops.conv(x, w, None, ones, ones, begins, ends, 2)
    outs = expected.shape[2:]
    offset = np.zeros((2, int(np.prod(kernel)), rank, *outs))
    offset[:, :, 0] = by
    found = op.define(x, offset.reshape(2, -1, *outs), weight=w)
    np.testing.assert_array_equal(found, expected)
    assert op.work(x.shape, (2, offset[0, :, :].size // int(np.prod(outs)), *outs)).macs == macs


def test_it_may_see_any_pixel(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["o"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("DeformConv", ["x", "w", "o"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    ]
    constants = {"v": normal((18, 2, 3, 3), 1), "w": normal((4, 2, 3, 3), 2)}
    graph, _ = load(saved(model(nodes, {"x": (1, 2, 20, 20)}, constants, opset=19), tmp_path))
    (reach,) = receptive_fields(graph)["y"].values()
    assert [axis.whole for axis in reach] == [True, True]


@pytest.mark.parametrize(
    ("shape", "says"), [((1, 17, 5, 5), "its offset has shape"), ((1, 18, 4, 5), "here that is [1, 18, 5, 5]")]
)
def test_offsets_of_another_shape_are_refused(shape: tuple[int, ...], says: str, tmp_path: Path) -> None:
    node = helper.make_node("DeformConv", ["x", "w", "o"], ["y"], pads=[1, 1, 1, 1])
    proto = model([node], {"x": (1, 2, 5, 5), "o": shape}, {"w": normal((4, 2, 3, 3), 2)}, opset=19)
    with pytest.raises(ModelError) as refused:
        load(saved(proto, tmp_path))
    assert says in str(refused.value)
