"""Do runtimes compute what the model says? Probes that are proofs, not tolerances, and their verdicts.

>>> verify(graph, weights, runtimes=["onnxruntime:cpu"]).verdict
<Verdict.PASS: 'pass'>
"""

from onnxconv.verify.picture import picture
from onnxconv.verify.refusal import gravity
from onnxconv.verify.verdict import Capability, Check, Divergence, Finding, Verdict, Verification, overall
from onnxconv.verify.verify import PROBES, Progress, findings, reproduction, verify

__all__ = [
    "PROBES",
    "Capability",
    "Check",
    "Divergence",
    "Finding",
    "Progress",
    "Verdict",
    "Verification",
    "findings",
    "gravity",
    "overall",
    "picture",
    "reproduction",
    "verify",
]
