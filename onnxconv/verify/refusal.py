"""What it means that a runtime gave no result: it would not or could not begin, or it failed."""

from __future__ import annotations

import re

from onnxconv.runtimes import RuntimeFailed
from onnxconv.verify.verdict import Verdict

__all__ = ["gravity"]

_LACKS = r"not (?:yet )?(?:implemented|supported)|unimplemented|unsupported|(?:does not|doesn't) support"
REFUSED = re.compile(
    rf"^raised (?:NotImplemented(?:Error)?\b|.*only \*guarantees\* support for models|"
    rf".*\b(?:{_LACKS})\b.* while loading the model$)",
    re.IGNORECASE,
)
"""It says that it does not implement something: by the type of what it raises, in so many words before it has begun, or,
as onnxruntime does, of the model's opset."""
LATE = re.compile(r"^timed out after \S+ s while (?:starting|loading the model)$")
"""It was not ready in time, which is as much the machine's doing as its own."""


def gravity(error: RuntimeFailed) -> Verdict:
    """`not_run` for a runtime that refused, or was not ready in time: nothing was computed that could disagree.

    `fail` for one that died, hung in a run, returned no arrays, or raised anything else: it took the model, or a model that
    is valid for one that is not. The same words in a run are no refusal: there NumPy, among others, says them of a mistake.
    """
    while isinstance(error.__cause__, RuntimeFailed):  # a probe has said which layer it was
        error = error.__cause__
    found = REFUSED.search(error.reason) or LATE.search(error.reason)
    return Verdict.NOT_RUN if found else Verdict.FAIL
