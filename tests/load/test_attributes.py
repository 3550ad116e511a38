"""Every attribute that an operator has in some opset is read, or stands here with the reason why it is not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from oracles.hand_models import integers, model, one, saved

from onnxconv.errors import ModelError
from onnxconv.execute import run
from onnxconv.load import READERS, load
from onnxconv.load.fold import FOLDS
from onnxconv.load.step import Reading

SKIPPED = {
    "consumed_inputs": "a hint about memory, opset 1",
    "round_mode": "of float8e8m0, which is no type of a tensor here",
    "saturate": "of 8-bit floats, which are no types of tensors here",
    "seed": "of what is drawn in training, which is refused",
    "stash_type": "the precision of an evaluation, which the bound allows for",
}
PLACED = "where the second operand of an old join lies: refused for all nodes, see `check_placed`"
OF_ONE: dict[tuple[str, str], str] = {
    ("Upsample", "height_scale"): "opset 1: without `scales` it is refused",
    ("Upsample", "width_scale"): "opset 1: without `scales` it is refused",
}


def _functions(function: Callable[..., Any]) -> Iterator[FunctionType]:
    """The functions of the reader's room that a function may call, itself included."""
    met: set[Any] = set()
    todo: list[Any] = [function]
    while todo:
        found = todo.pop()
        found = found.__func__ if isinstance(found, MethodType) else found
        if not isinstance(found, FunctionType) or found in met or not found.__module__.startswith("onnxconv.load"):
            continue
        met.add(found)
        yield found
        todo += [cell.cell_contents for cell in found.__closure__ or ()]
        modules = filter(inspect.ismodule, found.__globals__.values())
        rooms = [module for module in modules if module.__name__.startswith("onnxconv.load")]
        for name in (name for code in _codes(found.__code__) for name in code.co_names):
            todo += [found.__globals__.get(name), inspect.getattr_static(Reading, name, None)]
            todo += [vars(module).get(name) for module in rooms]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _said(constant: Any) -> set[str]:
    if isinstance(constant, tuple):
        return {text for inner in constant for text in _said(inner)}
    return {constant} if isinstance(constant, str) else set()


def _mentioned(function: Callable[..., Any]) -> set[str]:
    codes = (code for found in _functions(function) for code in _codes(found.__code__))
    return {text for code in codes for constant in code.co_consts for text in _said(constant)}


def _attributes(operator: str) -> Iterator[tuple[str, str]]:
    """(attribute, "" or why it may be ignored), of all opsets."""
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name == operator and not schema.deprecated:
            placed = {"axis", "broadcast"} <= set(schema.attributes)
            for name in schema.attributes:
                alone = PLACED if name == "broadcast" or (placed and name == "axis") else ""
                yield name, alone or SKIPPED.get(name, "") or OF_ONE.get((operator, name), "")


def test_the_search_finds_what_is_read_and_nothing_else() -> None:
    assert {"transA", "beta"} <= _mentioned(READERS["Gemm"])
    assert "axes" in _mentioned(READERS["ReduceMean"])
    assert "ceil_mode" in _mentioned(READERS["MaxPool"])
    assert not {"transA", "ceil_mode", "blocksize"} & _mentioned(READERS["Softmax"])


@pytest.mark.parametrize("table", [READERS, FOLDS], ids=["readers", "folds"])
def test_no_attribute_is_ignored(table: dict[str, Callable[..., Any]]) -> None:
    ignored = {
        f"{operator}.{name}"
        for operator, function in table.items()
        for name, excuse in _attributes(operator)
        if not excuse and name not in _mentioned(function)
    }
    assert not ignored


def test_no_excuse_is_left_over() -> None:
    every = {(operator, name) for operator in (*READERS, *FOLDS) for name, _ in _attributes(operator)}
    assert OF_ONE.keys() <= every
    assert SKIPPED.keys() <= {name for _, name in every}


ACROSS = [("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide), ("Pow", np.power)]


@pytest.mark.parametrize(("op", "meaning"), ACROSS)
def test_an_old_join_is_placed_at_the_end_or_refused(op: str, meaning: np.ufunc, tmp_path: Path) -> None:
    """The sizes would broadcast from behind too, to another result."""
    c = integers((3,), low=1)
    path = saved(one(op, (2, 3, 3), {"c": c}, opset=6, broadcast=1, axis=1), tmp_path)
    with pytest.raises(ModelError, match="from axis 1 on"):
        load(path)
    graph, weights = load(saved(one(op, (2, 3, 3), {"c": c}, opset=6, broadcast=1, axis=2), tmp_path))
    x = integers((2, 3, 3), low=1)
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], meaning(x, c))


def test_an_old_bias_along_the_rows_is_none(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["y"], broadcast=1, axis=0),
    ]
    held = {"w": integers((3, 3)), "b": integers((3,))}
    with pytest.raises(ModelError, match="from axis 0 on"):
        load(saved(model(nodes, {"x": (3, 3)}, held, opset=6), tmp_path))
