"""The whole optimised network, bit for bit; what is planted in an observed filter shows at the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from verify.in_process import InProcess
from verify.sketch import Sketch, mobilenet, pooled, resnet
from verify.tampered import Edit, Tampered, channel, sign, slightly

from onnxconv.execute import run
from onnxconv.graph import Graph
from onnxconv.ops import Add, Clip, Concat, GlobalAveragePool, HardSwish, Mul, Operator, Pad, Relu, Sigmoid, Silu
from onnxconv.verify import Finding, Verdict
from onnxconv.verify.bound import bound
from onnxconv.verify.carried import error_after
from onnxconv.verify.case import Case
from onnxconv.verify.coverage import add, shares
from onnxconv.verify.exact import exact
from onnxconv.verify.routing import plan, routing
from onnxconv.verify.signal import Signal, grid_of
from onnxconv.weights import given, seeded


def deep() -> Graph:
    """Residual blocks with batch norms, a concat and max pools, and no mean at the end."""
    s = Sketch(("N", 3, 32, 32))
    s.conv_bn_relu(8, 3, 2)
    for _ in range(4):
        start = s.last
        s.conv_bn_relu(8, 3)
        s.add(Add(), s.conv_bn_relu(8, 3, relu=None), start)
        s.add(Relu())
    start = s.last
    s.add(pooled(3, 1, 1))
    s.add(Concat(1), s.last, start)
    s.conv(6, 3)
    return s.graph()


def case(graph: Graph, bench: Any, **more: Any) -> Case:
    return Case(graph, seeded(0), bench, **more)


@pytest.mark.parametrize("shape", [("N",), (1,), (3,)])
def test_tensors_without_an_axis_of_channels(shape: tuple[int | str, ...]) -> None:
    s = Sketch(shape)
    s.add(Relu())
    (finding,) = routing(case(s.graph(), InProcess()))
    assert finding.verdict is not Verdict.FAIL


class Touching(InProcess):
    """Adds one to an output that hands an input on."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: y + 1 if name == "x" else y for name, y in super().run(inputs).items()}


@pytest.mark.parametrize("bench", [InProcess, Touching])
def test_an_input_that_is_an_output_too(bench: type[InProcess]) -> None:
    s = Sketch()
    s.conv(4)
    graph = replace(s.graph(), outputs=(s.last, "x"))
    layer, handed_on = routing(case(graph, bench()))
    (real,) = bound(case(graph, bench()))
    assert layer.verdict is Verdict.PASS
    assert handed_on.verdict is real.verdict is (Verdict.PASS if bench is InProcess else Verdict.FAIL)


def test_a_clip_that_lets_one_value_through_proves_nothing() -> None:
    s = Sketch()
    s.conv(4)
    s.add(Clip(3.0, 3.0))
    with np.errstate(all="raise", under="ignore"):
        (finding,) = routing(case(s.graph(), InProcess()))
    assert finding.verdict is Verdict.UNTRUSTED


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("op", [Clip(-1e5, 1e5), Pad(((1, 1), (0, 0)), value=1e6)])
def test_constants_beyond_float16_are_infinite(op: Operator) -> None:
    s = Sketch(dtype="float16")
    s.add(op)
    (finding,) = exact(case(s.graph(), InProcess()))
    assert finding.verdict is (Verdict.PASS if isinstance(op, Clip) else Verdict.UNTRUSTED)


@pytest.mark.parametrize("op", [Clip(-0.1, 0.3), Pad(((1, 1), (0, 0)), value=0.1)])
@pytest.mark.parametrize("first", [Relu(), Sigmoid()])
def test_constants_are_rounded_to_float16_as_the_runtime_rounds_them(op: Operator, first: Operator) -> None:
    s = Sketch(dtype="float16")
    s.add(first)
    s.add(op)
    (finding,) = routing(case(s.graph(), InProcess()))
    assert finding.verdict is Verdict.PASS


def test_deep_networks_are_equal_bit_for_bit() -> None:
    (finding,) = routing(case(deep(), InProcess(), trials=2))
    assert finding.verdict is Verdict.PASS
    assert finding.note == "equal bit for bit; 2 trials"
    assert finding.bound_used == 0
    assert finding.coverage["filters"] > 0.9
    assert finding.coverage["taps"] > 0.5


def test_more_trials_cover_more() -> None:
    graph, seen = mobilenet(64), {}
    found = []
    for seed in range(3):
        seen = add(seen, plan(graph, seeded(0), seed).seen)
        found.append(shares(seen)["filters"])
    assert 0 < found[0] < found[1] < found[2]


