"""How far a correct floating-point evaluation may be from the exact value. u is the unit roundoff, 2^-p for p bits.

With γ_n = n·u ÷ (1 − n·u), a sum of n rounded terms in any order, with any grouping into partial sums, fused or not,
errs by at most γ_n · Σ|terms| (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., lemma 3.1 and § 4.2:
every term meets at most n roundings (1 + δ), |δ| ≤ u). A rounding into the subnormal range errs by at most half the
smallest positive number instead, at most once per operation. The reference is evaluated in float64 and errs likewise.
"""

from __future__ import annotations

import numpy as np

from onnxconv.dtypes import DTYPES, rounded
from onnxconv.verify.words import Array

__all__ = ["bound", "gamma", "representable"]


def gamma(n: int, u: float) -> float:
    """γ_n; infinite where n·u reaches 1 and nothing can be said."""
    return n * u / (1 - n * u) if n * u < 1 else float("inf")


def bound(dtype: str, n: int, magnitude: Array) -> Array:
    """Largest error of a result with n roundings relative to `magnitude`, compared with a float64 reference.

    γ_n(u)·S for the runtime, γ_(n+2)(2^-53)·S for the reference and for S itself, n + 1 roundings into subnormals.
    Infinite where S(1 + γ) overflows the data type, so that an infinity is right. n = 0 demands equality.
    """
    if n == 0:
        return np.zeros_like(magnitude)
    of = DTYPES[dtype]
    share = gamma(n, of.unit) + gamma(n + 2, 2.0**-53)
    limit = np.asarray(share * magnitude + (n + 1) * of.smallest)
    limit[magnitude * (1 + share) >= of.high] = np.inf
    return limit


def representable(values: Array, dtype: str) -> bool:
    """Every value is a finite number of the data type, so that rounding to it changes nothing."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(values).all() and (rounded(values, dtype).astype(np.float64) == values).all())
