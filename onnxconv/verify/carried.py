"""How an error on a layer's inputs shows in its output, once values have stopped being exact.

Routed networks have one tap a filter, so that errors hardly grow and the bound stays tight at any depth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.execute import apply, magnitude
from onnxconv.graph import Node
from onnxconv.verify.legal import legal
from onnxconv.verify.rounding import bound
from onnxconv.verify.signal import Signal
from onnxconv.verify.spread import spread_after
from onnxconv.verify.words import MOVING, Array

__all__ = ["error_after"]

STRAIGHT = 50.0
"""From here on hard swish, SiLU, GELU and Mish differ from a ReLU by less than float64 tells apart: 50·e^-50 < 2^-66."""


def error_after(node: Node, xs: Sequence[Signal], w: Mapping[str, Array], y: Array, terms: Array) -> Array:
    """|runtime − reference| of the output y is at most this, given that of the inputs.

    Lipschitz constants: 1 for pools (of p-norms too), clips and what moves values, ¼ for the sigmoid, below 1.1 for SiLU and
    Mish, below 1.13 for GELU, 3/2 for hard swish, 1 for tanh and softplus, the slope of what is a line. A softmax
    changes by a factor of at most e^2ε when all its inputs change by at most ε. Zero products of a routed kernel are
    exact, which leaves two roundings: of the product and of the sum with the bias.
    """
    dtype, op = node.type.dtype, node.op
    errors = [x.slack() for x in xs]
    reach = [x.terms + e for x, e in zip(xs, errors, strict=True)]
    n = op.roundings(*(x.value.shape for x in xs))
    none = {role: np.zeros_like(a) for role, a in w.items()}
    match op.kind:
        case "Conv" | "ConvTranspose" | "Gemm":
            through = apply(node, errors, none | {"weight": np.abs(w["weight"])})
            return through + bound(dtype, 2, terms + through)
        case "DequantizedConv" | "DequantizedGemm":
            through = apply(node, errors, none | {"weight": np.abs(w["weight"]), "weight_scale": w["weight_scale"]})
            return through + bound(dtype, n, terms + through)
        case "BatchNormalization":
            scaling = none | {"weight": w["weight"], "running_var": w["running_var"]}
            return magnitude(node, errors, scaling) + bound(dtype, n, magnitude(node, reach, w))
        case "Add":
            return reduce(np.add, errors) + bound(dtype, n, reduce(np.add, reach))
        case "Mul":
            with np.errstate(invalid="ignore"):  # nothing is known of an infinite error times 0
                product: Array = reduce(np.multiply, [np.abs(x.value) + e for x, e in zip(xs, errors, strict=True)])
            least: Array = reduce(np.multiply, [np.abs(x.value) for x in xs])
            grown: Array = product - least + bound(dtype, n, product)
            return grown
        case "AveragePool" | "GlobalAveragePool" | "LpPool" | "GlobalLpPool":
            return apply(node, errors, {}) + bound(dtype, n, magnitude(node, reach, {}))
        case "Relu":
            return np.where(xs[0].value + errors[0] < 0, 0, errors[0])
        case "Identity":
            return errors[0]
        case "Clip":  # its limits are rounded to the data type
            return errors[0] + bound(dtype, 1, np.abs(y))
        case "Pad":  # and so is its value
            return np.abs(apply(node, errors, {})) + bound(dtype, 1, np.abs(y))
        case "LeakyRelu":
            slope = max(1.0, abs(float(getattr(op, "slope", 1.0))))
            return slope * errors[0] + bound(dtype, n, slope * reach[0])
        case "PRelu":
            steepest = max(1.0, float(np.abs(w["weight"]).max()))
            return steepest * errors[0] + bound(dtype, n, steepest * reach[0])
        case "MaxPool" | "GlobalMaxPool" | "Concat":
            return np.abs(apply(node, errors, {}))
        case "Cast":  # towards 0, a small error may make a difference of 1
            floating = DTYPES[dtype].family == "float"
            return errors[0] + (bound(dtype, 1, np.abs(y) + errors[0]) if floating else 1)
        case "Resize":  # weights of cubic ones may be negative
            cubic = getattr(getattr(op, "sampling", None), "mode", "") == "cubic"
            through = magnitude(node, errors, {}) if cubic else np.abs(apply(node, errors, {}))
            return through + bound(dtype, n, magnitude(node, reach, {}))
        case kind if kind in MOVING:
            return np.abs(apply(node, errors, {}))
        case "Sigmoid":
            return np.minimum(errors[0] / 4, 1) + bound(dtype, n, np.ones_like(y))
        case "Silu":
            return _steepness(xs[0], 1.1) * errors[0] + bound(dtype, n, reach[0])
        case "Tanh":
            return np.minimum(errors[0], 2) + bound(dtype, n, np.ones_like(y))
        case "Elu":
            scale = abs(float(getattr(op, "alpha", 1.0)))
            return max(1.0, scale) * errors[0] + bound(dtype, n, np.maximum(2 * scale, reach[0]))
        case "HardSigmoid":
            slope, offset = (abs(float(getattr(op, name, 1.0))) for name in ("alpha", "beta"))
            return np.minimum(slope * errors[0], 1) + bound(dtype, n, np.full_like(y, 1 + 2 * offset))
        case "HardSwish":
            return _steepness(xs[0], 1.5) * errors[0] + bound(dtype, n, 2 * reach[0])
        case "Gelu" | "Mish":
            return _steepness(xs[0], 1.13) * errors[0] + bound(dtype, n, reach[0])
        case "Softplus":
            return errors[0] + bound(dtype, n, 2 + reach[0])
        case "QuantizeLinear" if not any(e.any() for e in errors[1:]):  # the order is kept, whatever is rounded
            rest = [x.value for x in xs[1:]]
            low, high = (
                legal(node, [xs[0].value - errors[0], *rest], {})[0],
                legal(node, [xs[0].value + errors[0], *rest], {})[1],
            )
            return np.asarray(np.maximum(high - y, y - low))
        case "DequantizeLinear" if not any(e.any() for e in errors[2:]):
            step, zeros = xs[1].value + errors[1], [np.zeros_like(x.value) for x in xs[2:]]
            moved = apply(node, [errors[0], step, *zeros], {})
            moved = moved + magnitude(node, [xs[0].value, errors[1], *(x.value for x in xs[2:])], {})
            return moved + bound(dtype, n, np.abs(y) + moved)
        case "ConvInteger" | "MatMulInteger" if not any(e.any() for e in errors[1:]):
            zero = xs[3].value if len(xs) > 3 else np.zeros(())
            per_filter = zero.reshape(-1, *[1] * (xs[1].value.ndim - 1)) if op.kind == "ConvInteger" else zero
            return apply(node, [errors[0], np.abs(xs[1].value - per_filter), *(0 * x.value for x in xs[2:])], {})
        case "DynamicQuantizeLinear" | "QLinearConv" | "QLinearMatMul" if not any(e.any() for e in errors):
            low, high = legal(node, [x.value for x in xs], {})
            return np.asarray(np.maximum(high - y, y - low))
        case "Softmax":
            with np.errstate(all="ignore"):
                factor = np.exp(2 * errors[0].max())
            own = bound(dtype, n, factor * (1 + 2 * errors[0].max()) * magnitude(node, [x.value for x in xs], {}))
            changed: Array = y * (factor - 1) + own
            return changed
        case _:
            return spread_after(node, xs, w, y)


def _steepness(x: Signal, steepest: float) -> Array:
    """The largest slope between x − error and x + error of a curve that is 0 or x, to the last bit, where |x| > 50."""
    with np.errstate(invalid="ignore"):  # of a bound that is no number, nothing is said
        low, high = x.value - x.slack(), x.value + x.slack()
    return np.select([high < -3, low > STRAIGHT], [0.1, 1.0], steepest)
