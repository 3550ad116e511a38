"""Small graphs for tests, made without the spec language."""

from __future__ import annotations

from collections.abc import Sequence

from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.ops import (
    END,
    REDUCTIONS,
    Abs,
    Add,
    AveragePool,
    BatchNorm,
    Cast,
    Ceil,
    ChannelShuffle,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthToSpace,
    Div,
    Elu,
    Erf,
    Exp,
    Expand,
    Flatten,
    Floor,
    Gather,
    Gelu,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    LocalResponseNorm,
    Log,
    LpPool,
    MatMul,
    Max,
    MaxPool,
    MaxPoolIndices,
    Min,
    Mish,
    Mul,
    Neg,
    Operator,
    Pad,
    Pow,
    PRelu,
    Range,
    Reciprocal,
    ReduceMean,
    Relu,
    Reshape,
    Round,
    Shape,
    Sigmoid,
    Silu,
    Slice,
    Softmax,
    Softplus,
    SpaceToDepth,
    Sqrt,
    Squeeze,
    Sub,
    Tanh,
    Tile,
    Transpose,
    Unsqueeze,
)


def node_of(name: str, op: Operator, inputs: Sequence[tuple[str, Shape]], dtype: str = "float32") -> Node:
    """One node with weights drawn uniformly from [0.5, 1.5)."""
    shapes = [shape for _, shape in inputs]
    type = TensorType(op.out_dtype(*[dtype] * len(shapes)), op.out_shape(*shapes))
    params = tuple(
        (role, Param(f"{name}.{role}", dtype, shape, Initial(f"{name}.{role}", shape, "uniform", (0.5, 1.5))))
        for role, shape in op.weight_shapes(*shapes).items()
    )
    return Node(name, op, tuple(name for name, _ in inputs), name, type, params)


def chain(x: Shape, *ops: Operator, dtype: str = "float32") -> Graph:
    """x → l0 → l1 … ; an operator on several inputs gets the last tensor as all of them."""
    tensor, shape, nodes, given = "x", x, [], TensorType(dtype, x)
    for index, op in enumerate(ops):
        count = (
            3
            if isinstance(op, Add | Mul | Max | Min | Concat)
            else 2
            if isinstance(op, Sub | Div | Pow | MatMul)
            else 1
        )
        node = node_of(f"l{index}", op, [(tensor, shape)] * count, dtype)
        nodes.append(node)
        tensor, shape, dtype = node.output, node.type.shape, node.type.dtype
    return Graph("chain", (("x", given),), tuple(nodes), (tensor,))


