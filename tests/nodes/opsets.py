"""What each opset from 7 on means by an operator, where opsets differ: attributes that became inputs, changed defaults."""

from __future__ import annotations

import numpy as np
from nodes.spellings import Spelling, at, counted, normal, real, whole

X = normal(2, 3, 4, 5)
P = np.abs(normal(3, seed=4)) + np.float32(0.5)
OLD_NORM = "up to opset 13 it evaluates a wrong formula, or none"
FLAT = "it knows the softmax of opset 13 alone, of one axis"
NO_CROP = "it knows no negative pads"
INTEGER_POOL = "it fails for integers, and with uneven pads"
ABSENT = "it does not know it"
BATCH_FOR_CHANNELS = "it stops at as many channels as there are images"
NORM = {"scale": normal(3, seed=1), "shift": normal(3, seed=2), "mean": normal(3, seed=3), "var": P}
SIGNS = np.sign(X)
LIMITS = {"low": real(-0.5), "high": real(0.75)}

POINTWISE: list[Spelling] = [
    *at((7, 8, 9), "BatchNormalization", X, NORM, ref=OLD_NORM, epsilon=0.01),
    *at((14, 15), "BatchNormalization", X, NORM, epsilon=0.01),
    *at((7,), "BatchNormalization", X, NORM, ref=OLD_NORM, spatial=1),
    *at((7, 9), "BatchNormalization", normal(2, 3), NORM, ref=OLD_NORM),
    *at((14, 15), "BatchNormalization", normal(2, 3), NORM),
    *at((7, 9), "BatchNormalization", normal(2, 3, 2, 2, 2), NORM, ref=OLD_NORM),
    *at((14, 15), "BatchNormalization", normal(2, 3, 2, 2, 2), NORM),
    *at((7, 10), "Clip", X, min=-0.5, max=0.75),
    *at((7, 10), "Clip", X, min=-0.5),
    *at((7, 10), "Clip", X),
    *at((11, 12, 13), "Clip", X, LIMITS),
    *at((11, 13), "Clip", X, {"low": real(-0.5)}),
    *at((11, 13), "Clip", X, {"_": real(0), "high": real(0.75)}),
    *at((12, 13), "Clip", counted(3, 4, dtype="int8"), {"low": np.int8(3), "high": np.int8(7)}),
    *at((13,), "Clip", counted(3, 4, dtype="uint8"), {"low": np.uint8(3), "high": np.uint8(7)}),
    *at((13,), "Clip", counted(3, 4, dtype="int64"), {"low": whole(3)[0], "high": whole(7)[0]}),
    *at((13,), "Clip", X.astype(np.float64), {"low": real(-0.25, "float64")}),
    *at((13,), "Clip", X.astype(np.float16), {"low": real(-0.3, "float16")}),
    *at((7, 9, 11, 12), "Softmax", X, ref=FLAT),
    *at((7, 11, 12), "Softmax", X, ref=FLAT, axis=2),
    *at((11, 12), "Softmax", X, ref=FLAT, axis=-2),
    *at((7, 11), "Softmax", X, ref=FLAT, axis=0),
    *at((13,), "Softmax", X),
    *at((13,), "Softmax", X, axis=2),
    *at((13,), "Softmax", X, axis=-2),
    *at((13,), "Softmax", X, axis=0),
    *at((7, 11, 13), "Softmax", normal(3, 4)),
    *at((7, 10), "Dropout", X, ratio=0.25),
    *at((12, 13), "Dropout", X, {"ratio": real(0.25)}, outputs=2),
    *at((12, 13), "Dropout", X, {"ratio": real(0.25), "training": np.array(False)}),
    *at((7, 9, 16), "PRelu", X, {"slope": normal(3, 1, 1)}),
    *at((7, 9, 16), "PRelu", X, {"slope": normal(1)}),
    *at((7, 16), "PRelu", X, {"slope": normal(5)}),
    *at((7, 16), "PRelu", X, {"slope": normal(3, 4, 5)}),
    *at((7, 9, 13), "Cast", X * 10, to=6),
    *at((7, 9, 13, 19), "Cast", X * 10, to=7),
    *at((9, 13), "Cast", X.astype(np.int32), to=1),
    *at((9, 13), "Cast", X, to=9),
    *at((9, 13), "Cast", X, to=10),
    *at((13, 19), "Cast", X, to=11),
    *at((7, 13), "LRN", normal(2, 7, 3, 4), ref=BATCH_FOR_CHANNELS, size=3),
    *at((7, 13), "LRN", normal(7, 7, 3, 4), size=3),
    *at((7, 13), "LRN", normal(7, 7, 3, 4), ort="it refuses even sizes", size=4, alpha=0.01, beta=0.5, bias=2.0),
    *at((7, 12, 13, 15), "Pow", (np.abs(X), normal(5))),
    *at((12, 13, 15), "Pow", (np.abs(X), whole(2))),
    *at((7, 8, 13), "Sum", (X, normal(2, 3, 4, 5, seed=1), normal(2, 3, 4, 5, seed=2))),
    *at((8, 13), "Sum", (X, normal(5), normal(3, 1, 1))),
    *at((7, 13, 14), "Add", (X, normal(4, 1))),
    *at((7, 13, 14), "Sub", (normal(4, 1), X)),
    *at((7, 13, 14), "Div", (counted(3, 4, dtype="int32") - 5, np.array([[3], [-2], [2]], np.int32))),
    *at((7, 13, 14), "Mul", (X.astype(np.float64), normal(4, 1).astype(np.float64))),
    *at((7, 11, 13, 19), "Equal", (whole(1, 2, 3), whole(3, 2, 1))),
    *at((11, 13, 19), "Equal", (SIGNS, SIGNS[:, :1])),
    *at((7, 9, 13), "Less", (SIGNS, SIGNS[:, :1])),
    *at((9, 13), "Less", (counted(2, 3, dtype="int32"), counted(3, dtype="int32"))),
    *at((7, 9, 13), "Greater", (SIGNS, SIGNS[:, :1])),
    *at((12, 16), "LessOrEqual", (SIGNS, SIGNS[:, :1])),
    *at((12, 16), "GreaterOrEqual", (SIGNS, SIGNS[:, :1])),
    *(one for kind in ("And", "Or", "Xor") for one in at((7,), kind, (X > 0, X[:, :1] > 0))),
    *at((7,), "Not", X > 0),
    *at((9, 16), "Where", (X[0, :1] > 0, X, normal(4, 1))),
    *at((14, 22), "HardSwish", X),
    *at((7, 22), "HardSigmoid", X),
    *at((7, 22), "Elu", X),
    *at((7, 16), "LeakyRelu", X),
    *at((7, 13, 14), "Relu", X),
    *at((7, 22), "Softplus", X),
]

