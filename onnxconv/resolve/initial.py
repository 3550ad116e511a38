"""How stored arrays are drawn where no file gives them.

Defaults are chosen so that a check on the drawn network can fail: no weight is zero or one, so that a forgotten bias or
batch norm shows, and every variance is positive.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from onnxconv.graph import Initial

__all__ = ["BATCH_NORM", "INTEGERS", "SCALE", "SLOPES", "WEIGHTED", "Draw", "initial"]

Draw: TypeAlias = "tuple[str, tuple[float, ...]]"
"""The kind of an `Initial` and its numbers."""

WEIGHTED: Mapping[str, Draw] = MappingProxyType({"weight": ("he_normal", ()), "bias": ("uniform", (-0.125, 0.125))})
"""Of convolutions and dense layers, by role."""

BATCH_NORM: Mapping[str, Draw] = MappingProxyType(
    {
        "weight": ("uniform", (0.5, 1.5)),
        "bias": ("uniform", (-0.5, 0.5)),
        "running_mean": ("uniform", (-0.5, 0.5)),
        "running_var": ("uniform", (0.5, 1.5)),
    }
)
"""Of batch norms, by role."""

SLOPES: Mapping[str, Draw] = MappingProxyType({"weight": ("uniform", (0.125, 0.375))})
"""Of parametric ReLUs, around torch's 1/4."""

SCALE: Mapping[str, Draw] = MappingProxyType({"weight": ("uniform", (0.5, 1.5))})
"""Of learned factors."""

VALUE: Mapping[str, Draw] = MappingProxyType({"value": ("uniform", (0.5, 1.5))})
"""Of constants: no divisor is 0."""

INTEGER_VALUE: Mapping[str, Draw] = MappingProxyType({"value": ("integers", (1.0, 7.0))})
"""Of constants of integers."""

NORM: Mapping[str, Draw] = MappingProxyType({role: BATCH_NORM[role] for role in ("weight", "bias")})
"""Of layer, group and instance norms, by role."""

SETTLED = {f"{of}{what}" for of in ("", "x_", "y_", "a_", "b_", "weight_", "bias_") for what in ("scale", "zero_point")}
"""Roles of what integers are scaled by, which is not learned."""

INTEGERS: Mapping[str, Draw] = MappingProxyType(
    {
        "weight": ("integers", (-127.0, 127.0)),
        "bias": ("integers", (-1000.0, 1000.0)),
        "weight_scale": ("constant", (2.0**-10,)),
        "bias_scale": ("constant", (2.0**-16,)),
    }
)
"""Of weights stored as integers, by role."""

_SCALES = ("scale", "x_scale", "weight_scale", "a_scale", "b_scale")
_QUANTISED: Mapping[str, Draw] = MappingProxyType(
    {
        **dict.fromkeys(_SCALES, ("constant", (2.0**-6,))),
        "y_scale": ("constant", (2.0**-4,)),
        **{role.replace("scale", "zero_point"): ("constant", (0.0,)) for role in (*_SCALES, "y_scale")},
        "bias": INTEGERS["bias"],
    }
)
"""Of quantised layers, by role."""

_OWN: Mapping[str, Mapping[str, Draw]] = MappingProxyType(
    {
        **dict.fromkeys(("LayerNormalization", "GroupNormalization", "InstanceNormalization"), NORM),
        "BatchNormalization": BATCH_NORM,
        "PRelu": SLOPES,
        "Scale": SCALE,
        "Constant": VALUE,
        "Integers": INTEGER_VALUE,
        "Quantised": _QUANTISED,
        "int8": {"weight": INTEGERS["weight"]},
        "uint8": {"weight": ("integers", (0.0, 255.0))},
        **dict.fromkeys(("DequantizedConv", "DequantizedGemm"), INTEGERS),
    }
)


def initial(
    op: str, name: str, shape: tuple[int, ...], fan: tuple[int, int], asked: tuple[str | float, ...] | None
) -> Initial:
    """The stored array `name`, drawn as `asked` = (kind, *numbers), or by default."""
    role = name.rpartition(".")[2]
    if asked is None:
        kind, values = _OWN.get(op, WEIGHTED)[role]
    else:
        kind, values = str(asked[0]), tuple(map(float, asked[1:]))
    return Initial(name, shape, kind, values, fan, learned=not role.startswith("running_") and role not in SETTLED)
