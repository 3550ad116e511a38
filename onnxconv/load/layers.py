"""How each ONNX operator is read. Defaults and versions are those of the ONNX operator specification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxconv.dtypes import numpy_dtype
from onnxconv.errors import Refusal
from onnxconv.load import integers, moves, pools
from onnxconv.load.arithmetic import ARITHMETIC
from onnxconv.load.pad import pad
from onnxconv.load.products import batch_norm, conv, conv_transpose, deform_conv, gemm, matmul
from onnxconv.load.resize import resize, upsample
from onnxconv.load.step import PREVIOUS, Constant, Reader, Reading, Step
from onnxconv.ops import (
    Clip,
    Elu,
    Flatten,
    Gelu,
    GlobalAveragePool,
    GlobalMaxPool,
    HardSigmoid,
    HardSwish,
    Identity,
    LeakyRelu,
    Less,
    Mish,
    Mul,
    Operator,
    PRelu,
    Relu,
    Reshape,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
    Where,
    shape_text,
)
from onnxconv.ops.broadcast import broadcast

__all__ = ["READERS"]


def _clip(at: Reading) -> Sequence[Step]:
    if at.opset < 11:
        most = float(np.finfo(np.float32).max)
        return (Step(Clip(at.real("min", -most), at.real("max", most)), (at.tensor(),)),)
    low, high = (at.number(i, name) if at.has(i) else None for i, name in ((1, "min"), (2, "max")))
    if low is not None and high is not None and low > high:
        low = high  # ONNX, Clip: all values become the upper limit
    return (Step(Clip(low, high), (at.tensor(),)),)


def _softmax(at: Reading) -> Sequence[Step]:
    x = at.shape()
    if at.opset >= 13:
        return (Step(Softmax(at.axis(-1, len(x))), (at.tensor(),)),)
    axis = at.axis(1, len(x))
    # Before opset 13 all axes from `axis` on are taken together: a single one, if the others have size 1.
    wide = [i for i in range(axis, len(x)) if x[i] != 1] or [axis]
    if len(wide) == 1:
        return (Step(Softmax(wide[0]), (at.tensor(),)),)
    back = tuple(n if isinstance(n, int) else -1 for n in x)
    if back.count(-1) > 1:
        what = f"it takes the axes {wide} of {shape_text(x)} together"
        raise Refusal("axis", what, "a reshape leaves one size open", "give the input sizes, or convert to opset 13")
    steps = (Flatten(axis), Softmax(1), Reshape(back))
    return tuple(Step(op, (PREVIOUS if index else at.tensor(),)) for index, op in enumerate(steps))


def _dropout(at: Reading) -> Sequence[Step]:
    """Nothing is dropped, nor in training at a ratio of 0. The mask says so since opset 12, before it is not defined.

    Before opset 7 it trains unless `is_test` is set, from then on unless it is told to, which it can be since opset 12.
    """
    training = at.opset < 7 and not at.integer("is_test", 0)
    ratio = at.real("ratio", 0.5)
    if at.opset >= 12:
        training = at.has(2) and bool(at.constant(2, "training mode").array.any())
        ratio = at.number(1, "ratio") if training and at.has(1) else 0.5
    if training and ratio:
        said = "" if at.opset >= 7 else ": is_test is 0"
        fix = "export the model for inference (in torch: model.eval())"
        raise Refusal("training", f"it is in training mode{said}", "what it drops is random", fix)
    kept = Step(Identity(), (at.tensor(),))
    sizes = [n for n in at.shape() if isinstance(n, int)]
    if len(at.node.output) < 2 or at.opset < 12 or len(sizes) < len(at.shape()):
        return (kept,)
    every = np.broadcast_to(np.True_, sizes)
    mask = at.derived(Constant(at.node.output[1], every), "kept", every)
    return (Step(Identity(), (mask,), settled=(mask.name,), output=at.node.output[1]), kept)


def _leaky_relu(at: Reading) -> Sequence[Step]:
    return (Step(LeakyRelu(at.real("alpha", 0.01)), (at.tensor(),)),)


def _prelu(at: Reading) -> Sequence[Step]:
    """Its slope is one number, or one per channel; anything else is read in parts.

    It is broadcast from behind: [C] only meets the channels of [N, C]. Before opset 7 it always does.
    """
    x = at.shape()
    if not at.holds(1) or len(x) < 2:
        return _prelu_in_parts(at, at.operand(1))
    slope = at.weight(1, "slope")
    if at.opset < 7 and slope.array.shape == x[1:2]:
        slope = at.derived(slope, f"slope{len(x)}", slope.array.reshape(-1, *[1] * (len(x) - 2)))
    wanted = [(n, *[1] * (len(x) - 2)) for n in (x[1], 1)]
    given = slope.array.shape
    found = given[len(given) - len(wanted[0]) :] if all(n == 1 for n in given[: -len(wanted[0])]) else given
    padded = (*[1] * (len(wanted[0]) - len(found)), *found)
    if padded not in wanted:
        return _prelu_in_parts(at, slope)
    if given != padded:
        slope = Constant(at.derived(slope, f"slope{len(x)}", slope.array).name, slope.array.reshape(padded))
    return (Step(PRelu(padded == wanted[1] != wanted[0]), (at.tensor(),), {"weight": slope}),)


def _prelu_in_parts(at: Reading, slope: str | Constant) -> Sequence[Step]:
    """As the function of ONNX's operator: no limit, sum or product is taken of what is above 0."""
    x, scaled, below = at.shape(), at.fresh("scaled"), at.fresh("below")
    given = slope.array.shape if isinstance(slope, Constant) else at.type(1).shape
    if broadcast("scale", x, given) != x:
        what = f"its slope has shape {shape_text(given)}"
        raise Refusal("slope-shape", what, f"it is broadcast to its input, {shape_text(x)}")
    zero = Constant(at.fresh("zero"), np.zeros((), numpy_dtype(at.type().dtype)))
    return (
        Step(Mul(), (at.tensor(), slope), output=scaled),
        Step(Less(), (at.tensor(), zero), output=below),
        Step(Where(), (below, scaled, at.tensor())),
    )


