"""Layers that compute with tensors as they are: functions, reductions, constants and joins."""

from __future__ import annotations

from onnxconv.dtypes import DTYPES
from onnxconv.spec.vocabulary.attributes import AXIS, INIT, axes_of
from onnxconv.spec.vocabulary.kind import Attribute, Kind

__all__ = ["KINDS"]

_REDUCED = (
    axes_of("the axes, counted from 0 (the batch)"),
    Attribute("keep", "boolean", "the axes stay, with size 1", True),
)

KINDS = (
    *(
        Kind(f"reduce_{name}", f"{what} along some axes", _REDUCED, bare="axes")
        for name, what in (
            ("sum", "sum"),
            ("mean", "mean"),
            ("max", "largest value"),
            ("min", "smallest value"),
            ("l1", "sum of absolute values"),
            ("l2", "root of the sum of squares"),
            ("sum_square", "sum of squares"),
            ("prod", "product"),
        )
    ),
    Kind("neg", "-x"),
    Kind("abs", "|x|"),
    Kind("sqrt", "square root"),
    Kind("exp", "exponential function"),
    Kind("log", "natural logarithm"),
    Kind("erf", "error function"),
    Kind("reciprocal", "1 / x"),
    Kind("floor", "the largest whole number not above x"),
    Kind("ceil", "the smallest whole number not below x"),
    Kind("round", "the nearest whole number, of two the even one"),
    Kind("scale", "each channel times a learned number", (INIT,), roles=("weight",)),
    Kind(
        "constant",
        "numbers that are the same whatever the input, for a join to read; learned where there are several",
        (
            Attribute(
                "shape", "integers", "its sizes, batch and channels too; left out or []: a number", least=1, empty=True
            ),
            Attribute("value", "number", "the number that all of them are; left out: as the weights say"),
            Attribute(
                "dtype", "word", "its data type; left out: that of the first input of floats", words=tuple(DTYPES)
            ),
            INIT,
        ),
        bare="shape",
        roles=("value",),
        source=True,
    ),
    Kind("add", "sum of tensors, broadcast as in NumPy", join=True),
    Kind("sub", "first tensor less the second, broadcast as in NumPy", join=True),
    Kind("mul", "product of tensors, broadcast as in NumPy", join=True),
    Kind("div", "first tensor over the second, broadcast as in NumPy", join=True),
    Kind("pow", "first tensor to the power of the second, broadcast as in NumPy", join=True),
    Kind("maximum", "the largest of several tensors at each position, broadcast as in NumPy", join=True),
    Kind("minimum", "the smallest of several tensors at each position, broadcast as in NumPy", join=True),
    *(
        Kind(
            name,
            f"whether the first tensor is {said} the second, broadcast as in NumPy: a condition for where",
            join=True,
        )
        for name, said in (
            ("equal", "equal to"),
            ("less", "less than"),
            ("less_or_equal", "at most"),
            ("greater", "greater than"),
            ("greater_or_equal", "at least"),
        )
    ),
    Kind(
        "where",
        "the second tensor where the first, a condition, holds, else the third, broadcast as in NumPy",
        join=True,
    ),
    Kind("matmul", "first tensor times the second as matrices, the axes before the last two broadcast", join=True),
    Kind("concat", "tensors one after the other along an axis", (AXIS,), join=True),
)
