"""Nothing absent, empty or caught becomes a pass."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from verify.sketch import Sketch, small, window

from onnxconv.errors import UsageError
from onnxconv.graph import Graph
from onnxconv.ops import BatchNorm, Conv, Dense, Flatten, GlobalAveragePool, Relu, Sigmoid, Softmax
from onnxconv.verify import PROBES, Finding, Verdict, overall, verify
from onnxconv.weights import given, seeded

P, F, N, U = Verdict.PASS, Verdict.FAIL, Verdict.NOT_RUN, Verdict.UNTRUSTED


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [([], N), ([P], P), ([P, U], U), ([P, U, N], N), ([P, U, N, F], F), ([F, P], F), ([N, P], N), ([U, N], N)],
)
def test_the_gravest_verdict_counts(verdicts: list[Verdict], expected: Verdict) -> None:
    assert overall(verdicts) is expected


def test_a_pass_has_compared_something_and_the_rest_has_a_reason() -> None:
    for arguments in ((P, "", 0, 0), (P, "", 1, 2), (P, "why", 0, 2), (F, "", 1, 2), (U, "", 0, 2), (N, "", 0, 0)):
        with pytest.raises(AssertionError):
            Finding("y", *arguments)
    assert Finding("y", P, "", 0, 2).elements == 2


def tiny() -> Graph:
    s = Sketch(("N", 2, 5, 5))
    s.conv(3)
    return s.graph()


def test_a_model_passes_and_the_document_has_the_promised_keys() -> None:
    steps: list[tuple[float, float, str]] = []
    found = verify(small(), seeded(1), source="s.yaml", seed=4, progress=lambda *step: steps.append(step))
    assert found.verdict is P, [c.reason for c in found.checks]
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert list(document) == ["source", "verdict", "checks"]
    assert {c["probe"] for c in document["checks"]} == set(PROBES)
    for check in document["checks"]:
        assert {
            "runtime", "version", "probe", "output", "verdict", "mismatches", "elements", "max_error", "bound_used",
            "first_divergence", "placement", "seed", "reproduce",
        } <= set(check)  # fmt: skip
        assert check["placement"].keys() == {"CPUExecutionProvider"}
        assert check["elements"] > 0
        assert check["reproduce"].endswith(f"--probe {check['probe']} --seed 4")
    routing = document["checks"][-1]
    assert 0.5 < routing["coverage"]["filters"] <= 1
    done = [d for d, _, _ in steps]
    assert done == sorted(done)
    assert done[-1] == steps[-1][1] == len(PROBES)


def test_an_absent_runtime_was_not_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import a_module_that_is_nowhere\n")
    found = verify(tiny(), seeded(), runtimes=[f"python:{tmp_path / 'mine.py'}"])
    assert found.verdict is N
    assert len(found.checks) == len(PROBES)
    assert all("a_module_that_is_nowhere" in c.reason for c in found.checks)


def test_a_good_runtime_does_not_hide_an_absent_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import a_module_that_is_nowhere\n")
    found = verify(tiny(), seeded(), runtimes=["onnxruntime:cpu", f"python:{tmp_path / 'mine.py'}"], probes=["shape"])
    assert [c.verdict for c in found.checks] == [P, N]
    assert found.verdict is N


def test_no_runtimes_or_no_probes_prove_nothing() -> None:
    assert verify(tiny(), seeded(), runtimes=[]).verdict is N
    assert verify(tiny(), seeded(), probes=[]).verdict is N


def test_unknown_probes_and_trials_are_refused() -> None:
    with pytest.raises(UsageError, match="routing"):
        verify(tiny(), seeded(), probes=["routin"])
    with pytest.raises(UsageError, match="at least one trial"):
        verify(tiny(), seeded(), trials=0)


def test_a_layer_that_sees_only_padding_is_untrusted() -> None:
    """The kernel's two taps fall beside the one pixel."""
    s = Sketch((1, 2, 1))
    s.add(Conv(window((2, 1, 2, 1, 1)), 3))
    found = verify(s.graph(), seeded(), probes=["exact", "bound", "routing"])
    assert found.verdict is U
    assert {c.probe: c.verdict for c in found.checks}["exact"] is U
    assert {c.probe: c.verdict for c in found.checks}["routing"] is U


def test_dead_weights_are_untrusted_where_they_are_used() -> None:
    graph = tiny()
    zero = given({p.name: seeded()[p] * 0 for p in graph.params()})
    verdicts = {c.probe: c.verdict for c in verify(graph, zero).checks}
    assert verdicts == {
        "shape": P,
        "determinism": U,
        "impulse": U,
        "exact": P,
        "special": P,
        "relations": P,
        "bound": U,
        "field": P,
        "routing": P,
    }


def test_sigmoids_and_softmax_are_met_by_a_carried_bound() -> None:
    s = Sketch(("N", 3, 8, 8))
    s.conv(4)
    s.add(BatchNorm())
    s.add(Sigmoid())
    s.conv(4)
    s.add(Relu())
    s.add(Softmax(1))
    found = verify(s.graph(), seeded())
    assert found.verdict is P, [c.reason for c in found.checks]
    routing = found.checks[-1].finding
    assert "sigmoid" in routing.note
    assert 0 < routing.bound_used < 1


def test_what_a_runtime_does_not_implement_was_not_run() -> None:
    """onnxruntime 1.32 has no Conv in float64 on the CPU; ours has."""
    s = Sketch(("N", 4, 9, 7), "float64")
    s.conv_bn_relu(6, groups=2)
    s.conv(5, 3, 2)
    found = verify(s.graph(), seeded(), runtimes=["numpy", "onnxruntime:cpu"])
    assert [c.verdict for c in found.checks] == [P] * len(PROBES) + [N] * len(PROBES), [c.reason for c in found.checks]
    assert found.verdict is N


def test_one_image_and_no_positions_left() -> None:
    """Every channel of the output is one number, which proves something all the same."""
    s = Sketch((1, 3, 8, 8))
    s.conv_bn_relu(4)
    s.add(GlobalAveragePool())
    s.add(Flatten())
    s.add(Dense(6))
    s.add(Relu())
    s.add(Dense(5))
    found = verify(s.graph(), seeded(), probes=["exact", "routing"])
    assert found.verdict is P, [c.reason for c in found.checks]
    assert found.checks[-1].finding.coverage["filters"] > 0.5


def test_symbolic_sizes_are_given_numbers() -> None:
    s = Sketch(("N", 3, "H", "W"))
    s.conv_bn_relu(4, 3, 2)
    assert verify(s.graph(), seeded()).verdict is P


def test_verify_loads_no_runtime_into_this_process() -> None:
    """Runtimes live in workers."""
    import subprocess

    program = "import onnxconv.verify, sys; assert 'onnxruntime' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
