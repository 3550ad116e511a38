"""Node cases that do not pass, by name, with the reason. A case that begins to pass must leave these lists."""

from __future__ import annotations

NOT_YET: dict[str, str] = {
    "Cast is not read": """
        test_cast_FLOAT8E4M3FN_to_FLOAT test_cast_FLOAT8E4M3FN_to_FLOAT16 test_cast_FLOAT8E4M3FNUZ_to_FLOAT
        test_cast_FLOAT8E4M3FNUZ_to_FLOAT16 test_cast_FLOAT8E5M2_to_FLOAT test_cast_FLOAT8E5M2_to_FLOAT16
        test_cast_FLOAT8E5M2FNUZ_to_FLOAT test_cast_FLOAT8E5M2FNUZ_to_FLOAT16 test_cast_UINT4_to_FLOAT
        test_cast_UINT4_to_FLOAT16 test_cast_UINT4_to_UINT8 test_cast_INT4_to_FLOAT test_cast_INT4_to_FLOAT16
        test_cast_INT4_to_INT8 test_cast_FLOAT4E2M1_to_FLOAT test_cast_FLOAT4E2M1_to_FLOAT16
        test_cast_UINT2_to_FLOAT test_cast_UINT2_to_FLOAT16 test_cast_UINT2_to_UINT8 test_cast_INT2_to_FLOAT
        test_cast_INT2_to_FLOAT16 test_cast_INT2_to_INT8 test_cast_e8m0_FLOAT8E8M0_to_FLOAT
        test_cast_e8m0_FLOAT8E8M0_to_FLOAT16
    """,
    "Cast: dtype": """
        test_cast_FLOAT_to_FLOAT8E4M3FN test_cast_FLOAT16_to_FLOAT8E4M3FN test_cast_FLOAT_to_FLOAT8E4M3FNUZ
        test_cast_FLOAT16_to_FLOAT8E4M3FNUZ test_cast_FLOAT_to_FLOAT8E5M2 test_cast_FLOAT16_to_FLOAT8E5M2
        test_cast_FLOAT_to_FLOAT8E5M2FNUZ test_cast_FLOAT16_to_FLOAT8E5M2FNUZ test_cast_FLOAT_to_UINT4
        test_cast_FLOAT16_to_UINT4 test_cast_FLOAT_to_INT4 test_cast_FLOAT16_to_INT4
        test_cast_FLOAT_to_FLOAT4E2M1 test_cast_FLOAT16_to_FLOAT4E2M1 test_cast_FLOAT_to_UINT2
        test_cast_FLOAT16_to_UINT2 test_cast_FLOAT_to_INT2 test_cast_FLOAT16_to_INT2
        test_cast_no_saturate_FLOAT_to_FLOAT8E4M3FN test_cast_no_saturate_FLOAT_to_FLOAT8E4M3FNUZ
        test_cast_no_saturate_FLOAT_to_FLOAT8E5M2 test_cast_no_saturate_FLOAT_to_FLOAT8E5M2FNUZ
        test_cast_no_saturate_FLOAT16_to_FLOAT8E4M3FN test_cast_no_saturate_FLOAT16_to_FLOAT8E4M3FNUZ
        test_cast_no_saturate_FLOAT16_to_FLOAT8E5M2 test_cast_no_saturate_FLOAT16_to_FLOAT8E5M2FNUZ
        test_cast_e8m0_FLOAT_to_FLOAT8E8M0 test_cast_e8m0_FLOAT16_to_FLOAT8E8M0
    """,
    "CastLike is not read": """
        test_elu_example_expanded_ver18 test_elu_expanded_ver18 test_elu_default_expanded_ver18
        test_gelu_tanh_1_expanded test_gelu_tanh_2_expanded test_gelu_default_1_expanded
        test_gelu_default_2_expanded test_hardsigmoid_example_expanded_ver18 test_hardsigmoid_expanded_ver18
        test_hardsigmoid_default_expanded_ver18 test_leakyrelu_example_expanded test_leakyrelu_expanded
        test_leakyrelu_default_expanded test_prelu_example_expanded test_prelu_broadcast_expanded
        test_relu_expanded_ver18
    """,
    "DequantizeLinear: float8 and less than 8 bits": """
        test_dequantizelinear_e4m3fn test_dequantizelinear_e4m3fn_float16
        test_dequantizelinear_e4m3fn_zero_point test_dequantizelinear_e5m2 test_dequantizelinear_uint4
        test_dequantizelinear_int4 test_dequantizelinear_uint2 test_dequantizelinear_int2
        test_dequantizelinear_float4e2m1
    """,
    "Dropout: training": """
        test_training_dropout_default test_training_dropout_default_mask test_training_dropout
        test_training_dropout_mask
    """,
    "Exp is not read": """
        test_softplus_example_expanded_ver18 test_softplus_expanded_ver18
    """,
    "If is not read": """
        test_if test_if_seq test_if_opt
    """,
    "Less is not read": """
        test_clip_example_expanded test_clip_expanded test_clip_inbounds_expanded test_clip_outbounds_expanded
        test_clip_splitbounds_expanded test_clip_min_greater_than_max_expanded test_clip_default_min_expanded
        test_clip_default_max_expanded test_clip_default_int8_min_expanded test_clip_default_int8_max_expanded
    """,
    "Loop is not read": """
        test_loop11 test_loop13_seq test_loop16_seq_none
    """,
    "QuantizeLinear: float8 and less than 8 bits": """
        test_quantizelinear_e4m3fn test_quantizelinear_e5m2 test_quantizelinear_uint4 test_quantizelinear_int4
        test_quantizelinear_uint2 test_quantizelinear_int2 test_quantizelinear_float4e2m1
    """,
    "ReduceMax is not read": """
        test_reduce_max_empty_set test_reduce_max_empty_set_bool
    """,
    "ReduceSum is not read": """
        test_reduce_sum_empty_set test_reduce_sum_empty_set_non_reduced_axis_zero
    """,
    "Scan is not read": """
        test_scan_sum test_scan9_sum test_scan9_multi_state test_scan9_scalar
    """,
    "Shape is not read": """
        test_shape_start_greater_than_end
    """,
    "Slice: empty-output": """
        test_slice_start_out_of_bounds
    """,
    "Split: empty-input": """
        test_split_zero_size_splits_opset13 test_split_zero_size_splits_opset18
    """,
    "dtype": """
        test_identity_sequence test_identity_opt
    """,
    "empty-input": """
        test_reshape_allowzero_reordered
    """,
    "output": """
        test_constantofshape_int_shape_zero
    """,
}
"""Reason → names of cases that are refused and should not be."""

OUTSIDE: dict[str, str] = {}
"""Reason → names of cases that no layer of a convolutional network needs."""

_LENGTH = "it stretches 4 positions to 4 · 0.6 = 2.4 and 4 · 0.8 = 3.2, not to the 2 and 3 that there are; onnxruntime and torch do"
FAULTY: dict[str, str] = {
    "test_resize_downsample_scales_linear_align_corners": _LENGTH,
    "test_resize_downsample_scales_cubic_align_corners": _LENGTH,
    "test_maxunpool_export_with_output_shape": "it takes places in the output for places in a smaller one, and pads that",
}
"""Names of cases whose vector is wrong → the evidence."""