MOVES: list[Spelling] = [
    *at((7, 9, 10), "Pad", X, pads=[0, 0, 1, 2, 0, 0, 2, 1], value=1.5),
    *at((7, 10), "Pad", X, pads=[1, 0, 0, 2, 0, 1, 2, 1]),
    *at((7, 10), "Pad", X, ref=NO_CROP, pads=[0, 0, -1, 2, 0, 0, 2, -2]),
    *at((7, 10), "Pad", X, pads=[0, 0, 1, 2, 0, 0, 2, 1], mode="reflect"),
    *at((7, 10), "Pad", X, pads=[0, 1, 1, 2, 0, 0, 2, 1], mode="edge"),
    *at((11, 13, 18, 19, 21, 23), "Pad", X, {"pads": whole(0, 0, 1, 2, 0, 0, 2, 1), "value": real(1.5)}),
    *at((11, 13, 21), "Pad", X, {"pads": whole(1, 0, 1, 2, 0, 1, 2, 1)}, mode="reflect"),
    *at((11, 13, 21), "Pad", X, {"pads": whole(1, 0, 1, 2, 0, 1, 2, 1)}, mode="edge"),
    *at((11, 13, 18), "Pad", X, {"pads": whole(0, 0, -1, 2, 0, 0, 2, -2)}, ref=NO_CROP),
    *at((18, 19, 21), "Pad", X, {"pads": whole(1, 2, 3, 0), "value": real(1.5), "axes": whole(-1, 1)}),
    *at((19, 21), "Pad", X, {"pads": whole(0, 0, 1, 2, 0, 1, 2, 1)}, mode="wrap"),
    *at((13, 18), "Pad", counted(2, 3, dtype="int64"), {"pads": whole(0, 1, 1, 0), "value": whole(7)[0]}),
    *at((7, 11), "Squeeze", normal(1, 3, 1, 5), axes=[0, 2]),
    *at((11,), "Squeeze", normal(1, 3, 1, 5), axes=[-2]),
    *at((13, 21), "Squeeze", normal(1, 3, 1, 5), {"axes": whole(-2)}),
    *at((7, 11, 13, 21), "Squeeze", normal(1, 3, 1, 5)),
    *at((7, 11), "Unsqueeze", X, axes=[0, 3]),
    *at((11,), "Unsqueeze", X, axes=[-1, 1]),
    *at((13, 21), "Unsqueeze", X, {"axes": whole(-1, 1)}),
    *at((7, 11), "Split", X, outputs=3, axis=1),
    *at((7, 11), "Split", X, outputs=2, axis=3, split=[1, 4]),
    *at((11,), "Split", X, outputs=2, axis=-1, split=[1, 4]),
    *at((13, 18), "Split", X, {"split": whole(1, 4)}, outputs=2, axis=-1),
    *at((13,), "Split", X, outputs=2, axis=2),
    *at((18,), "Split", X, outputs=3, axis=3, num_outputs=3),
    *at((7, 9), "Slice", X, starts=[1, -3], ends=[3, 1000], axes=[2, 3]),
    *at((7, 9), "Slice", X, starts=[0, 1], ends=[1, 2]),
    *at((10, 11, 13), "Slice", X, {"starts": whole(1, -3), "ends": whole(3, 1000), "axes": whole(2, 3)}),
    *at((10, 11, 13), "Slice", X, {"s": whole(-1), "e": whole(-1000), "axes": whole(3), "steps": whole(-2)}),
    *at((11, 13), "Slice", X, {"s": whole(1), "e": whole(-1), "axes": whole(-2)}),
    *at((7, 9, 11, 13, 21), "Flatten", X),
    *at((7, 9, 11, 13), "Flatten", X, axis=0),
    *at((7, 9, 11, 13), "Flatten", X, axis=3),
    *at((11, 13), "Flatten", X, axis=-1),
    *at((7, 13, 14, 19, 21), "Reshape", X, {"shape": whole(0, -1, 5)}),
    *at((7, 14), "Reshape", X, {"shape": whole(6, 20)}),
    *at((7, 13, 21), "Transpose", X, perm=[0, 2, 3, 1]),
    *at((7, 13), "Transpose", X),
    *at((7, 11, 13), "Concat", (X, X), axis=1),
    *at((11, 13), "Concat", (X, X), axis=-1),
    *at((7, 11, 13), "Gather", X, {"indices": np.array([[2, 0], [1, 1]])}, axis=1),
    *at((11, 13), "Gather", X, {"indices": np.array([-1, 0])}, axis=-1),
    *at((8, 13), "Expand", normal(3, 1), {"shape": whole(2, 1, 4)}),
    *at((7, 11, 13), "DepthToSpace", normal(1, 12, 2, 3), blocksize=2),
    *at((11, 13), "DepthToSpace", normal(1, 12, 2, 3), blocksize=2, mode="CRD"),
    *at((7, 13), "SpaceToDepth", normal(1, 3, 4, 6), blocksize=2),
    *at((7, 13, 16), "Identity", X),
]

