"""Layers that compute with integers. Their scales, zero points and integer weights are constants of the layer's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from onnxconv.dtypes import FLOATS
from onnxconv.errors import Refusal
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
from onnxconv.ops.conv import check_groups
from onnxconv.ops.protocol import fixed
from onnxconv.resolve.padding import window
from onnxconv.resolve.site import Lowering, Site
from onnxconv.resolve.sums import channels_of, groups_of

__all__ = ["INTEGERS", "OWN"]

OWN: Mapping[type[Operator], Mapping[int, str]] = MappingProxyType(
    {
        QuantizeLinear: {1: "scale", 2: "zero_point"},
        DequantizeLinear: {1: "scale", 2: "zero_point"},
        ConvInteger: {1: "weight", 3: "weight_zero_point"},
        QLinearConv: {
            1: "x_scale",
            2: "x_zero_point",
            3: "weight",
            4: "weight_scale",
            5: "weight_zero_point",
            6: "y_scale",
            7: "y_zero_point",
            8: "bias",
        },
        QLinearMatMul: {
            1: "a_scale",
            2: "a_zero_point",
            4: "b_scale",
            5: "b_zero_point",
            6: "y_scale",
            7: "y_zero_point",
        },
    }
)
"""By operator, the inputs that are constants of the layer's own, by their index, and the role of each."""


def _quantize(site: Site) -> tuple[Node, ...]:
    """A scale and a zero point, each one for all, or one per position or block of an axis."""
    to, precision = site.get("to"), site.dtype if site.dtype in FLOATS else "float32"
    op = QuantizeLinear(*_axis_and_block(site), to, precision)
    return _applied(site, op, {"scale": precision, "zero_point": to}, _scale_shape(site))


def _dequantize(site: Site) -> tuple[Node, ...]:
    op = DequantizeLinear(*_axis_and_block(site))
    return _applied(site, op, {"scale": site.get("to"), "zero_point": site.dtype}, _scale_shape(site))


def _axis_and_block(site: Site) -> tuple[int, int]:
    """Where there is one scale no axis matters, and it is 1."""
    if "block" in site.layer and "axis" not in site.layer:
        raise Refusal("axis", "block without an axis", "blocks lie along an axis", "add axis: 1", "block")
    return site.get("axis", 1), site.get("block", 0)


def _scale_shape(site: Site) -> Shape:
    axis, block = site.get("axis"), site.get("block", 0)
    if axis is None:
        return ()
    if axis >= len(site.x):
        why = f"axes are counted from 0 to {len(site.x) - 1}"
        raise Refusal("axis", f"a scale along axis {axis} of a tensor with {len(site.x)} axes", why, "", "axis")
    if not block:
        return site.x[axis : axis + 1]
    return tuple(-(-fixed(n, "a size") // block) if i == axis else n for i, n in enumerate(site.x))


def _conv_integer(site: Site) -> tuple[Node, ...]:
    site.need_tensors(2)
    filters, of = site.integer("filters"), site.get("weights")
    op = ConvInteger(window(site), groups_of(site))
    return _applied(site, op, {"weight": of, "weight_zero_point": of}, _weight_shape(site, op), (filters,))


def _qlinear_conv(site: Site) -> tuple[Node, ...]:
    filters, of, to = site.integer("filters"), site.get("weights"), site.get("to")
    op = QLinearConv(window(site), groups_of(site), to)
    dtypes = {"x_zero_point": site.dtype, "weight": of, "weight_zero_point": of, "y_zero_point": to, "bias": "int32"}
    if not site.get("bias"):
        del dtypes["bias"]
    return _applied(site, op, _SCALES | dtypes, _weight_shape(site, op), (filters,))


def _weight_shape(site: Site, op: ConvInteger | QLinearConv) -> Shape:
    channels, filters = channels_of(site), site.integer("filters")
    check_groups(channels, filters, op.groups)
    return (filters, channels // op.groups, *(axis.size for axis in op.window))


def _matmul_integer(site: Site) -> tuple[Node, ...]:
    site.need_tensors(2, 3, 4)
    return (site.node(MatMulInteger()),)


def _qlinear_matmul(site: Site) -> tuple[Node, ...]:
    site.need_tensors(2)
    to, b = site.get("to"), site.types[1]
    dtypes = {"a_zero_point": site.dtype, "b_zero_point": b.dtype, "y_zero_point": to}
    scales = {role.replace("x_", "a_").replace("weight_", "b_"): dtype for role, dtype in _SCALES.items()}
    return _applied(site, QLinearMatMul(to), scales | dtypes, (), b.shape[-1:])


_SCALES = dict.fromkeys(("x_scale", "weight_scale", "y_scale"), "float32")
_MANY = ("weight_scale", "weight_zero_point", "bias", "b_scale", "b_zero_point")
"""Roles of which there are several, unless they are said as one number."""


def _applied(
    site: Site, op: Operator, dtypes: Mapping[str, str], shape: Shape, several: Shape | None = None
) -> tuple[Node, ...]:
    """The operator on the layer's tensors and, where `OWN` says so, constants of its own of these data types.

    `shape`: of the weight, or of all constants where there are not `several`: then those of `_MANY` have that shape.
    """
    made = {
        index: _own(site, role, dtypes[role], shape, several) for index, role in OWN[type(op)].items() if role in dtypes
    }
    read = iter(zip(site.inputs, site.types, strict=True))
    pairs = [(made[i].output, made[i].type) if i in made else next(read) for i in range(len(site.inputs) + len(made))]
    names, types = zip(*pairs, strict=True)
    return (*made.values(), replace(site, inputs=names, types=types).node(op))


def _own(site: Site, role: str, dtype: str, shape: Shape, several: Shape | None) -> Node:
    tells = role in site.layer and role.endswith(("scale", "zero_point"))
    told = site.number(role, dtype) if tells else None
    if role == "zero_point" and told is None and "scale" in site.layer:
        told = Number(0)
    if several is not None and role != "weight":
        shape = several if role in _MANY and told is None else ()
    sizes = tuple(fixed(n, f"a size of the {role}") for n in shape)
    drawn = dtype if role == "weight" else "Quantised"
    return site.constant(role, TensorType(dtype, shape), told or site.stored(drawn, role, sizes, (1, 1)))


def _dynamic(output: str) -> Lowering:
    return lambda site: (site.node(DynamicQuantizeLinear(output)),)


INTEGERS: dict[str, Lowering] = {
    "quantize_linear": _quantize,
    "dequantize_linear": _dequantize,
    "dynamic_quantize_linear": _dynamic("y"),
    "dynamic_scale": _dynamic("scale"),
    "dynamic_zero_point": _dynamic("zero_point"),
    "conv_integer": _conv_integer,
    "matmul_integer": _matmul_integer,
    "qlinear_conv": _qlinear_conv,
    "qlinear_matmul": _qlinear_matmul,
}
"""How each of these kinds of layers becomes operators."""
