"""What lies outside a receptive field must not matter, and its borders must."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from chains import chain
from verify.emulated import Emulated
from verify.in_process import InProcess
from verify.sketch import Sketch, window
from verify.test_arithmetic import conv

from onnxconv.geometry import Axis, Sampling
from onnxconv.graph import Graph
from onnxconv.network import Network
from onnxconv.ops import Add, Conv, GlobalAveragePool, MaxPool, Relu, Rescale, Resize
from onnxconv.verify import Finding, Verdict, verify
from onnxconv.verify.case import Case
from onnxconv.verify.field import field
from onnxconv.weights import seeded


def net() -> Graph:
    s = Sketch(("N", 2, 24, 22))
    s.add(Conv(window((3, 2, 1, 0, 2), (3, 1, 2, 3, 1)), 8), name="conv")
    start = s.add(Relu(), name="relu")
    s.conv(8)
    s.add(Add(), s.last, start, name="sum")
    s.add(MaxPool(window((2, 2, 1, 0, 0), (2, 2, 1, 0, 0))), name="pool")
    s.conv(4)
    return s.graph()


class Leaking(InProcess):
    """onnxruntime on an input that has been changed, or with another output."""

    def __init__(self, before: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__()
        self.before = before

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return super().run({name: self.before(x) for name, x in inputs.items()})


class Late(InProcess):
    """The last tensor has a little of its own sum in every element."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        y = super().run(inputs)
        last = list(y)[-1]
        return {**y, last: y[last] + np.float32(1e-3) * y[last].sum()}


def found(bench: object, graph: Graph | None = None) -> Finding:
    (finding,) = field(Case(graph or net(), seeded(1), bench))  # type: ignore[arg-type]
    return finding


def test_a_correct_runtime_keeps_to_the_fields_and_their_borders_matter() -> None:
    finding = found(InProcess())
    assert finding.verdict is Verdict.PASS, finding.reason
    shown, of = (int(word) for word in finding.note.split("; ")[1].split(" borders")[0].split(" of "))
    assert shown == of > 10


def smeared(x: np.ndarray) -> np.ndarray:
    """A pixel's neighbour, two further on, adds a little of itself."""
    return x + np.float32(1e-6) * np.roll(x, 2, axis=3)


@pytest.mark.parametrize(
    "before",
    [
        smeared,
        lambda x: x - np.float32(1e-9) * x.mean(),
        lambda x: np.roll(x, 1, axis=2),
    ],
    ids=["smeared", "mean taken off", "shifted"],
)
def test_what_leaks_in_from_outside_shows(before: Callable[[np.ndarray], np.ndarray]) -> None:
    finding = found(Leaking(before))
    assert finding.verdict is Verdict.FAIL
    assert "depends on pixels outside its receptive field" in finding.reason
    assert finding.first_divergence is not None
    assert finding.first_divergence.layer == "conv"


def test_no_layer_is_named_where_one_before_it_may_be_to_blame() -> None:
    finding = found(Late())
    assert finding.verdict is Verdict.FAIL
    assert "it or a layer before it" in finding.reason
    assert finding.first_divergence is None


@pytest.mark.parametrize("name", ["winograd-4", "fft"])
def test_transforms_spread_what_they_are_given(name: str) -> None:
    finding = found(Emulated(name), conv())
    assert finding.verdict is Verdict.FAIL
    assert finding.first_divergence is not None
    assert found(Emulated("direct"), conv()).verdict is Verdict.PASS


def test_a_network_that_sees_everything_everywhere_cannot_tell() -> None:
    s = Sketch((1, 2, 6))
    s.add(GlobalAveragePool(), name="mean")
    finding = found(InProcess(), s.graph())
    assert finding.verdict is Verdict.UNTRUSTED


def test_dense_networks_are_not_asked() -> None:
    from onnxconv import read

    graph = read({"inputs": {"x": "float32[N, 5]"}, "layers": [{"dense": 3}]}).graph
    assert "field" not in {check.probe for check in verify(graph, seeded()).checks}


def test_weights_of_0_are_no_false_alarm() -> None:
    """Positions that meet a pixel exactly give the next one a weight of 0, which a runtime multiplies it by all the same."""
    graph = chain((1, 2, 9), Conv((Axis(3),), 2), Resize((Rescale(2, (2, 1)),), Sampling("linear"), "asymmetric"))
    (check,) = Network(graph, seeded(), "resized").verify(probes=("field",)).checks
    assert check.verdict == "pass", check.reason
