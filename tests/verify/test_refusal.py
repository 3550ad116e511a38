"""A runtime that refuses a model, or is not ready in time, has not disagreed; one that fails in any other way has."""

from __future__ import annotations

from pathlib import Path

import pytest
from verify.sketch import Sketch

from onnxconv.ops import LocalResponseNorm, Relu
from onnxconv.runtimes import RuntimeFailed
from onnxconv.verify import Verdict, Verification, gravity, verify
from onnxconv.weights import seeded

REFUSED = (
    "raised NotImplementedError while loading the model",
    "raised NotImplementedError: no bfloat16 arrays while running the model",
    "raised NotImplemented: [ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation while loading the model",
    "raised Fail: ONNX Runtime only *guarantees* support for models stamped with official opsets while loading the model",
    "raised RuntimeError: Node type MaxUnpool is not supported while loading the model",
    "raised OpConversionFailure: Unsupported op while loading the model",
    "raised RuntimeError: Translating node #3 : Unimplemented(MaxUnpool) while loading the model",
    "raised ValueError: this backend does not support groups while loading the model",
    "timed out after 0.5 s while loading the model",
    "timed out after 120 s while starting",
)
FAILED = (
    "raised ValueError: cannot reshape while loading the model",
    "raised TypeError: ufunc 'isfinite' not supported for the input types while running the model",
    "raised Fail: Load model failed: unsupportedness while loading the model",
    "timed out after 60 s while running the model",
    "died with SIGSEGV while loading the model",
    "raised KeyError: 'unsupported' while running the model",
    "returned None instead of a dict of arrays by output name while running the model",
    "output 'not supported' is missing",
    "wrote rubbish into the worker's answers while loading the model",
)


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refusal_is_no_disagreement(reason: str) -> None:
    assert gravity(RuntimeFailed(reason)) is Verdict.NOT_RUN


@pytest.mark.parametrize("reason", [REFUSED[0], FAILED[0]])
def test_a_probe_may_say_more_about_it(reason: str) -> None:
    told = RuntimeFailed(f"layer 'raised Unsupported: ' alone, given NaN: {reason}")
    told.__cause__ = RuntimeFailed(reason)
    assert gravity(told) is gravity(RuntimeFailed(reason))


@pytest.mark.parametrize("reason", FAILED)
def test_any_other_failure_is_one(reason: str) -> None:
    assert gravity(RuntimeFailed(reason)) is Verdict.FAIL


def found(runtime: str, op: object = None, timeout: float = 60.0) -> Verification:
    s = Sketch((1, 6, 4, 4))
    s.add(op or Relu())  # type: ignore[arg-type]
    return verify(s.graph(), seeded(), runtimes=[runtime], probes=["shape", "exact"], timeout=timeout)


@pytest.mark.parametrize(("size", "verdict"), [(4, Verdict.NOT_RUN), (5, Verdict.PASS)])
def test_onnxruntime_refuses_response_norms_of_even_sizes(size: int, verdict: Verdict) -> None:
    result = found("onnxruntime:cpu", LocalResponseNorm(size, 0.1))
    assert {check.verdict for check in result.checks} == {verdict}
    assert all("size_ % 2 == 1 was false" in check.reason for check in result.checks if size == 4)


PREPARED = "def prepare(model_path):\n    "
RUN = "return lambda inputs: "


@pytest.mark.worker
@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("import time; time.sleep(1000)", Verdict.NOT_RUN),
        ("raise RuntimeError('Relu is not supported')", Verdict.NOT_RUN),
        ("raise RuntimeError('no room')", Verdict.FAIL),
        ("import os; os.abort()", Verdict.FAIL),
        (f"import time; {RUN}time.sleep(1000)", Verdict.FAIL),
        (f"{RUN}1 / 0", Verdict.FAIL),
    ],
)
def test_a_runtime_without_an_answer(body: str, verdict: Verdict, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PREPARED + body)
    late = "sleep" in body
    result = found(f"python:{file}", timeout=0.3 if late else 60.0)
    assert result.verdict is verdict
    assert {check.verdict for check in result.checks} == {verdict}
    assert not late or "timed out after 0.3 s" in result.checks[0].reason
