"""Networks of integers: exact, and wrapping around where a sum is too large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from nodes.spellings import Spelling, at, by_onnxruntime
from oracles.hand_models import saved

from onnxconv.errors import ModelError
from onnxconv.execute import run, seeded_inputs
from onnxconv.load import load

TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def extremes(dtype: str) -> np.ndarray:
    of = np.iinfo(dtype)
    return np.array([[of.min, of.min + 1, 0, 7, of.max - 1, of.max]], dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_what_is_too_large_wraps_around(op: str, dtype: str, tmp_path: Path) -> None:
    """Modulo 2^bits, by Python's own integers."""
    x = extremes(dtype)
    (spelling,) = at((14,), op, (x, x.copy()))
    graph, weights = load(saved(spelling.model(), tmp_path))
    (found,) = run(graph, weights, spelling.inputs).values()
    bits, of = 8 * x.itemsize, np.iinfo(dtype)
    wanted = [(2 * n if op == "Add" else n * n) for n in map(int, x.reshape(-1))]
    assert found.dtype == x.dtype
    assert [int(n) for n in found.reshape(-1)] == [(n - of.min) % 2**bits + of.min for n in wanted]


NODES: list[Spelling] = [
    *at((12,), "MaxPool", extremes("int8")[None], kernel_shape=[2], pads=[1, 1]),
    *at((12,), "MaxPool", extremes("uint8")[None], kernel_shape=[3], pads=[1, 1]),
    *at((13,), "Clip", extremes("int8"), {"low": np.int8(-3), "high": np.int8(100)}),
    *at((13,), "Clip", extremes("int64"), {"low": np.int64(-(2**40) - 1)}),
    *at((14,), "Relu", extremes("int32")),
]


@pytest.mark.parametrize("spelling", NODES, ids=str)
def test_integers_as_onnxruntime_has_them(spelling: Spelling, tmp_path: Path) -> None:
    graph, weights = load(saved(spelling.model(), tmp_path))
    (found,), (expected,) = (
        run(graph, weights, spelling.inputs).values(),
        by_onnxruntime(spelling.model(), spelling.inputs),
    )
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", TYPES)
def test_inputs_are_drawn_within_the_type(dtype: str, tmp_path: Path) -> None:
    (spelling,) = at((14,), "Add", (np.zeros((40, 50), dtype), np.zeros((40, 50), dtype)))
    graph, _ = load(saved(spelling.model(), tmp_path))
    for drawn in seeded_inputs(graph).values():
        assert drawn.dtype == dtype
        assert len(np.unique(drawn)) > 20
        assert np.abs(drawn.astype(np.float64)).max() < 100


@pytest.mark.parametrize(
    ("spelling", "says"),
    [
        (*at((13,), "Relu", extremes("int8")), "its input 0 ('x0') is int8"),
        (*at((14,), "Add", (extremes("int8"), extremes("int16"))), "is int16, another one int8"),
        (*at((13,), "Clip", extremes("int8"), {"low": np.float32(1)}), "is float32, another one int8"),
    ],
)
def test_types_that_the_opset_does_not_take_are_refused(spelling: Spelling, says: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refused:
        load(saved(spelling.model(), tmp_path))
    assert [d.code for d in refused.value.diagnostics] == ["dtype"]
    assert says in str(refused.value)


def test_a_type_that_numpy_has_not_is_refused(tmp_path: Path) -> None:
    (spelling,) = at((14,), "Relu", np.ones((2, 2), np.float32))
    model = spelling.model()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT8E5M2
    with pytest.raises(ModelError, match="float8e5m2"):
        load(saved(model, tmp_path))
