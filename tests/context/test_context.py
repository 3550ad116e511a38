"""Context, look-ahead and latency against published figures, and against stacks of windows followed sample by sample."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from pathlib import Path

import pytest
from chains import chain

import onnxconv
from onnxconv.context import Context, contexts
from onnxconv.errors import UsageError
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph
from onnxconv.ops import Conv, ConvTranspose, GlobalAveragePool
from onnxconv.receptive import sights
from onnxconv.resolve import resolve

SPECS = Path(__file__).parents[2] / "specs"
Layer = tuple[str, int, int, int, int]
"""(conv or transposed, kernel, stride, dilation, pad before)."""


def known(graph: Graph, tensor: str) -> Context | None:
    return contexts(sights(graph)[tensor], ("x",))["x"]


@pytest.mark.parametrize(("kernel", "levels"), [(2, 8), (3, 4), (7, 8)])
def test_a_tcn_looks_back_by_the_published_figure(kernel: int, levels: int) -> None:
    """Keras-TCN: field = 1 + 2 · (kernel − 1) · stacks · (sum of the dilations), all of it in the past."""
    text = (SPECS / "tcn.yaml").read_text().replace("{level: 8}", f"{{level: {levels}}}")
    graph = resolve(onnxconv.parse(text, "tcn.yaml", {"kernel": kernel}))
    past = 2 * (kernel - 1) * 1 * sum(2**level for level in range(levels))
    assert known(graph, graph.outputs[0]) == Context(past, 0, Fraction(1))


def test_wavenet_sees_3070_samples_and_none_ahead() -> None:
    graph = onnxconv.read(SPECS / "wavenet.yaml").graph
    found = known(graph, graph.outputs[0])
    assert found == Context(3069, 0, Fraction(1))
    assert (found.look_ahead, found.latency) == (0, 0)


def seen(layers: list[Layer], output: int) -> set[int]:
    """Samples of an endless input that an output of the last layer sees, by loops over the taps alone."""
    positions = {output}
    for kind, kernel, stride, dilation, pad in reversed(layers):
        if kind == "conv":
            positions = {o * stride - pad + k * dilation for o in positions for k in range(kernel)}
        else:
            lifted = {o + pad - k * dilation for o in positions for k in range(kernel)}
            positions = {at // stride for at in lifted if at % stride == 0}
    return positions


def stack(layers: list[Layer]) -> Graph:
    """The same as a graph on a signal long enough for all of it."""
    return chain(("N", 1, 4000), *(operator(layer) for layer in layers))


def operator(layer: Layer) -> Conv | ConvTranspose:
    kind, kernel, stride, dilation, pad = layer
    if kind == "conv":
        return Conv((Axis(kernel, stride, dilation, (pad, 0)),), 1)
    return ConvTranspose((TransposedAxis(kernel, stride, dilation, (pad, 0)),), 1)


def random_layers(draw: random.Random) -> list[Layer]:
    found = []
    for _ in range(draw.randint(1, 4)):
        kernel, stride, dilation = draw.randint(1, 5), draw.randint(1, 4), draw.choice((1, 1, 2, 3))
        if draw.random() < 0.7:
            found.append(("conv", kernel, stride, dilation, draw.randint(0, dilation * (kernel - 1))))
        else:
            found.append(("transposed", max(kernel, stride), stride, 1, draw.randint(0, 2)))
    return found


@pytest.mark.parametrize("seed", range(150))
def test_context_by_loops(seed: int) -> None:
    layers = random_layers(random.Random(seed))
    hop = math.prod(
        (Fraction(s) if kind == "conv" else Fraction(1, s) for kind, _, s, _, _ in layers), start=Fraction(1)
    )
    period = 1 + math.prod(s for _, _, s, _, _ in layers)
    around = [(math.floor(o * hop), seen(layers, o)) for o in range(2 * period)]
    left = max(own - min(samples) for own, samples in around if samples)
    right = max(max(samples) - own for own, samples in around if samples)
    found = known(stack(layers), f"l{len(layers) - 1}")
    assert found == Context(left, right, hop)
    assert found.look_ahead == max(0, right)


@pytest.mark.parametrize("seed", range(150))
def test_nothing_waits_longer_than_the_latency(seed: int) -> None:
    """What happens at sample t waits for the outputs at the first own sample from t on, and these for what they see."""
    layers = random_layers(random.Random(seed))
    found = known(stack(layers), f"l{len(layers) - 1}")
    assert found
    outputs = range(math.ceil(200 / found.hop))
    at: dict[int, int] = {}
    for o in outputs:
        own = math.floor(o * found.hop)
        at[own] = max(at.get(own, own), *seen(layers, o) or {own})
    waits = [max(at[min(own for own in at if own >= t)], t) - t for t in range(100)]
    assert max(waits) <= found.latency
    if found.hop.denominator == 1:
        assert max(waits) == found.latency


def test_what_one_hop_holds_needs_that_hop() -> None:
    """Frames of 400 samples every 160: an output needs the 399 samples after its own."""
    found = known(stack([("conv", 400, 160, 1, 0)]), "l0")
    assert found == Context(0, 399, Fraction(160))
    assert (found.look_ahead, found.latency) == (399, 399 + 159)


def test_padding_too_much_delays() -> None:
    found = known(stack([("conv", 3, 1, 1, 5)]), "l0")
    assert found == Context(5, -3, Fraction(1))
    assert (found.look_ahead, found.latency) == (0, 0)


def test_seconds_are_samples_over_the_rate() -> None:
    timed = Context(3069, 8, Fraction(1, 2)).timed(16000)
    assert (timed.left, timed.right, timed.look_ahead, timed.hop) == (3069 / 16000, 8 / 16000, 8 / 16000, 1 / 32000)
    assert (timed.latency, timed.rate) == (8 / 16000, 32000)


def test_there_is_no_figure_where_everything_is_seen() -> None:
    assert known(chain(("N", 1, 40), GlobalAveragePool()), "l0") is None


@pytest.mark.parametrize(
    ("rate", "code"), [(0, "sample-rate"), (-1, "sample-rate"), (math.inf, "sample-rate"), (math.nan, "sample-rate")]
)
def test_a_rate_is_a_positive_number(rate: float, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        onnxconv.report(SPECS / "tcn.yaml", sample_rate=rate)
    assert refused.value.diagnostics[0].code == code


def test_pictures_have_no_sample_rate() -> None:
    with pytest.raises(UsageError, match=r"'x' is \[N, 3, 224, 224\]") as refused:
        onnxconv.report(SPECS / "resnet18.yaml", sample_rate=16000)
    assert refused.value.diagnostics[0].code == "no-signal"
