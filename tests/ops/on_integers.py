"""Operators whose operands are integers, or scales and zero points; and those that take truth values."""

from __future__ import annotations

from onnxconv.ops import (
    And,
    ConvInteger,
    DequantizedConv,
    DequantizedGemm,
    DequantizeLinear,
    DynamicQuantizeLinear,
    MatMulInteger,
    Not,
    Or,
    QLinearConv,
    QLinearMatMul,
    QuantizeLinear,
    Where,
    Xor,
)

ON_INTEGERS = (
    ConvInteger,
    DequantizedConv,
    DequantizedGemm,
    DequantizeLinear,
    DynamicQuantizeLinear,
    MatMulInteger,
    QLinearConv,
    QLinearMatMul,
    QuantizeLinear,
)

ON_TRUTH = (Not, And, Or, Xor, Where)
