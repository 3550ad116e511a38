"""Arithmetic on known values, as far as IEEE 754 or integers determine it to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxconv.errors import Refusal
from onnxconv.geometry import Array
from onnxconv.load.known import axes_of, limited, settled
from onnxconv.load.step import Reading
from onnxconv.load.symbols import OPEN

__all__ = ["COMPUTED", "of_two"]


def _quotient(a: Array, b: Array) -> Array:
    """Of integers, rounded towards zero (ONNX, Div)."""
    if a.dtype.kind == "f":
        quotient: Array = a / b
        return quotient
    if not b.all():
        raise ZeroDivisionError("it divides by 0")
    whole: Array = np.where((a < 0) != (b < 0), -(np.abs(a) // np.abs(b)), np.abs(a) // np.abs(b)).astype(a.dtype)
    return whole


def _remainder(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f" or not b.all():
        raise Refusal("not-computable", "its operands are real numbers or 0", "remainders are of integers here")
    found: Array = np.mod(a, b)
    return found


EXACT: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": _quotient,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": _remainder,
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Sub": np.subtract,
    "Xor": np.logical_xor,
}
"""Operators of two operands whose result IEEE 754 or integer arithmetic determines to the bit."""


def of_two(operator: str, a: Array, b: Array) -> Array:
    limited(a.shape, b.shape)
    if a.dtype != object and b.dtype != object:
        if a.dtype != b.dtype:
            raise Refusal("dtype", f"it joins {a.dtype.name} and {b.dtype.name}", "both have one data type")
        return np.asarray(EXACT[operator](a, b))

    def of_numbers(left: Any, right: Any) -> Any:
        if isinstance(left, str) or isinstance(right, str):
            if operator not in OPEN:
                raise Refusal("symbolic-size", "it depends on a size that the model leaves open")
            return OPEN[operator](left, right)
        one, other = np.asarray(left), np.asarray(right)
        return EXACT[operator](*np.broadcast_arrays(one, other.astype(np.result_type(one, other)))).item()

    made: Array = np.frompyfunc(of_numbers, 2, 1)(a, b)
    return settled(np.asarray(made, object))


def _elementwise(at: Reading) -> Array:
    operator = at.node.op_type
    if at.integer("fmod", 0):
        raise Refusal("not-computable", "fmod is 1", "remainders here have the sign of the divisor")
    found = at.value(0)
    for i in range(1, len(at.node.input)):
        found = of_two(operator, found, at.value(i))
    return found


UNARY: dict[str, Callable[[Array], Array]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Floor": np.floor,
    "Identity": lambda x: x,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Round": np.rint,
    "Sqrt": np.sqrt,
}
"""Operators of one operand that are exact, or rounded once."""


def _unary(at: Reading) -> Array:
    x, operator = at.value(0), at.node.op_type
    if x.dtype == object:
        if operator in ("Identity", "Floor", "Ceil", "Round"):
            return x
        raise Refusal("symbolic-size", "it depends on a size that the model leaves open")
    if operator != "Identity":
        limited(x.shape)
    return np.asarray(UNARY[operator](x)).astype(x.dtype, copy=False)


REDUCTIONS: dict[str, np.ufunc] = {
    "ReduceMax": np.maximum,
    "ReduceMin": np.minimum,
    "ReduceProd": np.multiply,
    "ReduceSum": np.add,
}


def _reduced(at: Reading) -> Array:
    x, operator = at.value(0), at.node.op_type
    axes = axes_of(at, 13 if operator == "ReduceSum" else 18, x.ndim, ())
    if not axes and at.integer("noop_with_empty_axes", 0):
        return x
    axes = axes or tuple(range(x.ndim))
    if x.dtype.kind == "f":
        raise Refusal("not-computable", "it sums real numbers", "only integers are computed ahead")
    if x.dtype == object:
        if x.ndim != 1:
            raise Refusal("symbolic-size", "it depends on sizes that the model leaves open")
        joined = {"ReduceProd": "Mul", "ReduceSum": "Add"}.get(operator, operator.removeprefix("Reduce"))
        total = np.asarray(x[0], object)
        for n in x[1:]:
            total = np.asarray(of_two(joined, total, np.asarray(n, object)), object)
        return settled(total.reshape((1,) if at.integer("keepdims", 1) else ()))
    reduced: Array = np.asarray(x)
    for axis in sorted(axes, reverse=True):
        reduced = REDUCTIONS[operator].reduce(reduced, axis, keepdims=bool(at.integer("keepdims", 1)))
    return np.asarray(reduced).astype(x.dtype)


COMPUTED: dict[str, Callable[[Reading], Array]] = {
    **dict.fromkeys(EXACT, _elementwise),
    **dict.fromkeys(UNARY, _unary),
    **dict.fromkeys(REDUCTIONS, _reduced),
}
"""ONNX operators by name."""
