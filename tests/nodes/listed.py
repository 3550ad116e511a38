"""Node cases that do not pass, by name, with the reason. A case that begins to pass must leave these lists."""

from __future__ import annotations

OUTSIDE: dict[str, str] = {
    "a body that runs as often as data say: reported, not executed": """
        test_if test_if_seq test_if_opt test_loop11 test_scan_sum test_scan9_sum test_scan9_multi_state
        test_scan9_scalar
    """,
    "numbers of fewer than 8 bits, or of 8 bits with an exponent, which NumPy has not": """
        test_cast_FLOAT_to_FLOAT8E4M3FN test_cast_FLOAT16_to_FLOAT8E4M3FN test_cast_FLOAT_to_FLOAT8E4M3FNUZ
        test_cast_FLOAT16_to_FLOAT8E4M3FNUZ test_cast_FLOAT8E4M3FN_to_FLOAT test_cast_FLOAT8E4M3FN_to_FLOAT16
        test_cast_FLOAT8E4M3FNUZ_to_FLOAT test_cast_FLOAT8E4M3FNUZ_to_FLOAT16 test_cast_FLOAT_to_FLOAT8E5M2
        test_cast_FLOAT16_to_FLOAT8E5M2 test_cast_FLOAT_to_FLOAT8E5M2FNUZ test_cast_FLOAT16_to_FLOAT8E5M2FNUZ
        test_cast_FLOAT8E5M2_to_FLOAT test_cast_FLOAT8E5M2_to_FLOAT16 test_cast_FLOAT8E5M2FNUZ_to_FLOAT
        test_cast_FLOAT8E5M2FNUZ_to_FLOAT16 test_cast_FLOAT_to_UINT4 test_cast_FLOAT16_to_UINT4
        test_cast_FLOAT_to_INT4 test_cast_FLOAT16_to_INT4 test_cast_UINT4_to_FLOAT test_cast_UINT4_to_FLOAT16
        test_cast_UINT4_to_UINT8 test_cast_INT4_to_FLOAT test_cast_INT4_to_FLOAT16 test_cast_INT4_to_INT8
        test_cast_FLOAT4E2M1_to_FLOAT test_cast_FLOAT4E2M1_to_FLOAT16 test_cast_FLOAT_to_FLOAT4E2M1
        test_cast_FLOAT16_to_FLOAT4E2M1 test_cast_FLOAT_to_UINT2 test_cast_FLOAT16_to_UINT2
        test_cast_FLOAT_to_INT2 test_cast_FLOAT16_to_INT2 test_cast_UINT2_to_FLOAT test_cast_UINT2_to_FLOAT16
        test_cast_UINT2_to_UINT8 test_cast_INT2_to_FLOAT test_cast_INT2_to_FLOAT16 test_cast_INT2_to_INT8
        test_cast_no_saturate_FLOAT_to_FLOAT8E4M3FN test_cast_no_saturate_FLOAT_to_FLOAT8E4M3FNUZ
        test_cast_no_saturate_FLOAT_to_FLOAT8E5M2 test_cast_no_saturate_FLOAT_to_FLOAT8E5M2FNUZ
        test_cast_no_saturate_FLOAT16_to_FLOAT8E4M3FN test_cast_no_saturate_FLOAT16_to_FLOAT8E4M3FNUZ
        test_cast_no_saturate_FLOAT16_to_FLOAT8E5M2 test_cast_no_saturate_FLOAT16_to_FLOAT8E5M2FNUZ
        test_cast_e8m0_FLOAT_to_FLOAT8E8M0 test_cast_e8m0_FLOAT16_to_FLOAT8E8M0
        test_cast_e8m0_FLOAT8E8M0_to_FLOAT test_cast_e8m0_FLOAT8E8M0_to_FLOAT16 test_dequantizelinear_e4m3fn
        test_dequantizelinear_e4m3fn_float16 test_dequantizelinear_e4m3fn_zero_point
        test_dequantizelinear_e5m2 test_dequantizelinear_uint4 test_dequantizelinear_int4
        test_dequantizelinear_uint2 test_dequantizelinear_int2 test_dequantizelinear_float4e2m1
        test_quantizelinear_e4m3fn test_quantizelinear_e5m2 test_quantizelinear_uint4 test_quantizelinear_int4
        test_quantizelinear_uint2 test_quantizelinear_int2 test_quantizelinear_float4e2m1
    """,
    "sequences and optional values, which are no tensors": """
        test_identity_sequence test_identity_opt test_loop13_seq test_loop16_seq_none
    """,
    "text, which is no number": "test_equal_string test_equal_string_broadcast",
    "what is dropped is random, and the vector's choice that of a certain generator": """
        test_training_dropout_default test_training_dropout_default_mask test_training_dropout
        test_training_dropout_mask
    """,
}
"""Reason → names of cases that are refused, and that no layer of a convolutional network needs."""

_LENGTH = "it stretches 4 positions to 4 · 0.6 = 2.4 and 4 · 0.8 = 3.2, not to the 2 and 3 that there are; onnxruntime and torch do"
FAULTY: dict[str, str] = {
    "test_resize_downsample_scales_linear_align_corners": _LENGTH,
    "test_resize_downsample_scales_cubic_align_corners": _LENGTH,
    "test_maxunpool_export_with_output_shape": "it takes places in the output for places in a smaller one, and pads that",
}
"""Names of cases whose vector is wrong → the evidence."""
