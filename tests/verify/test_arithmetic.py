"""Every arithmetic is named by its trace, stays within its own bound, and breaks that of the ones which are narrower."""

from __future__ import annotations

import numpy as np
import pytest
from faulty import MUTANTS
from faulty.machine import Machine
from verify.emulated import EMULATED, Emulated, winograd
from verify.in_process import InProcess
from verify.sketch import Sketch

from onnxconv.execute import apply
from onnxconv.geometry import Axis
from onnxconv.graph import Graph
from onnxconv.ops import Conv
from onnxconv.verify import Finding, Verdict
from onnxconv.verify.arithmetic import ARITHMETICS, Layer, fitting
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.draw import KINDS, Stream, real
from onnxconv.verify.exact import exact
from onnxconv.verify.fingerprint import fingerprint
from onnxconv.verify.impulse import impulse
from onnxconv.verify.winograd import transforms
from onnxconv.weights import seeded

SHAPE = (1, 8, 20, 18)


def conv() -> Graph:
    s = Sketch(SHAPE)
    s.add(Conv((Axis(3, 1, 1, (1, 1)),) * 2, 12, bias=False), name="conv")
    return s.graph()


@pytest.mark.parametrize("name", EMULATED)
def test_each_arithmetic_is_named_by_its_trace(name: str) -> None:
    graph = conv()
    found = fingerprint(Case(graph, seeded(), Emulated(name)), graph.nodes[0], SHAPE)  # type: ignore[arg-type]
    assert found.arithmetic == name.split()[0], found


def test_onnxruntime_is_direct() -> None:
    graph = conv()
    found = fingerprint(Case(graph, seeded(), InProcess()), graph.nodes[0], SHAPE)  # type: ignore[arg-type]
    assert found.arithmetic == "direct", found


def layer(kind: str, seed: int) -> Layer:
    (node,) = conv().nodes
    x = real(kind, SHAPE, "float32", Stream("arithmetic", seed, kind))
    w = {role: seeded(seed)[param] for role, param in node.params}
    return Layer(node, (x,), w, apply(node, (x,), w))


@pytest.mark.parametrize("name", EMULATED)
@pytest.mark.parametrize("kind", KINDS)
def test_no_arithmetic_exceeds_its_own_bound(name: str, kind: str) -> None:
    for seed in range(3):
        case = layer(kind, seed)
        got = EMULATED[name](case.xs[0], case.w["weight"])
        error = np.abs(got - case.y)
        allowed = ARITHMETICS[name.split()[0]].allowed(case)
        assert (error <= allowed).all(), float((error / allowed).max())


@pytest.mark.parametrize("name", [name for name in EMULATED if name not in ("direct", "flush-to-zero")])
def test_every_other_arithmetic_breaks_the_direct_bound(name: str) -> None:
    """Where single taps lie beside a large pixel, which a transform takes along and narrow operands do not."""
    case = layer("heavy", 1)
    case.xs[0][0, :, 9, 9] = 2.0**20
    case.w["weight"].reshape(12, 8, 9)[:, :, 1:] = 0
    case = Layer(case.node, case.xs, case.w, apply(case.node, case.xs, case.w))
    got = EMULATED[name](case.xs[0], case.w["weight"])
    assert fitting(case, got).name not in ("direct", "flush-to-zero")


PROBES = (impulse, exact, bound)


def verdicts(name: str, demanded: str) -> dict[str, Finding]:
    case = Case(conv(), seeded(3), Emulated(name), arithmetic=demanded)  # type: ignore[arg-type]
    return {probe.__name__: finding for probe in PROBES for finding in probe(case)}