def _elu(at: Reading) -> Sequence[Step]:
    return (Step(Elu(at.real("alpha", 1.0)), (at.tensor(),)),)


def _hard_sigmoid(at: Reading) -> Sequence[Step]:
    return (Step(HardSigmoid(at.real("alpha", 0.2), at.real("beta", 0.5)), (at.tensor(),)),)


def _gelu(at: Reading) -> Sequence[Step]:
    return (Step(Gelu(at.word("approximate", "none")), (at.tensor(),)),)


def _plain(op: Operator) -> Reader:
    return lambda at: (Step(op, (at.tensor(),)),)


READERS: dict[str, Reader] = {
    "AveragePool": pools.average_pool,
    **ARITHMETIC,
    "BatchNormalization": batch_norm,
    "Cast": moves.cast,
    "CastLike": moves.cast_like,
    "Clip": _clip,
    "Concat": moves.concat,
    "ConstantOfShape": moves.filled,
    "Conv": conv,
    "ConvInteger": integers.conv_integer,
    "ConvTranspose": conv_transpose,
    "DepthToSpace": moves.depth_to_space,
    "DequantizeLinear": integers.dequantize,
    "DeformConv": deform_conv,
    "Dropout": _dropout,
    "DynamicQuantizeLinear": integers.dynamic_quantize,
    "Elu": _elu,
    "Expand": moves.expand,
    "Flatten": moves.flatten,
    "Gather": moves.gather,
    "Gelu": _gelu,
    "Gemm": gemm,
    "GlobalAveragePool": _plain(GlobalAveragePool()),
    "GlobalLpPool": pools.global_lp_pool,
    "GlobalMaxPool": _plain(GlobalMaxPool()),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain(HardSwish()),
    "Identity": _plain(Identity()),
    "LeakyRelu": _leaky_relu,
    "MatMul": matmul,
    "LpPool": pools.lp_pool,
    "MatMulInteger": integers.matmul_integer,
    "MaxPool": pools.max_pool,
    "MaxUnpool": pools.max_unpool,
    "Mish": _plain(Mish()),
    "PRelu": _prelu,
    "Pad": pad,
    "QLinearConv": integers.qlinear_conv,
    "QLinearMatMul": integers.qlinear_matmul,
    "QuantizeLinear": integers.quantize,
    "Relu": _plain(Relu()),
    "Reshape": moves.reshape,
    "Resize": resize,
    "Sigmoid": _plain(Sigmoid()),
    "Slice": moves.slices,
    "Softmax": _softmax,
    "Softplus": _plain(Softplus()),
    "SpaceToDepth": moves.space_to_depth,
    "Split": moves.split,
    "Squeeze": moves.squeeze,
    "Tanh": _plain(Tanh()),
    "Tile": moves.tile,
    "Transpose": moves.transpose,
    "Unsqueeze": moves.unsqueeze,
    "Upsample": upsample,
}
"""ONNX operators of the default domain that are read, besides Constant."""
