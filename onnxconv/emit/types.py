"""Which data types an ONNX operator takes, by opset, as the installed onnx says."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnx_ir as ir

from onnxconv.errors import Refusal

__all__ = ["demand_types"]


def demand_types(operator: str, operands: Sequence[ir.DataType | None], opset: int) -> None:
    """Refuse operands of types that the operator does not take in this opset, naming the first opset that takes them."""
    refused = _refused(operator, operands, opset)
    if refused is None:
        return
    newest = onnx.defs.onnx_opset_version()
    later = next((n for n in range(opset + 1, newest + 1) if _refused(operator, operands, n) is None), None)
    what = f"{operator} of opset {opset} takes no {refused.name.lower()}"
    if later is None:
        raise Refusal("dtype", what, f"no opset up to {newest} has it", "use another data type")
    raise Refusal("opset", what, f"it does since opset {later}", f"build with --opset {later} or later")


def _refused(operator: str, operands: Sequence[ir.DataType | None], opset: int) -> ir.DataType | None:
    """The first operand's type that the operator does not take."""
    schema = onnx.defs.get_schema(operator, opset)
    allowed = {constraint.type_param_str: constraint.allowed_type_strs for constraint in schema.type_constraints}
    for index, dtype in enumerate(operands):
        formal = schema.inputs[min(index, len(schema.inputs) - 1)].type_str
        if dtype is not None and f"tensor({dtype.name.lower()})" not in allowed.get(formal, [formal]):
            return dtype
    return None