PLACES = np.array([0, 2, 15, 8, 17, 31, 20, 22]).reshape(1, 2, 2, 2)
UNPOOL = "it reads places as of another shape"
POOL = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}
X2 = normal(1, 2, 8, 9)

POOLS: list[Spelling] = [
    *at((7, 10, 11, 19, 22), "AveragePool", X2, **POOL),
    *at((7, 10, 11, 19, 22), "AveragePool", X2, count_include_pad=1, **POOL),
    *at((10, 11, 19, 22), "AveragePool", X2, ceil_mode=1, **POOL),
    *at((19, 22), "AveragePool", X2, dilations=[2, 2], **POOL),
    *at((7, 10, 11, 19), "AveragePool", X2, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    *at((7, 10, 11, 19), "AveragePool", X2, kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
    *at((7, 8, 10, 11, 12), "MaxPool", X2, **POOL),
    *at((10, 11, 12), "MaxPool", X2, ceil_mode=1, **POOL),
    *at((10, 11, 12), "MaxPool", X2, kernel_shape=[3, 2], dilations=[2, 3]),
    *at((8, 10, 12), "MaxPool", X2, outputs=2, kernel_shape=[2, 2], strides=[2, 2]),
    *at((8, 12), "MaxPool", X2, outputs=2, storage_order=1, kernel_shape=[3, 2], strides=[2, 2]),
    *at((12,), "MaxPool", normal(2, 3, 7), outputs=2, kernel_shape=[3], strides=[2], pads=[1, 1]),
    *at((12,), "MaxPool", normal(2, 3, 7), outputs=2, kernel_shape=[3], dilations=[2]),
    *at((12,), "MaxPool", normal(2, 3, 4, 5, 6), outputs=2, kernel_shape=[2, 2, 2], strides=[1, 2, 2]),
    *at(
        (12,),
        "MaxPool",
        X2.round(),
        ref="its places count the padding",
        outputs=2,
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
    ),
    *at((11,), "MaxUnpool", (normal(1, 2, 2, 2), PLACES), kernel_shape=[2, 2], strides=[2, 2]),
    *at(
        (11,),
        "MaxUnpool",
        (normal(1, 2, 2, 2), PLACES),
        {"s": whole(1, 2, 5, 4)},
        kernel_shape=[2, 2],
        strides=[2, 2],
        ref=UNPOOL,
    ),
    *at((12,), "MaxPool", counted(1, 1, 5, 5, dtype="int8"), ref=INTEGER_POOL, kernel_shape=[2, 2]),
    *at((12,), "MaxPool", counted(1, 1, 5, 5, dtype="uint8"), ref=INTEGER_POOL, kernel_shape=[2, 2], pads=[1, 1, 0, 0]),
    *at((7, 11, 18, 22), "LpPool", X2, p=3, **POOL),
    *at((7, 11, 18), "LpPool", X2, kernel_shape=[2, 2]),
    *at((18,), "LpPool", X2, kernel_shape=[3, 2], dilations=[2, 2]),
    *at((7,), "GlobalLpPool", X2, ref=ABSENT),
    *at((7,), "GlobalLpPool", X2, ref=ABSENT, p=1),
    *at((7, 22), "GlobalAveragePool", X2),
    *at((7, 22), "GlobalMaxPool", X2),
    *at((7, 11, 13), "ReduceMean", X, axes=[1, -1]),
    *at((7, 11, 13), "ReduceMean", X, axes=[2], keepdims=0),
    *at((7, 13), "ReduceMean", X),
    *at((18,), "ReduceMean", X, {"axes": whole(1, -1)}, keepdims=0),
    *at((18,), "ReduceMean", X),
    *at((18,), "ReduceMean", X, noop_with_empty_axes=1),
    *at((7, 11), "ReduceSum", X, axes=[1, 2]),
    *at((13,), "ReduceSum", X, {"axes": whole(1, 2)}),
    *at((13,), "ReduceSum", X, noop_with_empty_axes=1),
    *at((7, 11, 12, 13), "ReduceMax", X, axes=[0, 3]),
    *at((18, 20), "ReduceMax", X, {"axes": whole(0, 3)}),
    *at((12, 13), "ReduceMax", counted(2, 3, dtype="int8"), axes=[1]),
    *at((7,), "Upsample", X, ref=ABSENT, scales=[1.0, 1.0, 2.0, 3.0]),
    *at((7,), "Upsample", X, ref=ABSENT, scales=[1.0, 1.0, 2.0, 1.5], mode="linear"),
    *at((9,), "Upsample", X, {"scales": np.array([1, 1, 2, 2.6], np.float32)}, ref=ABSENT),
    *at((9,), "Upsample", X, {"scales": np.array([1, 1, 2, 2], np.float32)}, ref=ABSENT, mode="linear"),
    *at((10,), "Resize", X, {"scales": np.array([1, 1, 2, 2.6], np.float32)}, ref=ABSENT),
    *at((10,), "Resize", X, {"scales": np.array([1, 1, 0.6, 0.7], np.float32)}, ref=ABSENT),
    *at((10,), "Resize", X, {"scales": np.array([1, 1, 2, 1.7], np.float32)}, ref=ABSENT, mode="linear"),
]

TARGETS: dict[str, list[dict[str, np.ndarray]]] = {
    "scales": [
        {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, *s], np.float32)} for s in ((2, 2.5), (0.55, 0.7))
    ],
    "sizes": [
        {"roi": np.zeros(0, np.float32), "scales": np.zeros(0, np.float32), "sizes": whole(2, 3, *s)}
        for s in ((7, 12), (3, 2))
    ],
}
"""Up and down; without positions that hit the middle between two pixels by rounding only."""

