"""Comparisons, logic and choices: every model that is written gives what onnxruntime and plain Python say."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.errors import Refusal
from onnxconv.execute import run
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import (
    COMPARISONS,
    And,
    Comparison,
    Equal,
    Less,
    Not,
    Operator,
    Or,
    Where,
    Xor,
)
from onnxconv.receptive import receptive_fields
from onnxconv.weights import seeded

ANSWERS: dict[type[Operator], Callable[..., bool]] = {
    **dict(zip(COMPARISONS, (operator.eq, operator.lt, operator.le, operator.gt, operator.ge), strict=True)),
    And: lambda a, b: a and b,
    Or: lambda a, b: a or b,
    Xor: lambda a, b: a is not b,
    Not: lambda a: not a,
}
"""Plain Python's answer about two numbers or truth values; of NaN it is IEEE 754's."""
NUMBERS = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, 1.0 + 2.0**-23, -1.0, 2.0**-149]
NEWEST = onnx.defs.onnx_opset_version()


def one(op: Operator, *types: TensorType) -> Graph:
    """The operator on inputs of these types."""
    names = tuple("abc"[: len(types)])
    found = TensorType(op.out_dtype(*(t.dtype for t in types)), op.out_shape(*(t.shape for t in types)))
    return Graph("one", tuple(zip(names, types, strict=True)), (Node("y", op, names, "y", found),), ("y",))


def given(op: Operator, dtype: str) -> list[np.ndarray]:
    """All pairs, the first operand a column."""
    if isinstance(op, Not):
        return [np.array([True, False])]
    if not isinstance(op, Comparison):
        return [np.array([[True], [False]]), np.array([True, False])]
    numbers = np.array(NUMBERS if dtype.startswith("float") else [0, 1, 2, np.iinfo(dtype).min, np.iinfo(dtype).max])
    numbers = numbers.astype(dtype)
    return [numbers[:, None], numbers]


@pytest.mark.parametrize("opset", [13, 17, NEWEST])
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *product(COMPARISONS, ("float32", "float64", "float16", "int32", "int64")),
        *product((And, Or, Xor, Not), ("bool",)),
    ],
    ids=str,
)
def test_answers_are_those_of_python_and_onnx(kind: type[Operator], dtype: str, opset: int) -> None:
    op = kind()
    xs = given(op, dtype)
    graph = one(op, *(TensorType(x.dtype.name, x.shape) for x in xs))
    spread = [x.reshape(-1).tolist() for x in np.broadcast_arrays(*xs)]
    expected = np.array([bool(ANSWERS[kind](*pair)) for pair in zip(*spread, strict=True)])
    expected = expected.reshape(np.broadcast_shapes(*(x.shape for x in xs)))
    arrays = dict(zip("abc", xs, strict=False))
    found = run(graph, seeded(), arrays)["y"]
    assert found.dtype == bool
    np.testing.assert_array_equal(found, expected)
    model = onnx.load_from_string(to_bytes(graph, seeded(), EmitOptions(opset, 10 if opset > 17 else 8)))
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(ReferenceEvaluator(model).run(None, arrays)[0], expected)
    if opset < NEWEST:  # onnxruntime 1.32 knows fewer opsets
        session = onnxruntime.InferenceSession(model.SerializeToString())
        np.testing.assert_array_equal(session.run(None, arrays)[0], expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_where_takes_what_is_chosen_as_it_is(dtype: str) -> None:
    """NaN and infinities on the side that is not chosen do not show, and −0 stays −0 (onnxruntime 1.32 makes it +0)."""
    condition = np.array([[True], [False]])
    whole = np.array([1, 0, 1])
    one_, other = whole.astype(dtype), (1 - whole).astype(dtype)
    if dtype.startswith("float"):
        one_, other = np.array([np.nan, -0.0, 1], dtype), np.array([np.inf, 2, np.nan], dtype)
    graph = one(Where(), TensorType("bool", (2, 1)), TensorType(dtype, (3,)), TensorType(dtype, (3,)))
    arrays = {"a": condition, "b": one_, "c": other}
    found = run(graph, seeded(), arrays)["y"]
    expected = np.stack([one_, other])
    assert found.tobytes() == expected.tobytes()
    if dtype == "bool":  # onnxruntime 1.32 has no Where of truth values
        np.testing.assert_array_equal(
            ReferenceEvaluator(onnx.load_from_string(to_bytes(graph, seeded()))).run(None, arrays)[0], expected
        )
        return
    session = onnxruntime.InferenceSession(to_bytes(graph, seeded()))
    np.testing.assert_array_equal(session.run(None, arrays)[0], expected)


@pytest.mark.parametrize(
    ("op", "dtypes"),
    [
        (Less(), ("float32", "float64")),
        (And(), ("bool", "float32")),
        (Not(), ("int64",)),
        (Where(), ("float32", "float32", "float32")),
        (Where(), ("bool", "float32", "int64")),
    ],
    ids=str,
)
def test_data_types_that_do_not_fit_are_refused(op: Operator, dtypes: tuple[str, ...]) -> None:
    with pytest.raises(Refusal) as found:
        op.out_dtype(*dtypes)
    assert found.value.code == "dtype"


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(Refusal, match="choose between"):
        Where().out_shape((2, 3), (2, 3), (4,))


def test_a_choice_sees_its_condition_and_both_sides() -> None:
    """A broadcast operand is seen at its only position."""
    graph = one(
        Where(), TensorType("bool", (1, 3, 1)), TensorType("float32", (1, 3, 5)), TensorType("float32", (1, 1, 5))
    )
    fields = receptive_fields(graph)["y"]
    assert {name: axes[0].size() for name, axes in fields.items()} == {"a": 1, "b": 1, "c": 1}


def test_equal_numbers_of_64_bits_are_told_apart() -> None:
    """2^53 and 2^53 + 1 are one number to float64."""
    xs = {"a": np.array([2**53, 2**53]), "b": np.array([2**53 + 1, 2**53])}
    graph = one(Equal(), TensorType("int64", (2,)), TensorType("int64", (2,)))
    assert run(graph, seeded(), xs)["y"].tolist() == [False, True]
