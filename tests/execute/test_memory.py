"""Places of tensors in memory: no two that are alive together overlap, and little is wasted."""

from __future__ import annotations

import tracemalloc
from itertools import combinations

import numpy as np
from execute.test_fast import SAME, chain
from hypothesis import given
from hypothesis import strategies as st

from onnxconv.cost import costs
from onnxconv.execute.fast import Program, make_plan
from onnxconv.execute.fast.memory import ALIGNMENT, Lifetime, placed
from onnxconv.geometry import Axis
from onnxconv.ops import Add, Conv, MaxPool, Relu

lives = st.tuples(st.integers(0, 5000), st.integers(0, 20), st.integers(0, 6)).map(
    lambda t: Lifetime(t[0], t[1], t[1] + t[2])
)


@given(st.lists(lives, max_size=12))
def test_no_two_tensors_alive_together_overlap(found: list[Lifetime]) -> None:
    tensors = {str(i): life for i, life in enumerate(found)}
    offsets, total = placed(tensors)
    assert set(offsets) == set(tensors)
    for name, life in tensors.items():
        assert offsets[name] % ALIGNMENT == 0
        assert 0 <= offsets[name] <= offsets[name] + life.bytes <= total
    for (a, one), (b, other) in combinations(tensors.items(), 2):
        if one.first <= other.last and other.first <= one.last and one.bytes and other.bytes:
            assert offsets[a] + one.bytes <= offsets[b] or offsets[b] + other.bytes <= offsets[a]


def test_a_run_takes_little_more_than_the_tensors_alive() -> None:
    """Ten residual units: what the report calls the peak of activations, and at most 1.3 times as much while it runs."""
    layers, last = [], "x"
    for i in range(10):
        layers += [
            (f"a{i}", Conv(SAME, 16), (last,)),
            (f"r{i}", Relu(), (f"a{i}",)),
            (f"b{i}", Conv(SAME, 16), (f"r{i}",)),
            (f"s{i}", Add(), (f"b{i}", last)),
        ]
        last = f"s{i}"
    layers.append(("y", MaxPool((Axis(16, 16),) * 2), (last,)))
    graph = chain(*layers, shape=(1, 16, 160, 160), outputs=("y",))
    w = {p: np.ones(p.shape, np.float32) for p in graph.params()}
    x = np.ones((1, 16, 160, 160), np.float32)
    plan = make_plan(graph, w, {"x": x.shape})
    tracemalloc.start()
    Program(plan, 1).run({"x": x})
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    peak = costs(graph).totals.peak_activation_bytes
    assert peak is not None
    assert used + x.nbytes <= 1.3 * peak + (2 << 20)
