"""Sums of products read from ONNX nodes: convolutions, dense layers, batch norm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxconv.dtypes import rounded
from onnxconv.errors import Refusal
from onnxconv.load.statistics import trained_batch_norm
from onnxconv.load.step import PREVIOUS, Constant, Reading, Step
from onnxconv.load.windows import transposed_window, window
from onnxconv.ops import Add, BatchNorm, Conv, ConvTranspose, DeformConv, Dense, MatMul, Mul, Transpose, shape_text

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
    """A dense layer where a matrix of the model is multiplied and a row added; any other Gemm in several operators."""
    plain = at.real("alpha", 1.0) == 1 and not at.integer("transA", 0)
    biased = at.has(2) and not (at.holds(2) and _is_row(at.weight(2, "bias").array.shape))
    if not plain or not at.holds(1) or biased or (at.has(2) and at.real("beta", 1.0) != 1):
        return _gemm_in_parts(at)
    weight = at.weight(1, "weight")
    if weight.array.ndim != 2:
        raise Refusal("rank", f"its weight has shape {shape_text(weight.array.shape)}", "a Gemm multiplies matrices")
    if not at.integer("transB", 0):
        weight = _transposed(at, weight)
    features = weight.array.shape[0]
    bias = {"bias": row(at, at.weight(2, "bias"), features)} if at.has(2) else {}
    return (Step(Dense(features, bool(bias)), (at.tensor(),), {"weight": weight, **bias}),)


def _gemm_in_parts(at: Reading) -> Sequence[Step]:
    """alpha · a · b + beta · c: transposes, a product, and only those scales and sums that are there."""
    steps: list[Step] = []
    factors: list[str | Constant] = []
    for index, attribute in enumerate(("transA", "transB")):
        operand: str | Constant = at.operand(index)
        if len(at.type(index).shape) != 2:
            raise Refusal("rank", f"it multiplies {shape_text(at.type(index).shape)}", "a Gemm multiplies matrices")
        if at.integer(attribute, 0):
            name = at.fresh(attribute)
            steps.append(Step(Transpose((1, 0)), (operand,), output=name))
            operand = name
        factors.append(operand)
    steps.append(Step(MatMul(), tuple(factors)))
    addend: str | Constant = at.operand(2) if at.has(2) else ""
    beta = at.real("beta", 1.0)
    if addend and beta != 1:
        name = at.fresh("beta")
        steps.insert(0, Step(Mul(), (addend, _scale(at, "beta", beta)), output=name))
        addend = name
    if (alpha := at.real("alpha", 1.0)) != 1:
        steps.append(Step(Mul(), (PREVIOUS, _scale(at, "alpha", alpha))))
    return (*steps, Step(Add(), (PREVIOUS, addend))) if addend else steps


def _scale(at: Reading, name: str, value: float) -> Constant:
    number = np.array(np.float32(value))
    return Constant(at.fresh(f"{name}.value"), rounded(number, at.type().dtype))


def _is_row(shape: tuple[int, ...]) -> bool:
    return len(shape) < 2 or (len(shape) == 2 and shape[0] == 1)


def matmul(at: Reading) -> Sequence[Step]:
    """A dense layer where features are multiplied by a matrix of the model."""
    held = at.holds(1) and not at.holds(0) and 0 not in at.type(1).shape
    if not held or len(at.shape()) != 2 or len(at.type(1).shape) != 2:
        return (Step(MatMul(), at.operands()),)
    weight = _transposed(at, at.weight(1, "weight"))
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
    if training and at.opset >= 14:
        return trained_batch_norm(at)
    if training or any(at.node.output[1:]):
        raise Refusal(
            "training", "it is in training mode", "", "export the model for inference (in torch: model.eval())"
        )
    at.demand("spatial", 1)
    roles = ("weight", "bias", "running_mean", "running_var")
    weights = {role: at.weight(1 + i, role.replace("_", " ")) for i, role in enumerate(roles)}
    return (Step(BatchNorm(at.real("epsilon", 1e-5)), (at.tensor(),), weights),)
