"""Pads of every opset, along any axis and with either sign, mean what onnxruntime says they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from meaning import assert_means_the_same
from onnx import TensorProto, helper, numpy_helper
from oracles.hand_models import integers, one, saved

from onnxconv.errors import ModelError
from onnxconv.execute import run
from onnxconv.load import load
from onnxconv.ops import Pad

SHAPE = (2, 3, 5, 6)
PADS = [
    [0, 0, 1, 2, 0, 0, 3, 0],
    [0, 0, -1, 2, 0, 0, 3, -2],
    [0, 0, -2, -1, 0, 0, -1, -3],
    [0, 1, 0, 0, 0, 2, 0, 0],
    [1, 0, 1, 0, 0, -1, 2, 1],
]


def padded(opset: int, pads: list[int], mode: str, **rest: np.ndarray) -> Any:
    if opset < 11:
        return one("Pad", SHAPE, opset=opset, mode=mode, pads=pads, **({"value": 2.5} if mode == "constant" else {}))
    value = {"v": np.float32(2.5)} if mode == "constant" else {"_v": np.zeros(())}
    return one("Pad", SHAPE, {"p": np.array(pads), **value, **rest}, opset, mode=mode)


@pytest.mark.parametrize("opset", [7, 11, 13, 18, 19, 21, 23])
@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", PADS, ids=str)
def test_pads(opset: int, mode: str, pads: list[int], tmp_path: Path) -> None:
    if mode == "wrap" and opset < 19:
        with pytest.raises(ModelError, match="since opset 19"):
            load(saved(padded(opset, pads, mode), tmp_path))
        return
    assert_means_the_same(padded(opset, pads, mode), integers(SHAPE, 1), tmp_path)


@pytest.mark.parametrize("axes", [[2, 3], [-1, 2], [1, 0]])
def test_axes(axes: list[int], tmp_path: Path) -> None:
    proto = padded(18, [1, 0, 2, 1], "constant", axes=np.array(axes))
    assert_means_the_same(proto, integers(SHAPE, 1), tmp_path)


@pytest.mark.parametrize(
    ("dtype", "value"), [(np.int64, 2**40), (np.int8, -7), (np.uint8, 200), (np.float64, 0.5), (bool, True)]
)
def test_values_of_any_data_type(dtype: Any, value: Any, tmp_path: Path) -> None:
    """The value itself, beyond what float32 can hold. Plain slices say what is meant."""
    number = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [helper.make_node("Pad", ["x", "p", "v"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", number, [1, 1, 4])],
        [helper.make_tensor_value_info("y", number, None)],
        [
            numpy_helper.from_array(np.array([0, 0, 2, 0, 0, -1]), "p"),
            numpy_helper.from_array(np.array(value, dtype), "v"),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert TensorProto.DataType.Name(number)
    x = np.array([[[1, 0, 1, 1]]], dtype)
    loaded, weights = load(saved(proto, tmp_path))
    y = run(loaded, weights, {"x": x})["y"]
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.array([[[value, value, 1, 0, 1]]], dtype))


def test_what_is_read(tmp_path: Path) -> None:
    """Pads of space alone begin there; else with the batch."""
    for pads, op in (
        ([0, 0, 1, 2, 0, 0, 3, 0], Pad(((1, 3), (2, 0)), "edge")),
        ([0, 1, 0, 0, 0, 0, 0, 0], Pad(((0, 0), (1, 0), (0, 0), (0, 0)), "edge", first=0)),
    ):
        assert load(saved(padded(13, pads, "edge"), tmp_path))[0].nodes[0].op == op


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize(
    ("shape", "pads"),
    [((2, 5), (0, 1, 0, 2)), ((2, 5), (1, 0, 0, 3)), ((2, 3, 5), (0, 1, 2, 0, 2, 1)), ((4,), (1, 2)), ((2, 3), (0, 0, 0, 0))],
    ids=str,
)  # fmt: skip
def test_tensors_of_few_axes(shape: tuple[int, ...], pads: tuple[int, ...], mode: str, tmp_path: Path) -> None:
    assert_means_the_same(one("Pad", shape, {"p": np.array(pads)}, mode=mode), integers(shape, 1), tmp_path)
