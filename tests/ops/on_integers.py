"""Operators whose operands are integers, or scales and zero points."""

from __future__ import annotations

from onnxconv.ops import (
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