def every_operator() -> list[tuple[Operator, Shape]]:
    """Each operator at least once, in its corners, with an input that it accepts."""
    two: Shape = ("N", 4, 9, 8)
    pool = (Axis(3, 2, 1, (1, 0)), Axis(2, 3, 1, (0, 1)))
    dilated = (Axis(3, 2, 2, (2, 1)), Axis(2, 1, 3, (0, 1)))
    pads = ((1, 2), (0, 3))
    return [
        (Conv((Axis(3, 2, 3, (2, 5)),), 6), ("N", 4, 11)),
        (Conv(pool, 6, 2, bias=False), two),
        (Conv((Axis(3), Axis(1, 2), Axis(2)), 4, 4), (2, 4, 5, 6, 7)),
        (Conv((Axis(3, 2, 1, (1, 1)), Axis(3)), 5), ("N", 4, "H", "W")),
        (ConvTranspose((TransposedAxis(3, 2, 1, (1, 0), 1), TransposedAxis(2)), 6, 2), two),
        (ConvTranspose((TransposedAxis(3, 2),), 6, bias=False), ("N", 4, "L")),
        (Dense(5), ("N", 7)),
        (Dense(5, bias=False), (2, 7)),
        (MaxPool(pool), two),
        (MaxPool(dilated), two),
        (MaxPool((Axis(3, 2, 2, (3, 1)), Axis(2, 1, 3, (0, 2)))), two),
        (MaxPool((Axis(2, 1, 3, (2, 3)),)), ("N", 4, "L")),
        (AveragePool(pool), two),
        (AveragePool(pool, True), two),
        (LpPool(pool, 3), two),
        (LpPool((Axis(2, 2), Axis(2, 2))), two),
        (GlobalLpPool(), two),
        (GlobalLpPool(1), ("N", 4, 5)),
        (MaxPoolIndices(pool), two),
        (MaxPoolIndices((Axis(2, 2),), True), (2, 4, 6)),
        (GlobalMaxPool(), two),
        (GlobalAveragePool(), ("N", 4, 5)),
        (Relu(), two),
        (LeakyRelu(0.3), two),
        (PRelu(), two),
        (PRelu(True), two),
        (PRelu(), ("N", 4)),
        (PRelu(), ("N", 4, "L")),
        (Clip(0.0, 6.0), two),
        (Clip(high=0.1), two),
        (Clip(low=-0.5), ("N", 3)),
        (Clip(), two),
        (Sigmoid(), two),
        (Silu(), ("N", 4, "H", 3)),
        (Tanh(), two),
        (Elu(), two),
        (Elu(0.3), ("N", 4)),
        (HardSigmoid(), two),
        (HardSigmoid(0.3, -0.1), two),
        (HardSwish(), two),
        (Softplus(), two),
        (Gelu(), two),
        (Gelu("tanh"), two),
        (Mish(), two),
        (Softmax(1), two),
        (Softmax(3), two),
        (BatchNorm(), two),
        (BatchNorm(0.1), ("N", 4)),
        (LayerNorm((3,)), two),
        (LayerNorm((2, 3), 0.1, bias=False), two),
        (LayerNorm((1,)), two),
        (LayerNorm((1,), bias=False), ("N", 4, "L")),
        (LayerNorm((1,)), ("N", 7)),
        (GroupNorm(2), two),
        (GroupNorm(4, 0.1), ("N", 4, "H", "W")),
        (GroupNorm(1), ("N", 4)),
        (InstanceNorm(), two),
        (InstanceNorm(0.1), ("N", 4, 5)),
        (LocalResponseNorm(3), two),
        (LocalResponseNorm(5, 0.1, 0.5, 2.0), ("N", 4, 9, "W")),
        *((op((2, 3)), two) for op in REDUCTIONS),
        *((op((1, 3), False), two) for op in REDUCTIONS),
        (ReduceMean((2,)), ("N", 4, "H", "W")),
        (ReduceMean((0, 1)), (2, 5)),
        (Identity(), two),
        (Add(), two),
        (Mul(), two),
        (Sub(), two),
        (Div(), two),
        (Pow(), two),
        (MatMul(), ("N", 3, 5, 5)),
        (MatMul(), (4, 4)),
        (Max(), two),
        (Min(), ("N", 4)),
        (Neg(), two),
        (Abs(), two),
        (Sqrt(), two),
        (Exp(), two),
        (Log(), two),
        (Erf(), two),
        (Reciprocal(), two),
        (Floor(), two),
        (Ceil(), two),
        (Round(), two),
        (Concat(1), two),
        (Concat(2), two),
        (Flatten(), two),
        (Flatten(2), (2, 3, 4, 5)),
        (Flatten(0), (2, 4, 3)),
        (Reshape((0, 2, -1, 0)), two),
        (Reshape((-1, 12, 6)), two),
        (Reshape((0, 3, 3, -1, 8, 1)), two),
        (Reshape((0, 0, -1)), ("N", 4, "H", 3)),
        (Transpose((0, 3, 1, 2)), two),
        (Transpose((2, 0, 1)), ("N", 4, "L")),
        (Squeeze((1, 3)), ("N", 1, 5, 1)),
        (Unsqueeze((0, 2, 5)), ("N", 4, "L")),
        (Slice((Range(2, 1, -2),)), two),
        (Slice((Range(3, -1, -END, -2), Range(1, 1, 3), Range(2, 0, END, 2))), two),
        (Slice((Range(2, 2, END, 3), Range(3, -3), Range(1, 0, -1))), ("N", 4, "H", "W")),
        (Slice((Range(2, -1, -END, -2),)), ("N", 4, "H")),
        (Gather((3, 0, -1), (3,), 2), two),
        (Gather((2,), (), 1), two),
        (Gather((5, 0, 1, 2, 3, 4), (2, 3), 3), two),
        (Expand((2, 1, 4, 1, 6)), (4, 3, 1)),
        (Expand((5, 1)), ("N", 4, 1, 3)),
        (Tile((1, 2, 3)), ("N", 4, 5)),
        (Tile((1, 1, 2, 1)), ("N", 4, "H", 3)),
        (ChannelShuffle(2), two),
        (ChannelShuffle(3), ("N", 6, "H", "W")),
        *((Cast(to), two) for to in ("float16", "float64", "int32", "int8", "bool")),
        (DepthToSpace(2), two),
        (DepthToSpace(2, "CRD"), ("N", 8, "H", "W")),
        (DepthToSpace(3, "CRD"), ("N", 6, 5)),
        (SpaceToDepth(3), ("N", 2, 9, 6)),
        (SpaceToDepth(2, "CRD"), (*two[:2], 4, 6)),
        (SpaceToDepth(2), ("N", 2, 4, 6, 2)),
        (SpaceToDepth(2, "CRD"), ("N", 2, 6)),
        (Pad(pads), two),
        (Pad(pads, "constant", 0.1), two),
        (Pad(pads, "reflect"), two),
        (Pad(pads, "edge"), two),
        (Pad(pads, "wrap"), two),
        (Pad(pads, "wrap"), ("N", 4, "H", "W")),
        (Pad(((0, 0), (0, 0)), "wrap"), two),
    ]
