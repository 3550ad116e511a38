"""Node cases that do not pass, by name, with the reason. A case that begins to pass must leave these lists."""

from __future__ import annotations

NOT_YET: dict[str, str] = {
    "Add: 3": """
        test_operator_add_broadcast test_operator_add_size1_right_broadcast
    """,
    "Add: 5": """
        test_add_bcast
    """,
    "Add: broadcast": """
        test_operator_addconstant test_operator_non_float_params
    """,
    "Add: join-shape": """
        test_operator_add_size1_singleton_broadcast
    """,
    "BatchNormalization: training": """
        test_batchnorm_example_training_mode test_batchnorm_epsilon_training_mode
    """,
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
    "DeformConv is not read": """
        test_basic_deform_conv_with_padding test_basic_deform_conv_without_padding
        test_deform_conv_with_mask_bias test_deform_conv_with_multiple_offset_groups
    """,
    "DequantizeLinear: float8 and less than 8 bits": """
        test_dequantizelinear_e4m3fn test_dequantizelinear_e4m3fn_float16
        test_dequantizelinear_e4m3fn_zero_point test_dequantizelinear_e5m2 test_dequantizelinear_uint4
        test_dequantizelinear_int4 test_dequantizelinear_uint2 test_dequantizelinear_int2
        test_dequantizelinear_float4e2m1
    """,
    "Div is not read": """
        test_div_example test_div test_div_int8 test_div_int16 test_div_int32_trunc test_div_uint8
        test_div_uint16 test_div_uint32 test_div_uint64 test_div_bcast
    """,
    "Dropout: training": """
        test_training_dropout_default test_training_dropout_default_mask test_training_dropout
        test_training_dropout_mask
    """,
    "Exp is not read": """
        test_exp_example test_exp test_softplus_example_expanded_ver18 test_softplus_expanded_ver18
        test_PoissonNLLLLoss_no_reduce test_operator_exp
    """,
    "Gemm: bias-shape": """
        test_gemm_default_matrix_bias
    """,
    "Gemm: not-constant": """
        test_operator_addmm
    """,
    "Gemm: unsupported-attribute": """
        test_gemm_transposeA test_gemm_alpha test_gemm_beta test_gemm_all_attributes test_operator_mm
    """,
    "GroupNormalization is not read": """
        test_group_normalization_example test_group_normalization_epsilon
    """,
    "If is not read": """
        test_if test_if_seq test_if_opt
    """,
    "InstanceNormalization is not read": """
        test_instancenorm_example test_instancenorm_epsilon test_operator_symbolic_override
    """,
    "LRN is not read": """
        test_lrn test_lrn_default
    """,
    "LayerNormalization is not read": """
        test_layer_normalization_4d_axis0 test_layer_normalization_4d_axis_negative_4
        test_layer_normalization_4d_axis1 test_layer_normalization_4d_axis_negative_3
        test_layer_normalization_4d_axis2 test_layer_normalization_4d_axis_negative_2
        test_layer_normalization_4d_axis3 test_layer_normalization_4d_axis_negative_1
        test_layer_normalization_default_axis test_layer_normalization_2d_axis0
        test_layer_normalization_2d_axis_negative_2 test_layer_normalization_2d_axis1
        test_layer_normalization_2d_axis_negative_1 test_layer_normalization_3d_axis0_epsilon
        test_layer_normalization_3d_axis_negative_3_epsilon test_layer_normalization_3d_axis1_epsilon
        test_layer_normalization_3d_axis_negative_2_epsilon test_layer_normalization_3d_axis2_epsilon
        test_layer_normalization_3d_axis_negative_1_epsilon
    """,
    "Less is not read": """
        test_clip_example_expanded test_clip_expanded test_clip_inbounds_expanded test_clip_outbounds_expanded
        test_clip_splitbounds_expanded test_clip_min_greater_than_max_expanded test_clip_default_min_expanded
        test_clip_default_max_expanded test_clip_default_int8_min_expanded test_clip_default_int8_max_expanded
    """,
    "Loop is not read": """
        test_loop11 test_loop13_seq test_loop16_seq_none
    """,
    "MatMul: not-constant": """
        test_matmul_2d test_matmul_3d test_matmul_4d test_matmul_bcast test_matmul_1d_3d test_matmul_4d_1d
        test_matmul_1d_1d
    """,
    "Mul: 5": """
        test_mul_bcast
    """,
    "PRelu: 3": """
        test_PReLU_1d_multiparam test_PReLU_2d_multiparam test_PReLU_3d_multiparam
    """,
    "PRelu: 5": """
        test_prelu_broadcast
    """,
    "PRelu: slope-shape": """
        test_prelu_example
    """,
    "Pow is not read": """
        test_pow_example test_pow test_pow_bcast_scalar test_pow_bcast_array test_pow_types_float32_int64
        test_pow_types_int64_float32 test_pow_types_float32_int32 test_pow_types_int32_float32
        test_pow_types_float32_uint64 test_pow_types_float32_uint32 test_pow_types_int64_int64
        test_pow_types_int32_int32 test_operator_pow
    """,
    "QuantizeLinear: float8 and less than 8 bits": """
        test_quantizelinear_e4m3fn test_quantizelinear_e5m2 test_quantizelinear_uint4 test_quantizelinear_int4
        test_quantizelinear_uint2 test_quantizelinear_int2 test_quantizelinear_float4e2m1
    """,
    "ReduceMax is not read": """
        test_reduce_max_do_not_keepdims_example test_reduce_max_do_not_keepdims_random
        test_reduce_max_keepdims_example test_reduce_max_keepdims_random
        test_reduce_max_default_axes_keepdim_example test_reduce_max_default_axes_keepdims_random
        test_reduce_max_negative_axes_keepdims_example test_reduce_max_negative_axes_keepdims_random
        test_reduce_max_bool_inputs test_reduce_max_empty_set test_reduce_max_empty_set_bool
        test_softmax_example_expanded test_softmax_example_expanded_ver18 test_softmax_large_number_expanded
        test_softmax_large_number_expanded_ver18 test_softmax_axis_0_expanded
        test_softmax_axis_0_expanded_ver18 test_softmax_axis_1_expanded test_softmax_axis_1_expanded_ver18
        test_softmax_axis_2_expanded test_softmax_axis_2_expanded_ver18 test_softmax_negative_axis_expanded
        test_softmax_negative_axis_expanded_ver18 test_softmax_default_axis_expanded
        test_softmax_default_axis_expanded_ver18
    """,
    "ReduceMean: 1": """
        test_reduce_mean_do_not_keepdims_example test_reduce_mean_do_not_keepdims_random
        test_reduce_mean_keepdims_example test_reduce_mean_keepdims_random
        test_reduce_mean_negative_axes_keepdims_example test_reduce_mean_negative_axes_keepdims_random
    """,
    "ReduceMean: 2": """
        test_operator_reduced_mean test_operator_reduced_mean_keepdim
    """,
    "ReduceMean: axes": """
        test_reduce_mean_default_axes_keepdims_example test_reduce_mean_default_axes_keepdims_random
    """,
    "ReduceMin is not read": """
        test_dynamicquantizelinear_expanded test_dynamicquantizelinear_max_adjusted_expanded
        test_dynamicquantizelinear_min_adjusted_expanded
    """,
    "ReduceSum is not read": """
        test_reduce_sum_do_not_keepdims_example test_reduce_sum_do_not_keepdims_random
        test_reduce_sum_keepdims_example test_reduce_sum_keepdims_random
        test_reduce_sum_default_axes_keepdims_example test_reduce_sum_default_axes_keepdims_random
        test_reduce_sum_negative_axes_keepdims_example test_reduce_sum_negative_axes_keepdims_random
        test_reduce_sum_empty_axes_input_noop_example test_reduce_sum_empty_axes_input_noop
        test_reduce_sum_empty_set test_reduce_sum_empty_set_non_reduced_axis_zero test_operator_reduced_sum
        test_operator_reduced_sum_keepdim
    """,
    "Resize is not read": """
        test_resize_upsample_scales_nearest test_resize_downsample_scales_nearest
        test_resize_upsample_sizes_nearest test_resize_downsample_sizes_nearest
        test_resize_upsample_scales_linear test_resize_upsample_scales_linear_align_corners
        test_resize_downsample_scales_linear test_resize_downsample_scales_linear_align_corners
        test_resize_upsample_scales_cubic test_resize_upsample_scales_cubic_align_corners
        test_resize_downsample_scales_cubic test_resize_downsample_scales_cubic_align_corners
        test_resize_upsample_sizes_cubic test_resize_downsample_sizes_cubic
        test_resize_upsample_scales_cubic_A_n0p5_exclude_outside
        test_resize_downsample_scales_cubic_A_n0p5_exclude_outside
        test_resize_upsample_scales_cubic_asymmetric test_resize_tf_crop_and_resize
        test_resize_tf_crop_and_resize_extrapolation_value
        test_resize_downsample_sizes_linear_pytorch_half_pixel
        test_resize_upsample_sizes_nearest_floor_align_corners
        test_resize_upsample_sizes_nearest_round_prefer_ceil_asymmetric
        test_resize_upsample_sizes_nearest_ceil_half_pixel test_resize_downsample_scales_linear_antialias
        test_resize_downsample_sizes_linear_antialias test_resize_downsample_scales_cubic_antialias
        test_resize_downsample_sizes_cubic_antialias test_resize_upsample_scales_nearest_axes_2_3
        test_resize_upsample_scales_nearest_axes_3_2 test_resize_upsample_sizes_nearest_axes_2_3
        test_resize_upsample_sizes_nearest_axes_3_2 test_resize_tf_crop_and_resize_axes_2_3
        test_resize_tf_crop_and_resize_axes_3_2 test_resize_upsample_sizes_nearest_not_larger
        test_resize_upsample_sizes_nearest_not_smaller test_resize_downsample_sizes_nearest_not_larger
        test_resize_downsample_sizes_nearest_not_smaller
        test_resize_downsample_scales_linear_half_pixel_symmetric
        test_resize_upsample_scales_linear_half_pixel_symmetric
    """,
    "Scan is not read": """
        test_scan_sum test_scan9_sum test_scan9_multi_state test_scan9_scalar
    """,
    "Shape is not read": """
        test_group_normalization_example_expanded test_group_normalization_epsilon_expanded
        test_layer_normalization_4d_axis0_expanded test_layer_normalization_4d_axis0_expanded_ver18
        test_layer_normalization_4d_axis_negative_4_expanded
        test_layer_normalization_4d_axis_negative_4_expanded_ver18 test_layer_normalization_4d_axis1_expanded
        test_layer_normalization_4d_axis1_expanded_ver18 test_layer_normalization_4d_axis_negative_3_expanded
        test_layer_normalization_4d_axis_negative_3_expanded_ver18 test_layer_normalization_4d_axis2_expanded
        test_layer_normalization_4d_axis2_expanded_ver18 test_layer_normalization_4d_axis_negative_2_expanded
        test_layer_normalization_4d_axis_negative_2_expanded_ver18 test_layer_normalization_4d_axis3_expanded
        test_layer_normalization_4d_axis3_expanded_ver18 test_layer_normalization_4d_axis_negative_1_expanded
        test_layer_normalization_4d_axis_negative_1_expanded_ver18
        test_layer_normalization_default_axis_expanded test_layer_normalization_default_axis_expanded_ver18
        test_layer_normalization_2d_axis0_expanded test_layer_normalization_2d_axis0_expanded_ver18
        test_layer_normalization_2d_axis_negative_2_expanded
        test_layer_normalization_2d_axis_negative_2_expanded_ver18 test_layer_normalization_2d_axis1_expanded
        test_layer_normalization_2d_axis1_expanded_ver18 test_layer_normalization_2d_axis_negative_1_expanded
        test_layer_normalization_2d_axis_negative_1_expanded_ver18
        test_layer_normalization_3d_axis0_epsilon_expanded
        test_layer_normalization_3d_axis0_epsilon_expanded_ver18
        test_layer_normalization_3d_axis_negative_3_epsilon_expanded
        test_layer_normalization_3d_axis_negative_3_epsilon_expanded_ver18
        test_layer_normalization_3d_axis1_epsilon_expanded
        test_layer_normalization_3d_axis1_epsilon_expanded_ver18
        test_layer_normalization_3d_axis_negative_2_epsilon_expanded
        test_layer_normalization_3d_axis_negative_2_epsilon_expanded_ver18
        test_layer_normalization_3d_axis2_epsilon_expanded
        test_layer_normalization_3d_axis2_epsilon_expanded_ver18
        test_layer_normalization_3d_axis_negative_1_epsilon_expanded
        test_layer_normalization_3d_axis_negative_1_epsilon_expanded_ver18 test_shape_start_greater_than_end
    """,
    "Slice: empty-output": """
        test_slice_start_out_of_bounds
    """,
    "Split: empty-input": """
        test_split_zero_size_splits_opset13 test_split_zero_size_splits_opset18
    """,
    "Sqrt is not read": """
        test_sqrt_example test_sqrt test_operator_sqrt
    """,
    "Sub is not read": """
        test_sub_example test_sub test_sub_int8 test_sub_int16 test_sub_uint8 test_sub_uint16 test_sub_uint32
        test_sub_uint64 test_sub_bcast
    """,
    "Upsample is not read": """
        test_upsample_nearest
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

FAULTY: dict[str, str] = {
    "test_maxunpool_export_with_output_shape": "it takes places in the output for places in a smaller one, and pads that",
}
"""Names of cases whose vector is wrong → the evidence."""
