"""What is not understood is told once for each reason, the causes first; nothing is left out of JSON."""

from __future__ import annotations

from pathlib import Path

from onnx import helper
from oracles.hand_models import model, saved

import onnxconv


def node(op: str, inputs: str, output: str, domain: str = "") -> object:
    return helper.make_node(op, inputs.split(), [output], name=output, domain=domain)


def test_nodes_behind_one_that_is_not_understood_take_one_line(tmp_path: Path) -> None:
    nodes = [
        node("Relu", "x", "a"),
        node("Warp", "a", "w1", "com.example"),
        node("Relu", "w1", "b"),
        node("Warp", "a", "w2", "com.example"),
        node("Neg", "w2", "c"),
        node("Neg", "b", "d"),
        node("Add", "c d", "y"),
    ]
    path = saved(model(nodes, {"x": (1, 2, 3)}, {}), tmp_path)
    report = onnxconv.report(path)
    named = [entry["name"] for entry in report.document["unread"]]
    assert sorted(named) == ["b", "c", "d", "w1", "w2", "y", "y"], "every node, and the output y"
    told = report.render(width=100).partition("not understood\n")[2].splitlines()
    assert told == [
        "  w1 (com.example.Warp): its operator is not known; likewise 1 com.example.Warp",
        "  y (output): it is computed by nodes that are not understood",
        "  b (Relu): its input 'w1' is not known; likewise 2 Neg, 1 Add",
    ]
