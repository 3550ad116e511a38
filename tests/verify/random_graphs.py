"""Random legal convolutions and small nets, from a seed."""

from __future__ import annotations

import random

from verify.sketch import Sketch

from onnxconv.errors import Refusal
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph, Initial, Node, Param, TensorType, Tiled
from onnxconv.ops import (
    Add,
    AveragePool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Elu,
    Flatten,
    Gelu,
    GlobalAveragePool,
    GlobalMaxPool,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    MaxPool,
    Mish,
    Mul,
    Pad,
    PRelu,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)

CURVES = (Tanh(), Elu(1.3), HardSigmoid(), HardSwish(), Softplus(), Gelu(), Gelu("tanh"), Mish(), PRelu(), PRelu(True))


def conv(seed: int) -> Graph:
    """One convolution, 1-D to 3-D: any stride, dilation, asymmetric pads, groups; a quarter tied, a quarter summed."""
    draw = random.Random(seed)
    rank = draw.choice((1, 1, 2, 2, 2, 3))
    while True:
        window = tuple(_axis(draw) for _ in range(rank))
        sizes = tuple(draw.randint(1, (40, 14, 7)[rank - 1]) for _ in range(rank))
        groups = draw.choice((1, 1, 2, 3, 4))
        channels, filters = groups * draw.randint(1, 4), groups * draw.randint(1, 4)
        kind = draw.choice(("plain", "plain", "tied", "summed"))
        if kind == "summed":  # the groups' outputs are added: an ordinary convolution over all channels
            groups = 1
        op = Conv(window, filters, groups, bias=draw.random() < 0.5)
        shape = (draw.choice((1, 2, "N")), channels, *sizes)
        try:
            return one(op, shape, kind)
        except Refusal:
            continue


def one(op: Conv, shape: tuple[int | str, ...], kind: str) -> Graph:
    out = TensorType("float32", op.out_shape(shape))
    params = []
    for role, full in op.weight_shapes(shape).items():
        axis, copies = (1, shape[1]) if kind == "summed" else (0, op.groups)
        if role == "weight" and kind in ("tied", "summed"):
            stored = tuple(n // int(copies) if i == axis else n for i, n in enumerate(full))
            repeats = tuple(int(copies) if i == axis else 1 for i in range(len(full)))
            recipe: Initial | Tiled = Tiled(Initial("c.weight", stored, "integers", (-7.0, 7.0)), repeats)
        else:
            recipe = Initial(f"c.{role}", full, "integers", (-7.0, 7.0))
        params.append((role, Param(f"c.{role}", "float32", full, recipe)))
    node = Node("c", op, ("x",), "c", out, tuple(params))
    return Graph("conv", (("x", TensorType("float32", shape)),), (node,), ("c",))


def _axis(draw: random.Random) -> Axis:
    size = draw.choice((1, 1, 2, 3, 3, 4, 5, 7))
    dilation = draw.choice((1, 1, 1, 2, 3))
    extent = dilation * (size - 1) + 1
    return Axis(size, draw.choice((1, 1, 2, 3, 4)), dilation, (draw.randint(0, extent), draw.randint(0, extent)))


def net(seed: int) -> Graph:
    """Three to eight layers of any kind, with joins."""
    draw = random.Random(seed)
    rank = draw.choice((1, 2, 2, 2, 3))
    s = Sketch(
        (
            draw.choice((1, 2, "N")),
            draw.choice((1, 3, 4)),
            *(draw.randint(5, (40, 16, 8)[rank - 1]) for _ in range(rank)),
        )
    )
    wanted = draw.randint(3, 8)
    while len(s.nodes) < wanted:
        try:
            _layer(draw, s, rank)
        except Refusal:
            continue
    if draw.random() < 0.5:
        s.add(draw.choice((GlobalAveragePool(), GlobalMaxPool())))
        s.add(Flatten())
        s.add(Dense(draw.randint(2, 7)))
        if draw.random() < 0.3:
            s.add(Softmax(1))
    return s.graph()


def _layer(draw: random.Random, s: Sketch, rank: int) -> None:
    channels = int(s.types[s.last].shape[1])
    groups = draw.choice([g for g in (1, 1, 2, 3, channels) if channels % g == 0])
    small = tuple(
        Axis(k, draw.choice((1, 2)), 1, (draw.randint(0, k - 1), draw.randint(0, k - 1)))
        for k in (draw.choice((1, 2, 3)) for _ in range(rank))
    )
    match draw.randint(0, 10):
        case 0 | 1 | 2:
            axes = tuple(
                Axis(
                    k := draw.choice((1, 3, 5)),
                    draw.choice((1, 1, 2)),
                    d := draw.choice((1, 1, 2)),
                    ((k - 1) * d // 2, (k - 1) * d - (k - 1) * d // 2),
                )
                for _ in range(rank)
            )
            s.add(Conv(axes, groups * draw.randint(1, 4), groups, draw.random() < 0.5))
        case 3:
            up = tuple(TransposedAxis(3, 2, 1, (1, draw.randint(0, 1)), draw.randint(0, 1)) for _ in range(rank))
            s.add(ConvTranspose(up, groups * draw.randint(1, 2), groups))
        case 4:
            s.add(BatchNorm(draw.choice((1e-5, 1e-3))))
        case 5:
            s.add(draw.choice((Relu(), Clip(0.0, 6.0), LeakyRelu(0.1), LeakyRelu(0.25), Sigmoid(), Silu(), *CURVES)))
        case 6:
            s.add(draw.choice((MaxPool(small), AveragePool(small), AveragePool(small, True))))
        case 7:
            s.add(
                Pad(
                    tuple((draw.randint(0, 2), draw.randint(0, 2)) for _ in range(rank)),
                    draw.choice(("constant", "reflect", "edge", "wrap")),
                )
            )
        case 8:
            start = s.last
            s.add(GlobalAveragePool())
            s.add(Conv((Axis(1),) * rank, draw.choice((1, channels))))
            s.add(draw.choice((Sigmoid(), HardSigmoid())))
            s.add(draw.choice((Add(), Mul())), *draw.sample((s.last, start), 2))
        case _:
            start = s.last
            s.add(Conv((Axis(3, 1, 1, (1, 1)),) * rank, channels))
            s.add(draw.choice((Add(), Mul(), Concat(1), Add())), s.last, start)
