"""What becomes of special values is told by layer and value, and never blames; nor is order of sums, which is told too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from verify.in_process import InProcess
from verify.sketch import Sketch, window

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.graph import Graph
from onnxconv.ops import Add, AveragePool, BatchNorm, Clip, Concat, Conv, Dense, Flatten, MaxPool, Relu, Sigmoid
from onnxconv.runtimes import RuntimeFailed
from onnxconv.verify import Finding, Verdict, verify
from onnxconv.verify.case import Case
from onnxconv.verify.special import VALUES, special
from onnxconv.weights import Weights, given, seeded

LEAST = 2.0**-126


def net() -> Graph:
    s = Sketch(("N", 3, 12, 11))
    s.add(Conv(window((3, 1, 1, 1, 1), (3, 1, 1, 1, 1)), 4), name="conv")
    s.add(BatchNorm(), name="norm")
    start = s.add(Relu(), name="relu")
    s.add(Concat(1), start, s.conv(4), name="concat")
    s.add(MaxPool(window((3, 2, 1, 1, 1), (3, 2, 1, 1, 1))), name="max")
    s.add(AveragePool(window((2, 2, 1, 0, 0), (2, 2, 1, 0, 0))), name="mean")
    s.add(Flatten())
    s.add(Dense(5), name="dense")
    return s.graph()


class Changed(InProcess):
    """onnxruntime, whose outputs are changed."""

    def __init__(self, after: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__()
        self.after = after

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: self.after(y) for name, y in super().run(inputs).items()}


class Reference:
    """onnx's own evaluator, which shares no code with the executor."""

    def load(self, graph: Graph, weights: Weights) -> None:
        self.evaluator = ReferenceEvaluator(onnx.load_from_string(to_bytes(graph, weights, EmitOptions())))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.evaluator.output_names, self.evaluator.run(None, dict(inputs)), strict=True))


def found(bench: object, graph: Graph | None = None) -> Finding:
    (finding,) = special(Case(graph or net(), seeded(1), bench))  # type: ignore[arg-type]
    return finding


def otherwise(finding: Finding) -> dict[tuple[str, str], str]:
    return {(one.layer, one.of): one.says for one in finding.capabilities if not one.holds}


def test_the_definition_agrees_with_onnx_on_all_values() -> None:
    finding = found(Reference())
    assert finding.verdict is Verdict.PASS
    assert set(otherwise(finding)) == {("max", "NaN"), ("mean", "NaN")}, (
        "onnx 1.23 pads pools with NaN, and skips all NaN"
    )
    asked = {one.layer: {c.of for c in finding.capabilities if c.layer == one.layer} for one in finding.capabilities}
    assert asked["conv"] == asked["dense"] == asked["norm"] == {*VALUES} - {"-0"}
    assert asked["concat"] == {*VALUES} - {"underflow"}
    assert {"NaN", "+Inf", "-0", "subnormal"} <= asked["max"]
    assert all(one.elements > 0 and one.holds is not bool(one.deviating) for one in finding.capabilities)


def test_onnxruntime_loses_nan_in_max_pools_and_nowhere_else() -> None:
    assert {layer for layer, _ in otherwise(found(InProcess()))} <= {"max"}


def test_faults_are_told_by_layer_and_value_and_blame_nobody() -> None:
    def flushed(y: np.ndarray) -> np.ndarray:
        return np.where(np.abs(y) < LEAST, np.float32(0), y)

    finding = found(Changed(flushed))
    assert finding.verdict is Verdict.PASS
    told = {key: says for key, says in otherwise(finding).items() if key[0] != "max"}
    assert told[("conv", "subnormal")] == told[("conv", "underflow")] == "subnormal number flushed to 0"
    assert told[("concat", "-0")] == "-0 became 0"
    assert {value for _, value in told} == {"subnormal", "underflow", "-0"}
    told = otherwise(found(Changed(lambda y: np.nan_to_num(y, nan=0.0, posinf=None, neginf=None))))
    assert told[("relu", "NaN")] == "NaN lost, became 0"
    assert told[("mean", "+Inf")] == "+Inf became 3.4e+38"
    told = otherwise(found(Changed(lambda y: np.where(np.isinf(y), np.float32(np.nan), y))))
    assert told[("relu", "+Inf")] == "+Inf became NaN"