@pytest.mark.slow
def test_residual_networks_are_exact_through_the_global_mean() -> None:
    """The mean of 2 × 2 positions never rounds, that of 3 × 3 does but for whole multiples of 9."""
    some = "equal bit for bit in 1 of 3 trials, in the others exact up to 'globalaveragepool"
    for size, rounds in ((96, True), (64, False)):
        (finding,) = routing(case(resnet((1, 2, 2, 1), size, 100), InProcess(checked=False)))
        assert finding.verdict is Verdict.PASS, finding.reason
        assert finding.note.startswith(some if rounds else "equal bit for bit; 2 trials")
        assert (0 < finding.bound_used < 1) if rounds else finding.bound_used == 0


def test_the_plan_is_what_the_executor_computes_and_fits_the_significand() -> None:
    graph = deep()
    made = plan(graph, seeded(0), 5)
    tensors = run(graph, given(made.arrays), made.inputs, every_tensor=True)
    for name, signal in made.outputs.items():
        np.testing.assert_array_equal(signal.value, tensors[name])
    for name, tensor in tensors.items():
        assert np.abs(tensor).max() <= 2.0 ** (24 - grid_of(tensor)), name


@pytest.mark.parametrize("edit", [channel, slightly, sign])
def test_a_fault_in_any_layer_shows_at_the_output(edit: Edit) -> None:
    graph = deep()
    seen = plan(graph, seeded(0), 0).seen
    assert len(seen) == 10
    for layer, (filters, _) in seen.items():
        observed = int(np.flatnonzero(filters)[0])
        (finding,) = routing(case(graph, Tampered(f"{layer}.weight", edit, observed)))
        assert finding.verdict is Verdict.FAIL, layer
        assert "of the whole model" in finding.reason


def test_a_filter_that_is_not_observed_is_not_counted() -> None:
    """The last layer reads at most 6 of 16 channels; half of the first block's maps are seen by nothing else."""
    s = Sketch(("N", 3, 9, 9))
    s.conv(16)
    s.conv(4, 1)
    assert shares(plan(s.graph(), seeded(0), 0).seen)["filters"] == pytest.approx((4 + 4) / 20)


def test_what_narrow_layers_drop_is_summed_in_further_trials() -> None:
    """A pass has observed half of the filters: here all of them, and a fault in any of them shows in that second trial."""
    s = Sketch(("N", 3, 9, 9))
    s.conv_bn_relu(16, 3)
    s.conv(2, 1)
    graph = s.graph()
    (finding,) = routing(case(graph, InProcess()))
    assert finding.verdict is Verdict.PASS
    assert finding.note == "equal bit for bit; 2 trials"
    assert finding.coverage["filters"] == 1.0
    for filter in range(16):
        (finding,) = routing(case(graph, Tampered("conv0.weight", slightly, filter)))
        assert finding.verdict is Verdict.FAIL, filter


def test_a_pass_has_observed_half_of_the_filters() -> None:
    """float16 has no room for sums of 64 channels: eight trials observe too few of them."""
    s = Sketch(("N", 3, 9, 9), dtype="float16")
    s.conv(64)
    s.conv(1, 1)
    (finding,) = routing(case(s.graph(), InProcess()))
    assert 0 < finding.coverage["filters"] < 0.5
    assert finding.verdict is Verdict.UNTRUSTED
    assert "of the filters were observed, less than 50%" in finding.reason


@pytest.mark.slow
def test_ranges_of_clips_are_kept_alive() -> None:
    for bench in (InProcess(checked=False), InProcess(checked=False, optimised=False)):
        (finding,) = routing(case(mobilenet(64), bench))
        assert finding.verdict is Verdict.PASS, finding.reason
        assert finding.coverage["filters"] > 0.2


def test_the_error_of_a_product_follows_its_values() -> None:
    """2 ± 1e-6 times 0.5 ± 1e-7 is 1 within 2·1e-7 + 0.5·1e-6 and a rounding, whatever sums the factors came from."""
    s = Sketch((1, 1, 1, 1))
    first = s.add(Relu())
    s.add(Mul(), first, s.add(Relu()))
    node = s.graph().nodes[-1]
    one = np.ones((1, 1, 1, 1))
    xs = [Signal(2 * one, 0, 1000 * one, 1e-6 * one), Signal(0.5 * one, 0, 1000 * one, 1e-7 * one)]
    error = error_after(node, xs, {}, one, one).item()
    assert 7e-7 < error < 7e-7 + 1e-12 + 2.0**-23


