"""Random arithmetic on sizes left open: what is read of it is what onnxruntime computes, at whatever sizes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meaning import by_onnxruntime
from onnx import helper
from oracles.hand_models import integers, model, saved

from onnxconv.emit import to_bytes
from onnxconv.errors import ModelError
from onnxconv.execute import run
from onnxconv.load import load

OPERATORS = ("Add", "Sub", "Mul", "Div", "Mod", "Max", "Min")
Chain = list[tuple[str, int, int]]


def node(op: str, inputs: list[str], output: str, **attributes: int) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], **attributes)


def spread(chain: Chain, last: list[int]) -> onnx.ModelProto:
    """A number expanded to sizes computed from those of x[N, 4, H]: each link joins two values known before it."""
    nodes = [node("Shape", ["x"], "s")]
    held = {f"i{axis}": np.array([axis]) for axis in range(3)} | {f"c{n}": np.array([n]) for n in (1, 2, 3, 4)}
    nodes += [node("Gather", ["s", f"i{axis}"], f"v{axis}") for axis in range(3)]
    known = [*(f"v{axis}" for axis in range(3)), *(f"c{n}" for n in (1, 2, 3, 4))]
    for link, (op, a, b) in enumerate(chain):
        nodes.append(node(op, [known[a % len(known)], known[b % len(known)]], f"r{link}"))
        known.append(f"r{link}")
    nodes.append(node("Concat", [known[-1 - i % len(known)] for i in last], "to", axis=0))
    nodes += [node("Expand", ["c", "to"], "e"), node("ReduceSum", ["x"], "t", keepdims=0), node("Mul", ["e", "t"], "y")]
    return model(nodes, {"x": ("N", 4, "H")}, held | {"c": np.ones(1, np.float32)})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(OPERATORS), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6),
    st.lists(st.integers(0, 2), min_size=1, max_size=2),
    st.tuples(st.integers(1, 5), st.integers(1, 6)),
)
def test_sizes_are_what_onnxruntime_computes(chain: Chain, last: list[int], sizes: tuple[int, int]) -> None:
    proto = spread(chain, last)
    x = integers((sizes[0], 4, sizes[1]), low=1)
    with tempfile.TemporaryDirectory() as folder:
        try:
            graph, weights = load(saved(proto, Path(folder)))
        except ModelError:
            return
        try:
            expected = by_onnxruntime(proto.SerializeToString(), x)
        except (onnxruntime.capi.onnxruntime_pybind11_state.Fail, RuntimeError):
            return
    if expected.size == 0 or expected.size > 1 << 16:
        return
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], expected)
    np.testing.assert_array_equal(by_onnxruntime(to_bytes(graph, weights), x), expected)
