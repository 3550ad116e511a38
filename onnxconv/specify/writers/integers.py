"""How layers that compute with integers are said, with the constants that are their own."""

from __future__ import annotations

from collections.abc import Mapping

from onnxconv.dtypes import FLOATS
from onnxconv.graph import Node, Number, TensorType
from onnxconv.ops import (
    ConvInteger,
    DequantizeLinear,
    DynamicQuantizeLinear,
    MatMulInteger,
    Operator,
    QLinearConv,
    QLinearMatMul,
    QuantizeLinear,
    Shape,
)
from onnxconv.specify.writers.windows import window_of
from onnxconv.specify.writers.words import Attributes, Said, Writer, needed, plain

__all__ = ["INTEGERS", "with_own"]

_SEVERAL = ("weight_scale", "weight_zero_point", "b_scale", "b_zero_point")
"""Roles of which there are several, unless they are told."""


def with_own(node: Node, held: Mapping[str, Node], x: TensorType) -> Said | None:
    """A node whose constants are its own, by role. `x`: its first tensor. None where no layer has such constants."""
    kind = next(kind for kind, (op, _) in INTEGERS.items() if isinstance(node.op, op))
    types = {role: constant.type for role, constant in held.items()}
    told = {role: value for role, constant in held.items() if (value := _told(role, constant)) is not None}
    said = INTEGERS[kind][1](node.op, x.shape)
    if isinstance(node.op, QuantizeLinear | DequantizeLinear):
        said = _linear(node.op, types, x)
        if "scale" in told and told.get("zero_point") == 0:
            del told["zero_point"]
    elif not all(_fits(role, type, role in told) for role, type in types.items()):
        return None
    if said is None:
        return None
    if "weight" in types:
        said |= {"filters": types["weight"].shape[0], "weights": types["weight"].dtype}
    if isinstance(node.op, QLinearConv):
        said |= {"bias": "bias" in held}
    return Said(kind, tuple(needed(kind, {**said, **told})))


def _told(role: str, constant: Node) -> float | None:
    ((_, param),) = constant.params
    tells = isinstance(param.recipe, Number) and role.endswith(("scale", "zero_point"))
    return param.recipe.value if tells and isinstance(param.recipe, Number) else None


def _fits(role: str, type: TensorType, told: bool) -> bool:
    """Scales are float32; one that is not told is several, or one where a layer has but one."""
    if role.endswith("scale") and type.dtype != "float32":
        return False
    if role in _SEVERAL:
        return len(type.shape) == (0 if told else 1)
    return role in ("weight", "bias") or type.shape == ()


def _linear(op: QuantizeLinear | DequantizeLinear, types: Mapping[str, TensorType], x: TensorType) -> Attributes | None:
    scale = types["scale"]
    where = {"axis": op.axis if scale.shape else None, "block": op.block or None}
    if isinstance(op, DequantizeLinear):
        return {**where, "to": scale.dtype}
    precision = x.dtype if x.dtype in FLOATS else "float32"
    return {**where, "to": op.dtype} if op.precision == precision == scale.dtype else None


def _window(op: ConvInteger | QLinearConv, x: Shape) -> Attributes:
    to = {"to": op.dtype} if isinstance(op, QLinearConv) else {}
    return {**window_of(op.window, op.groups, x), **to}


def _dynamic(output: str) -> Writer:
    return lambda op, _: {} if op.output == output else None


INTEGERS: dict[str, tuple[type[Operator], Writer]] = {
    "quantize_linear": (QuantizeLinear, plain),
    "dequantize_linear": (DequantizeLinear, plain),
    "dynamic_quantize_linear": (DynamicQuantizeLinear, _dynamic("y")),
    "dynamic_scale": (DynamicQuantizeLinear, _dynamic("scale")),
    "dynamic_zero_point": (DynamicQuantizeLinear, _dynamic("zero_point")),
    "conv_integer": (ConvInteger, _window),
    "matmul_integer": (MatMulInteger, plain),
    "qlinear_conv": (QLinearConv, _window),
    "qlinear_matmul": (QLinearMatMul, lambda op, _: {"to": op.dtype}),
}
"""Those in `OWN` are said by `with_own`."""