def test_a_wrong_whole_names_no_layer(tmp_path: Path) -> None:
    """Only the last output was compared, so that any layer may be to blame."""
    import onnxconv

    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import onnxruntime\n"
        "def prepare(path):\n"
        "    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])\n"
        "    names = [o.name for o in session.get_outputs()]\n"
        "    return lambda inputs: {n: y + 1 for n, y in zip(names, session.run(names, inputs))}\n"
    )
    conv = {"conv": {"filters": 4, "kernel": 3}}
    for layers, named in (([conv, conv], False), ([conv], True)):
        spec = {"inputs": {"x": "float32[N, 3, 8, 8]"}, "layers": layers}
        (check,) = onnxconv.verify(spec, [f"python:{wrong}"], probes=["routing"]).document()["checks"]
        assert check["verdict"] == "fail"
        assert (check["first_divergence"] is not None) == named


def gated(blocks: int) -> Graph:
    """Blocks whose maps are weighted, each by a sigmoid of what is left of all means, as in EfficientNet."""
    s = Sketch(("N", 3, 24, 24))
    for _ in range(blocks):
        s.conv_bn_relu(8, 3, relu=Silu())
        whole = s.last
        s.add(GlobalAveragePool())
        s.conv(4, 1)
        s.add(Silu())
        s.conv(8, 1)
        s.add(Mul(), whole, s.add(Sigmoid()))
    return s.graph()


def test_gates_do_not_blow_the_bound_up() -> None:
    made = plan(gated(16), seeded(0), 0)
    (y,) = made.outputs.values()
    assert y.error is not None
    assert y.error.max() < 0.05 * np.ptp(y.value)


@pytest.mark.parametrize("layer", ["conv0", *(pytest.param(f"conv{i}", marks=pytest.mark.slow) for i in (6, 45, 99))])
def test_most_faults_before_gates_show_at_the_output(layer: str) -> None:
    graph = gated(12)
    (finding,) = routing(case(graph, InProcess()))
    assert finding.verdict is Verdict.PASS
    observed = np.flatnonzero(plan(graph, seeded(0), 0).seen[layer][0])
    verdicts = [next(routing(case(graph, Tampered(f"{layer}.weight", sign, int(m))))).verdict for m in observed]
    assert len(observed) >= 3
    assert verdicts.count(Verdict.FAIL) >= 0.7 * len(observed)


def test_one_image_has_no_range_behind_a_mean_and_reaches_the_output_all_the_same() -> None:
    """As in MobileNetV3 exported for a batch of 1: each mean is one value, which no ReLU or hard swish may cut off."""
    s = Sketch((1, 3, 24, 24))
    s.conv(8, 3)
    whole = s.add(HardSwish())
    s.add(GlobalAveragePool())
    s.conv(4, 1)
    s.add(Relu())
    s.conv(8, 1)
    s.add(Mul(), whole, s.add(Sigmoid()))
    s.add(GlobalAveragePool())
    s.conv(16, 1)
    s.add(HardSwish())
    s.conv(5, 1)
    (finding,) = routing(case(s.graph(), InProcess()))
    assert finding.verdict is Verdict.PASS, finding.reason
    assert finding.coverage["filters"] > 0.3


def test_a_bound_as_large_as_the_values_proves_nothing() -> None:
    """What is below 0.99, squared fourteen times, is 0 in float32."""
    s = Sketch()
    s.conv(4)
    s.add(Sigmoid())
    for _ in range(14):
        s.add(Mul(), s.last, s.last)
    (finding,) = routing(case(s.graph(), InProcess()))
    assert finding.verdict is Verdict.UNTRUSTED
    assert "as large as the values" in finding.reason


def test_trials_go_on_until_enough_was_observed() -> None:
    """A bottleneck drops some channels in one trial; the next one sums them."""
    s = Sketch(("N", 4, 12, 12))
    s.conv(8)
    s.conv(6, 1)
    graph = s.graph()

    def covered(coverage: float) -> Finding:
        (finding,) = routing(Case(graph, seeded(), InProcess(), coverage=coverage))  # type: ignore[arg-type]
        assert finding.verdict is Verdict.PASS
        return finding

    once, often = covered(0.0), covered(0.9)
    assert once.coverage["filters"] < 0.9 <= often.coverage["filters"]
    assert "trials" in often.note
    assert "trials" not in once.note
