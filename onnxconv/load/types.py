"""Data types that an ONNX operator takes, by the schema of its opset."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from onnxconv.errors import Refusal

__all__ = ["check_types"]

_SPELT = {"float32": "float", "float64": "double"}


def check_types(node: onnx.NodeProto, opset: int, dtype_of: Callable[[str], str | None]) -> None:
    """Raises `Refusal` where an input's data type, if known, is none that the operator takes, or two differ that must not."""
    schema = onnx.defs.get_schema(node.op_type, opset)
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