def test_what_appears_from_nowhere_is_told() -> None:
    """0 · NaN of a neighbour, as a Winograd tile makes it, where the definition has a number."""

    def smeared(y: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(y).any(), np.float32(np.nan), y)

    told = otherwise(found(Changed(smeared)))
    assert "number became NaN" in told[("conv", "NaN")]
    assert not {"subnormal", "underflow", "-0"} & {value for _, value in told}


@pytest.mark.parametrize("op", [Relu(), Clip(0.0, 6.0)])
def test_the_sign_of_a_zero_that_is_a_limit_is_not_asked_for(op: object) -> None:
    s = Sketch((1, 2, 5, 5))
    s.add(op)  # type: ignore[arg-type]
    assert "-0" not in {one.of for one in found(InProcess(), s.graph()).capabilities}


def test_sums_of_minus_zeros_and_constants() -> None:
    s = Sketch((1, 2, 5, 5))
    s.add(Add(), "x", "x")
    assert otherwise(found(InProcess(), s.graph())) == {}
    s.add(Sigmoid())
    finding = found(InProcess(), s.graph())
    assert {one.of for one in finding.capabilities if one.op == "Sigmoid"} >= {"NaN", "+Inf", "-Inf"}


def test_float16_has_its_own_subnormal_numbers() -> None:
    s = Sketch((1, 2, 5, 5), "float16")
    s.add(MaxPool(window((2, 1, 1, 0, 0), (2, 1, 1, 0, 0))))
    finding = found(Changed(lambda y: np.where(np.abs(y) < np.float16(2.0**-14), np.float16(0), y)), s.graph())
    assert ("maxpool0", "subnormal") in otherwise(finding)


def test_a_runtime_that_dies_of_a_value_has_failed() -> None:
    class Dying(InProcess):
        def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            if any(np.isinf(x).any() for x in inputs.values()):
                raise RuntimeFailed("died with SIGFPE while running the model")
            return super().run(inputs)

    with pytest.raises(
        RuntimeFailed, match=r"layer 'conv' alone: died with SIGFPE while running the model, given \+Inf"
    ):
        found(Dying())


def checked(graph: Graph, weights: Weights | None = None, runtime: str = "onnxruntime:cpu") -> Finding:
    (check,) = verify(graph, weights or seeded(1), runtimes=[runtime], probes=["determinism"]).checks
    return check.finding


def test_onnxruntime_is_asked_for_everything() -> None:
    finding = checked(net())
    assert finding.verdict is Verdict.PASS, finding.reason
    told = {one.of: one for one in finding.capabilities}
    assert list(told) == ["repeat", "batch", "threads", "optimization"]
    assert told["repeat"].holds
    assert all(one.holds is not None and one.elements > 0 for one in told.values())


def test_a_fixed_batch_is_not_split() -> None:
    s = Sketch((2, 3, 8, 8))
    s.conv(4)
    (batch,) = (one for one in checked(s.graph()).capabilities if one.of == "batch")
    assert batch.holds is None
    assert "fixed" in batch.says


NOISY = """
import numpy as np, onnxruntime, itertools

def prepare(model_path):
    session = onnxruntime.InferenceSession(model_path)
    count = itertools.count()
    def run(inputs):
        y = session.run(None, inputs)[0]
        if len(y) == 2 and next(count) > 0:
            y[1, 0] = np.nextafter(y[1, 0], np.inf)
        return {session.get_outputs()[0].name: y}
    return run
"""


def test_what_differs_from_run_to_run_is_told_and_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    finding = checked(net(), runtime=f"python:{tmp_path / 'noisy.py'}")
    assert finding.verdict is Verdict.PASS
    told = {one.of: one for one in finding.capabilities}
    assert not told["repeat"].holds
    assert told["repeat"].deviating == 2
    assert told["threads"].holds is None
    assert told["optimization"].holds is None


def test_one_value_throughout_proves_nothing() -> None:
    graph = net()
    zero = given({p.name: seeded()[p] * 0 for p in graph.params()})
    assert checked(graph, zero).verdict is Verdict.UNTRUSTED
