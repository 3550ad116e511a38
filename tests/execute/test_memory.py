"""Places of tensors in memory: no two that are alive together overlap, and little is wasted."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from execute.test_fast import SAME, chain, planned, whole_numbers
from hypothesis import given
from hypothesis import strategies as st

from onnxconv.cost import costs
from onnxconv.execute.fast import Program, bands, make_plan
from onnxconv.execute.fast.memory import ALIGNMENT, Lifetime, placed
from onnxconv.geometry import Axis
from onnxconv.ops import Add, AveragePool, BatchNorm, Conv, MaxPool, Relu

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


FIRST_BLOCK = (
    ("c1", Conv(SAME, 8), ("x",)),
    ("n1", BatchNorm(0.0), ("c1",)),
    ("r1", Relu(), ("n1",)),
    ("c2", Conv((Axis(5, 2, 1, (3, 2)), Axis(3)), 8), ("r1",)),
    ("p", MaxPool((Axis(3, 2, pad=(1, 1)),) * 2), ("c2",)),
    ("q", AveragePool((Axis(2, 1, 2, (1, 1)),) * 2), ("p",)),
)


@pytest.mark.parametrize("limit", [300, 4000])
def test_bands_make_the_whole(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain(*FIRST_BLOCK, shape=(2, 3, 41, 23), outputs=("q",))
    w, inputs = whole_numbers(graph)
    expected = planned(graph, w, inputs)["q"]
    assert len(make_plan(graph, w, {"x": (2, 3, 41, 23)}).steps) == 4
    monkeypatch.setattr(bands, "LARGE", 0)
    monkeypatch.setattr(bands, "BAND", limit)
    plan = make_plan(graph, w, {"x": (2, 3, 41, 23)})
    assert [len(step.nodes) for step in plan.steps] == [6]
    assert len(plan.steps[0].kernel.blocks) > 2
    assert not plan.offsets
    for threads in (1, 2):
        np.testing.assert_array_equal(Program(plan, threads).run(inputs)["q"], expected)


LARGE = """
import sys
import numpy as np
from execute.test_fast import SAME, chain
from onnxconv.execute.fast import Program, bands, make_plan
from onnxconv.geometry import Axis
from onnxconv.ops import Conv, MaxPool, Relu

layers = [("a", Conv(SAME, 64), ("x",)), ("b", Relu(), ("a",)), ("c", Conv(SAME, 64), ("b",)), ("d", Relu(), ("c",))]
layers.append(("y", MaxPool((Axis(2, 2),) * 2), ("d",)))
shape = (1, 3, int(sys.argv[1]), int(sys.argv[1]))
graph = chain(*layers, shape=shape, outputs=("y",))
x, w = np.ones(shape, np.float32), {p: np.full(p.shape, 2.0**-4, np.float32) for p in graph.params()}
y = Program(make_plan(graph, w, {"x": shape}), 1).run({"x": x})["y"]
with open("/proc/self/status") as status:  # ru_maxrss begins with what the parent held
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
print(float(y[0, 3, 9, 9]), peak, x.nbytes + y.nbytes)
"""


@pytest.mark.slow
def test_a_large_image_takes_little_more_than_what_goes_in_and_out() -> None:
    """VGG-16's first block on 1408² pixels: 508 MB between its layers, twice, which are never there as a whole."""
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", LARGE, "1408"], capture_output=True, text=True, check=True, env={**os.environ, **paths}
    )
    value, used, in_and_out = map(float, done.stdout.split())
    assert value == 64 * 9 * (27 / 16 + 1 / 16) / 16 + 1 / 16
    assert used < in_and_out + (250 << 20)
