"""What an ONNX operator takes in its opset: data types, by its schema, and operands that are broadcast."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from onnxconv.errors import Refusal
from onnxconv.load.step import Reading
from onnxconv.ops import shape_text

__all__ = ["check_placed", "check_types"]

_SPELT = {"float32": "float", "float64": "double"}


def check_types(node: onnx.NodeProto, opset: int, dtype_of: Callable[[str], str | None]) -> None:
    """Raises `Refusal` where an input's data type, if known, is none that the operator takes, or two differ that must not."""
    try:
        schema = onnx.defs.get_schema(node.op_type, opset)
    except onnx.defs.SchemaError as missing:
        raise Refusal("opset", f"there is no {node.op_type} in opset {opset}", "it came later, or is gone") from missing
    allowed = {constraint.type_param_str: constraint.allowed_type_strs for constraint in schema.type_constraints}
    bound: dict[str, str] = {}
    for index, name in enumerate(node.input):
        formal = schema.inputs[min(index, len(schema.inputs) - 1)]
        dtype = dtype_of(name)
        if dtype is None:
            continue
        if f"tensor({_SPELT.get(dtype, dtype)})" not in allowed.get(formal.type_str, [formal.type_str]):
            why = f"{node.op_type} takes no {dtype} there in opset {opset}"
            raise Refusal("dtype", f"its input {index} ({name!r}) is {dtype}", why)
        if formal.type_str in allowed and formal.is_homogeneous and bound.setdefault(formal.type_str, dtype) != dtype:
            what = f"its input {index} ({name!r}) is {dtype}, another one {bound[formal.type_str]}"
            raise Refusal("dtype", what, f"{node.op_type} takes them of one data type")


def check_placed(at: Reading) -> None:
    """Before opset 7 an attribute says which axes a second operand lies along: refused unless they are the last ones."""
    if at.opset >= 7 or not {"axis", "broadcast"} <= at.attributes.keys() or not at.integer("broadcast", 0):
        return
    x, z = at.any_shape(0), at.any_shape(1)
    axis = at.integer("axis", 0)
    axis += len(x) * (axis < 0)
    if axis + len(z) != len(x) and any(n != 1 for n in z):
        what = f"its second operand {shape_text(z)} lies along {shape_text(x)} from axis {axis} on"
        raise Refusal("broadcast", what, "operands are aligned at the last axis", "convert the model to opset 7")
