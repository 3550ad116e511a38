"""Joins that broadcast axes of size 1: squeeze-and-excitation from a spec to onnxruntime and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from verify.in_process import InProcess

from onnxconv.emit import EmitOptions, save, to_bytes
from onnxconv.errors import SpecError
from onnxconv.execute import run
from onnxconv.geometry import WHOLE, Field, Reach
from onnxconv.graph import Graph
from onnxconv.load import load
from onnxconv.ops import BROADCAST, POINT, Add, Mul
from onnxconv.receptive import receptive_fields
from onnxconv.resolve import resolve
from onnxconv.spec import parse
from onnxconv.verify import Verdict
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.exact import exact
from onnxconv.verify.routing import routing
from onnxconv.weights import seeded

EXCITED = """
inputs: {x: 'float32[N, 8, 9, 8]'}
blocks:
  squeeze_excite:
    parameters: {squeezed, channels}
    layers:
      - mul:
          - - global_average_pool
            - conv: {filters: squeezed, kernel: 1}
            - relu
            - conv: {filters: channels, kernel: 1}
            - hard_sigmoid: {alpha: 1, beta: 0.5}
          - []
layers:
  - conv: {filters: 8, kernel: 3, pad: 1}
  - squeeze_excite: {squeezed: 2, channels: 8}
  - conv: {filters: 4, kernel: 3}
"""


def excited() -> Graph:
    return resolve(parse(EXCITED))


def test_squeeze_and_excitation_equals_torch() -> None:
    torch = pytest.importorskip("torch")
    functional, graph, weights = torch.nn.functional, excited(), seeded(4)
    x = np.random.default_rng(0).standard_normal((2, 8, 9, 8)).astype(np.float32)
    by_layer = [torch.from_numpy(weights[param].astype(np.float64)) for param in graph.params()]
    first, squeeze, excite, last = (by_layer[i : i + 2] for i in range(0, 8, 2))
    y = functional.conv2d(torch.from_numpy(x.astype(np.float64)), *first, padding=1)
    gate = functional.relu(functional.conv2d(y.mean((2, 3), keepdim=True), *squeeze))
    gate = (functional.conv2d(gate, *excite) + 0.5).clip(0, 1)
    expected = functional.conv2d(y * gate, *last).numpy()
    np.testing.assert_allclose(run(graph, weights, {"x": x})[graph.outputs[0]], expected, rtol=1e-6, atol=1e-6)


def test_squeeze_and_excitation_passes_every_probe() -> None:
    case: Any = Case(excited(), seeded(3), InProcess())  # type: ignore[arg-type]
    for probe in (exact, bound, routing):
        assert [f.verdict for f in probe(case)] == [Verdict.PASS]


def test_squeeze_and_excitation_comes_back(tmp_path: Path) -> None:
    save(excited(), seeded(), tmp_path / "m.onnx")
    loaded, weights = load(tmp_path / "m.onnx")
    assert [(n.op, n.inputs, n.type) for n in loaded.nodes] == [(n.op, n.inputs, n.type) for n in excited().nodes]
    assert to_bytes(loaded, weights) == to_bytes(excited(), seeded())


def test_a_sum_of_three_declares_the_shapes_between() -> None:
    text = "inputs: {x: 'float32[N, 4, 1, 3]', y: 'float32[N, 1, 5, 1]', z: 'float32[N, 4, 5, 1]'}\nlayers:\n- add: [x, y, z]"
    graph = resolve(parse(text))
    model = onnx.load_from_string(to_bytes(graph, seeded(), EmitOptions(every_tensor=True)))
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert list(inferred.graph.value_info) == list(model.graph.value_info)
    rng = np.random.default_rng(0)
    arrays = {name: rng.integers(-9, 9, (2, *t.shape[1:])).astype(np.float32) for name, t in graph.inputs}
    (y,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, arrays)
    np.testing.assert_array_equal(y, arrays["x"] + arrays["y"] + arrays["z"])


def test_every_position_behind_the_gate_sees_everything() -> None:
    graph = excited()
    assert receptive_fields(graph)[graph.outputs[0]]["x"] == (Reach((), aligned=True, whole=True),) * 2


def test_an_input_of_one_position_is_seen_there_by_all() -> None:
    graph = resolve(parse("inputs: {x: 'float32[N, 2, 5]', z: 'float32[N, 2, 1]'}\nlayers:\n- add: [x, z]"))
    fields = receptive_fields(graph)["add"]
    assert [fields["z"][0].at(o) for o in (0, 1, 4)] == [(0, 1)] * 3
    assert [fields["x"][0].at(o) for o in (0, 1, 4)] == [(0, 1), (1, 1), (4, 1)]
    assert fields["z"][0].fields == (Field(0, ((0, 1),)),)
    assert WHOLE not in fields["z"]


def test_shapes_and_footprints() -> None:
    assert Mul().out_shape(("N", 4, "H", 1), ("N", 1, 1, "W")) == ("N", 4, "H", "W")
    assert Add().footprint(("N", 4, "H", 1), ("N", 4, 1, 7)) == (
        (POINT, POINT, POINT, BROADCAST),
        (POINT, POINT, BROADCAST, POINT),
    )
    assert Add().footprint((1, 4, 1), (1, 4, 1)) == ((POINT,) * 3,) * 2


@pytest.mark.parametrize("other", ["N, 4, 3, 8", "2, 4, 9, 8", "N, 4, 8", "N, 2, 9, 8", "N, 4, 9, 8, 1"])
def test_other_sizes_are_refused(other: str) -> None:
    text = f"inputs: {{x: 'float32[N, 4, 9, 8]', z: 'float32[{other}]'}}\nlayers:\n- mul: [x, z]"
    with pytest.raises(SpecError, match="cannot multiply"):
        resolve(parse(text))
