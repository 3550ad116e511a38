"""Arithmetic of ONNX models: constants as operands, ranks that differ, norms in several nodes, and what counts as learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
from onnx import helper
from oracles.hand_models import integers, model, one, saved

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.execute import run
from onnxconv.geometry import Field
from onnxconv.load import load
from onnxconv.receptive import receptive_fields

X = (2, 3, 4, 8)
ROW = np.linspace(0.5, 2, 8).astype(np.float32)
CASES: list[tuple[str, dict[str, np.ndarray], int, dict[str, Any]]] = [
    ("Add", {"c": integers((8,))}, 17, {}),
    ("Sub", {"c": integers((3, 1, 1))}, 17, {}),
    ("Mul", {"c": np.float32(0.5)}, 17, {}),
    ("Div", {"c": integers((5, 1, 3, 1, 1)) + np.float32(0.5)}, 17, {}),
    ("Pow", {"c": np.array(2)}, 17, {}),
    ("Pow", {"c": np.array([3.0])}, 17, {}),
    ("Max", {"c": integers((4, 8)), "d": np.float32(0)}, 17, {}),
    ("Min", {"c": integers((1, 1, 4, 1))}, 8, {}),
    ("Mean", {"c": ROW, "d": integers((3, 1, 1))}, 13, {}),
    ("MatMul", {"c": integers((8, 5))}, 17, {}),
    ("MatMul", {"c": ROW}, 17, {}),
    ("LayerNormalization", {"w": ROW, "b": ROW}, 17, {}),
    ("LayerNormalization", {"w": ROW}, 17, {"axis": -2}),
    ("RMSNormalization", {"w": ROW}, 23, {"epsilon": 0.1}),
    ("RMSNormalization", {"w": integers((4, 8))}, 23, {"axis": 2}),
    ("Swish", {}, 24, {}),
    ("Swish", {}, 24, {"alpha": 0.3}),
    ("ReduceMax", {"a": np.array([-1, 1])}, 20, {"keepdims": 0}),
    ("ReduceL2", {}, 13, {"axes": [1]}),
    ("ReduceSum", {"a": np.array([], np.int64)}, 13, {"noop_with_empty_axes": 1}),
    ("ReduceProd", {}, 11, {}),
    *((f"Reduce{name}", {}, 18, {"noop_with_empty_axes": 1}) for name in ("L1", "L2", "SumSquare", "Mean", "Max")),
]


@pytest.mark.parametrize(
    ("op", "constants", "opset", "attributes"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_it_means_what_the_reference_evaluator_says(
    op: str, constants: dict[str, np.ndarray], opset: int, attributes: dict[str, Any], tmp_path: Path
) -> None:
    """As loaded, and as emitted again."""
    proto = one(op, X, constants, opset=opset, **attributes)
    x = np.random.default_rng(3).standard_normal(X).astype(np.float32)
    (expected,) = onnx.reference.ReferenceEvaluator(proto).run(None, {"x": x})
    graph, weights = load(saved(proto, tmp_path))
    again = onnx.load_from_string(to_bytes(graph, weights, EmitOptions(max(17, opset), 10)))
    onnx.checker.check_model(again, full_check=True)
    (emitted,) = onnx.reference.ReferenceEvaluator(again).run(None, {"x": x})
    for y in (run(graph, weights, {"x": x})[graph.outputs[0]], emitted):
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y, expected, rtol=3e-6, atol=3e-6)


def test_a_single_number_is_not_learned(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "half"], ["h"]),
        helper.make_node("Add", ["offsets", "h"], ["a"]),
        helper.make_node("Pow", ["a", "half"], ["y"]),
    ]
    constants = {"half": np.float32(0.5), "offsets": integers((3, 1))}
    graph, weights = load(saved(model(nodes, {"x": ("N", 3, 5)}, constants), tmp_path))
    assert {param.name: param.learned for param in graph.params()} == {"half": 0, "offsets": 3}
    assert [node.name for node in graph.nodes if node.op.kind == "Constant"] == ["half", "offsets"]
    assert {p.name: weights[p].tolist() for p in graph.params()} == {n: c.tolist() for n, c in constants.items()}


def test_what_a_matrix_product_and_an_aligned_sum_see(tmp_path: Path) -> None:
    """x[N, 3, 5] + z[5]: the last axes lie upon each other. a · b: rows of a, columns of b."""
    inputs = {"x": (1, 3, 5), "z": (5,), "v": (1, 5, 6)}
    nodes = [helper.make_node("Add", ["x", "z"], ["s"]), helper.make_node("MatMul", ["s", "v"], ["y"])]
    graph, _ = load(saved(model(nodes, inputs, {}), tmp_path))
    seen = receptive_fields(graph)
    assert seen["s"]["x"][0].fields == (Field(1, ((0, 1),)),)
    assert seen["y"]["x"][0].whole
    assert seen["y"]["v"][0].fields == (Field(1, ((0, 1),)),)