MEANS = (
    {"mode": "nearest"},
    {"mode": "nearest", "nearest_mode": "floor"},
    {"mode": "nearest", "nearest_mode": "ceil"},
    {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    {"mode": "linear"},
    {"mode": "cubic"},
    {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
)

RESIZES: list[Spelling] = [
    spelling
    for opset in (11, 13, 18, 19)
    for mode in (
        *("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"),
        *(["half_pixel_symmetric"] if opset >= 19 else []),
    )
    for kind in ("scales", "sizes")
    if (mode, kind) != ("align_corners", "scales")  # whether lengths are rounded down first, runtimes disagree
    for target in TARGETS[kind]
    for how in MEANS
    for spelling in at((opset,), "Resize", X, target, coordinate_transformation_mode=mode, **how)
]

ZEROS = {"s": P, "z": np.array([1, 2, 3], np.int8)}

DENSE: list[Spelling] = [
    *at((7, 9, 11, 13), "Gemm", normal(3, 6), {"w": normal(6, 5), "b": normal(5)}),
    *at((7, 9, 11, 13), "Gemm", normal(3, 6), {"w": normal(5, 6), "b": normal(1, 5)}, transB=1, alpha=0.5, beta=2.0),
    *at((7, 13), "Gemm", normal(6, 3), {"w": normal(6, 5), "b": normal(3, 1)}, transA=1),
    *at((11, 13), "Gemm", normal(3, 6), {"w": normal(6, 5)}),
    *at((7, 9, 13), "MatMul", normal(2, 3, 6), {"w": normal(6, 5)}),
    *at((7, 9, 13), "MatMul", (normal(2, 3, 4, 6), normal(3, 6, 5))),
    *at((7, 11, 22), "Conv", X, {"w": normal(4, 3, 3, 2), "b": normal(4)}, pads=[1, 0, 0, 1], strides=[2, 1]),
    *at((7, 11, 22), "ConvTranspose", X, {"w": normal(3, 2, 3, 2)}, strides=[2, 1], output_padding=[1, 0]),
    *at((7, 22), "InstanceNormalization", X, {"scale": normal(3), "b": normal(3)}, epsilon=0.01),
    *at((18,), "GroupNormalization", normal(2, 6, 4), {"scale": normal(3), "b": normal(3)}, num_groups=3),
    *at((21,), "GroupNormalization", normal(2, 6, 4), {"scale": normal(6), "b": normal(6)}, num_groups=3),
    *at((17,), "LayerNormalization", X, {"scale": normal(5), "b": normal(5)}),
    *at((17,), "LayerNormalization", X, {"scale": normal(4, 5), "b": normal(4, 5)}, outputs=3, axis=2, epsilon=0.01),
    *at((14, 15), "BatchNormalization", X, NORM, outputs=3, training_mode=1, momentum=0.7),
    *at((17,), "LayerNormalization", X, {"scale": normal(3, 4, 5)}, axis=1, epsilon=0.01),
    *at((10, 13, 19, 21), "QuantizeLinear", X * 50, {"s": real(0.5), "z": np.uint8(100)}),
    *at((10, 13), "QuantizeLinear", X * 50, {"s": real(0.5), "z": np.int8(-10)}),
    *at((13, 19), "QuantizeLinear", X * 50, ZEROS, axis=1),
    *at((10, 13), "DequantizeLinear", counted(3, 4, dtype="uint8"), {"s": real(0.5), "z": np.uint8(5)}, ref=ABSENT),
    *at((13,), "DequantizeLinear", counted(2, 3, 4, dtype="int8"), ZEROS, ref=ABSENT, axis=1),
    *at((19, 21), "DequantizeLinear", counted(2, 3, 4, dtype="int8"), ZEROS, axis=1),
]

SPELLINGS = [*POINTWISE, *MOVES, *POOLS, *RESIZES, *DENSE]