@pytest.mark.parametrize("name", [name for name in EMULATED if name != "direct"])
def test_what_is_demanded_is_judged_and_named(name: str) -> None:
    own = name.split()[0]
    allowed = verdicts(name, own)
    assert {probe: finding.verdict for probe, finding in allowed.items()} == dict.fromkeys(allowed, Verdict.PASS)
    assert allowed["exact"].arithmetic == own
    if own == "flush-to-zero":  # no probe of direct arithmetic looks at subnormal numbers
        return
    refused = verdicts(name, "direct")
    assert refused["exact"].verdict is Verdict.FAIL
    assert refused["exact"].arithmetic == own
    assert f"it is computed with {ARITHMETICS[own].says}, not direct float32" in refused["exact"].reason


def test_a_wrong_kernel_is_not_excused() -> None:
    class Flipped(Emulated):
        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:  # type: ignore[override]
            self.w = {"weight": self.w["weight"][..., ::-1]}
            return super().run(inputs)

    for demanded in ("direct", "tf32", "bfloat16"):
        case = Case(conv(), seeded(3), Flipped("direct"), arithmetic=demanded)  # type: ignore[arg-type]
        for probe in PROBES:
            assert [finding.verdict for finding in probe(case)] == [Verdict.FAIL], (demanded, probe.__name__)


@pytest.mark.parametrize(
    "fault", ["last column not computed", "edge padding for zeros", "kernel flipped", "read past the row"]
)
def test_no_transform_is_named_where_pixels_are_read_from_wrong_places(fault: str) -> None:
    """Such faults spoil outputs that do not see a pixel too, and by more than a transform's roundings."""
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name == fault)
    (finding,) = exact(Case(conv(), seeded(3), Machine(mutant.fault)))  # type: ignore[arg-type]
    assert finding.verdict is Verdict.FAIL
    assert not finding.arithmetic
    assert "computed with" not in finding.reason


def test_a_wrong_kernel_fits_nothing() -> None:
    case = layer("normal", 0)
    got = EMULATED["direct"](case.xs[0], case.w["weight"][..., ::-1].copy())
    assert fitting(case, got).name == "none"


@pytest.mark.parametrize("size", [2, 4])
def test_larger_kernels_by_winograd(size: int) -> None:
    """5×5: named by their trace, within their own bound on all kinds of data, and beyond the direct one beside a large pixel."""
    s = Sketch(SHAPE)
    s.add(Conv((Axis(5, 1, 1, (2, 2)),) * 2, 6, bias=False), name="conv")
    graph, name = s.graph(), f"winograd-{size}"
    (node,) = graph.nodes
    bench = Emulated("direct")
    bench.conv = winograd(size, 5)
    found = fingerprint(Case(graph, seeded(), bench), node, SHAPE)  # type: ignore[arg-type]
    assert found.arithmetic == name, found
    w = {role: seeded(1)[param] for role, param in node.params}
    for kind in KINDS:
        x = real(kind, SHAPE, "float32", Stream("five", size, kind))
        x[0, :, 9, 9] *= 1.0 if kind != "heavy" else 2.0**20
        case = Layer(node, (x,), w, apply(node, (x,), w))
        got = bench.conv(x, w["weight"])
        assert (np.abs(got - case.y) <= ARITHMETICS[name].allowed(case)).all(), kind
    heavy = real("heavy", SHAPE, "float32", Stream("five", size, "heavy"))
    heavy[0, :, 9, 9] = 2.0**20
    w["weight"].reshape(6, 8, 25)[:, :, 1:] = 0
    case = Layer(node, (heavy,), w, apply(node, (heavy,), w))
    assert fitting(case, bench.conv(heavy, w["weight"])).name.startswith("winograd")


@pytest.mark.parametrize(("size", "taps"), [(2, 3), (4, 3), (6, 3), (2, 5), (4, 5)])
def test_transforms_correlate(size: int, taps: int) -> None:
    """Against the definition of a correlation."""
    a, g, b = transforms(size, taps)
    rng = np.random.default_rng(size)
    x, w = rng.standard_normal(size + taps - 1), rng.standard_normal(taps)
    np.testing.assert_allclose(a @ ((g @ w) * (b @ x)), np.correlate(x, w, "valid"), rtol=1e-10, atol=1e-10)
