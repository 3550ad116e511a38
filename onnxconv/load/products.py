"""Sums of products read from ONNX nodes: convolutions, dense layers, batch norm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxconv.errors import Refusal
from onnxconv.load.step import Constant, Reading, Step
from onnxconv.load.windows import transposed_window, window
from onnxconv.ops import BatchNorm, Conv, ConvTranspose, DeformConv, Dense, shape_text

__all__ = ["batch_norm", "conv", "conv_transpose", "deform_conv", "gemm", "matmul", "row"]


def conv(at: Reading) -> Sequence[Step]:
    weight = at.weight(1, "weight")
    kernel = _kernel(at, weight)
    bias = {"bias": at.weight(2, "bias")} if at.has(2) else {}
    op = Conv(window(at, kernel), weight.array.shape[0], at.integer("group", 1), bool(bias))
    return (Step(op, (at.tensor(),), {"weight": weight, **bias}),)


def deform_conv(at: Reading) -> Sequence[Step]:
    weight = at.weight(1, "weight")
    bias = {"bias": at.weight(3, "bias")} if at.has(3) else {}
    op = DeformConv(
        window(at, _kernel(at, weight)),
        weight.array.shape[0],
        at.integer("group", 1),
        bool(bias),
        at.integer("offset_group", 1),
    )
    inputs = (at.tensor(), at.operand(2), *((at.operand(4),) if at.has(4) else ()))
    return (Step(op, inputs, {"weight": weight, **bias}),)


def conv_transpose(at: Reading) -> Sequence[Step]:
    weight = at.weight(1, "weight")
    kernel, groups = _kernel(at, weight), at.integer("group", 1)
    bias = {"bias": at.weight(2, "bias")} if at.has(2) else {}
    op = ConvTranspose(transposed_window(at, kernel), weight.array.shape[1] * groups, groups, bool(bias))
    return (Step(op, (at.tensor(),), {"weight": weight, **bias}),)


def _kernel(at: Reading, weight: Constant) -> tuple[int, ...]:
    """Kernel sizes: those of the weight, which an attribute may repeat but not contradict."""
    if weight.array.ndim < 3:
        raise Refusal("rank", f"its weight has shape {shape_text(weight.array.shape)}", "a kernel has a spatial axis")
    kernel: tuple[int, ...] = weight.array.shape[2:]
    said = tuple(at.attributes.get("kernel_shape") or kernel)
    if said != kernel:
        what = f"kernel_shape is {list(said)}, its weight has shape {list(weight.array.shape)}"
        raise Refusal("kernel-shape", what, "kernel_shape repeats the weight's spatial sizes")
    return kernel


def gemm(at: Reading) -> Sequence[Step]:
    at.demand("alpha", 1.0)
    at.demand("transA", 0)
    weight = at.weight(1, "weight")
    if weight.array.ndim != 2:
        raise Refusal("rank", f"its weight has shape {shape_text(weight.array.shape)}", "a Gemm multiplies matrices")
    if not at.integer("transB", 0):
        weight = _transposed(at, weight)
    features = weight.array.shape[0]
    bias: dict[str, Constant] = {}
    if at.has(2):
        at.demand("beta", 1.0)
        bias = {"bias": row(at, at.weight(2, "bias"), features)}
    return (Step(Dense(features, bool(bias)), (at.tensor(),), {"weight": weight, **bias}),)


def matmul(at: Reading) -> Sequence[Step]:
    weight = at.weight(1, "weight")
    if weight.array.ndim != 2 or len(at.shape()) != 2:
        what = f"it multiplies {shape_text(at.shape())} by {shape_text(weight.array.shape)}"
        raise Refusal("rank", what, "a dense layer multiplies [N, features] by a matrix")
    weight = _transposed(at, weight)
    return (Step(Dense(weight.array.shape[0], bias=False), (at.tensor(),), {"weight": weight}),)


def _transposed(at: Reading, weight: Constant) -> Constant:
    return at.derived(weight, "T", weight.array.T)


def row(at: Reading, bias: Constant, features: int) -> Constant:
    """A bias that is broadcast over the batch, one number per feature."""
    shape = bias.array.shape
    if shape == (features,):
        return bias
    if len(shape) > 2 or shape[-1:] not in ((), (1,), (features,)) or shape[:-1] not in ((), (1,)):
        raise Refusal("bias-shape", f"its bias has shape {shape_text(shape)}", f"a bias has {features} numbers")
    return at.derived(bias, f"row{features}", np.broadcast_to(bias.array.reshape(-1), (features,)))


def batch_norm(at: Reading) -> Sequence[Step]:
    training = not at.integer("is_test", 0) if at.opset < 7 else at.integer("training_mode", 0)
    if training or any(at.node.output[1:]):
        raise Refusal(
            "training", "it is in training mode", "", "export the model for inference (in torch: model.eval())"
        )
    at.demand("spatial", 1)
    roles = ("weight", "bias", "running_mean", "running_var")
    weights = {role: at.weight(1 + i, role.replace("_", " ")) for i, role in enumerate(roles)}
    return (Step(BatchNorm(at.real("epsilon", 1e-5)), (at.tensor(),), weights),)
