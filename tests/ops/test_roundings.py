"""Every float32 evaluation, in whatever order, errs by at most γ_n · magnitude + n · 2⁻¹⁴⁹; and every operator's facts agree."""

from __future__ import annotations

import itertools
import math
from typing import cast

import numpy as np
import pytest
from ops.on_integers import ON_INTEGERS, ON_TRUTH

from onnxconv.errors import Refusal
from onnxconv.geometry import Axis, Sampling, TransposedAxis
from onnxconv.ops import (
    COMPARISONS,
    END,
    OPERATORS,
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
    DeformConv,
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
    MaxUnpool,
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
    Relu,
    Rescale,
    Reshape,
    Resize,
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

U = 2.0**-24
IMAGE = (2, 4, 7, 6)
EXAMPLES: tuple[tuple[Operator, tuple[tuple[int, ...], ...]], ...] = (
    (Conv((Axis(3, 2, 1, (1, 0)), Axis(2, 1, 2, (0, 1))), 6, 2), (IMAGE,)),
    (ConvTranspose((TransposedAxis(3, 2, 1, (1, 0)), TransposedAxis(2, 3, 1, (0, 1), 1)), 6, 2), (IMAGE,)),
    (Dense(5), ((3, 40),)),
    (MaxPool((Axis(3, 2, 1, (1, 1)), Axis(2))), (IMAGE,)),
    (AveragePool((Axis(3, 2, 1, (1, 1)), Axis(2)), False), (IMAGE,)),
    (AveragePool((Axis(3, 2, 1, (1, 1)), Axis(2)), True), (IMAGE,)),
    (GlobalMaxPool(), (IMAGE,)),
    (GlobalAveragePool(), (IMAGE,)),
    (DeformConv((Axis(3, 2, 1, (1, 1)), Axis(2)), 6, 2), (IMAGE, (2, 12, 4, 5))),
    (DeformConv((Axis(2), Axis(2)), 4, 1, False, 2), (IMAGE, (2, 16, 6, 5), (2, 8, 6, 5))),
    *((LpPool((Axis(3, 2, 1, (1, 1)), Axis(2)), p), (IMAGE,)) for p in (1, 2, 3, 5)),
    *((GlobalLpPool(p), (IMAGE,)) for p in (1, 2, 3)),
    (Relu(), (IMAGE,)),
    (LeakyRelu(0.1), (IMAGE,)),
    (Clip(-0.5, 0.5), (IMAGE,)),
    (Clip(None, 1.0), (IMAGE,)),
    (Sigmoid(), (IMAGE,)),
    (Silu(), (IMAGE,)),
    (Tanh(), (IMAGE,)),
    (PRelu(), (IMAGE,)),
    (PRelu(True), (IMAGE,)),
    (Elu(), (IMAGE,)),
    (Elu(-1.3), (IMAGE,)),
    (HardSigmoid(), (IMAGE,)),
    (HardSigmoid(-0.3, 1.7), (IMAGE,)),
    (HardSwish(), (IMAGE,)),
    (Softplus(), (IMAGE,)),
    (Gelu(), (IMAGE,)),
    (Gelu("tanh"), (IMAGE,)),
    (Mish(), (IMAGE,)),
    (Softmax(1), (IMAGE,)),
    (Softmax(3), (IMAGE,)),
    (BatchNorm(), (IMAGE,)),
    (LayerNorm((3,)), (IMAGE,)),
    (LayerNorm((2, 3), bias=False), (IMAGE,)),
    (LayerNorm((1,)), (IMAGE,)),
    (GroupNorm(2), (IMAGE,)),
    (InstanceNorm(), (IMAGE,)),
    (LocalResponseNorm(3, 0.1), (IMAGE,)),
    (LocalResponseNorm(2, 3.0, 2.5, 0.5), (IMAGE,)),
    *((op((2, 3)), (IMAGE,)) for op in REDUCTIONS),
    *((op((1, 3), False), (IMAGE,)) for op in REDUCTIONS),
    (Identity(), (IMAGE,)),
    (Add(), (IMAGE, IMAGE, IMAGE)),
    (Mul(), (IMAGE, IMAGE)),
    (Mul(), (IMAGE, (2, 4, 1, 1))),
    (Mul(), (IMAGE, (6,))),
    (Sub(), (IMAGE, (4, 1, 1))),
    (Div(), (IMAGE, IMAGE)),
    (Pow(), (IMAGE, (1,))),
    (Max(), (IMAGE, (7, 1))),
    (MatMul(), (IMAGE, (6, 5))),
    (MatMul(), ((2, 1, 3, 4), (2, 5, 4, 2))),
    (MatMul(), ((2, 3, 4), (4,))),
    (Min(), (IMAGE, (2, 1, 1, 6))),
    *((op(), (IMAGE, (4, 1, 6))) for op in COMPARISONS),
    *((op, (IMAGE,)) for op in (Neg(), Abs(), Sqrt(), Exp(), Log(), Erf(), Reciprocal(), Floor(), Ceil(), Round())),
    (Add(), ((2, 1, 7, 1), (2, 4, 1, 1), (2, 4, 1, 6))),
    (Concat(1), (IMAGE, IMAGE)),
    (Concat(2), (IMAGE, IMAGE)),
    (Flatten(), (IMAGE,)),
    (Reshape((0, 2, -1)), (IMAGE,)),
    (Transpose((0, 3, 2, 1)), (IMAGE,)),
    (Squeeze((1,)), ((2, 1, 7),)),
    (Unsqueeze((1,)), ((2, 7),)),
    (Slice((Range(2, -1, -END, -2),)), (IMAGE,)),
    (Gather((3, 0), (2,), 1), (IMAGE,)),
    (Expand((5, 1)), ((2, 1, 7),)),
    (Tile((1, 2, 3)), ((2, 1, 7),)),
    (ChannelShuffle(2), (IMAGE,)),
    (DepthToSpace(2), (IMAGE,)),
    (SpaceToDepth(2), ((2, 1, 4, 6),)),
    (Cast("float16"), (IMAGE,)),
    (Resize((Rescale(2, (2, 1)),)), (IMAGE,)),
    (Resize((Rescale(2, size=5), Rescale(3, size=13)), Sampling("linear")), (IMAGE,)),
    (Resize((Rescale(2, (3, 2)), Rescale(3, (2, 1))), Sampling("cubic")), (IMAGE,)),
    (Resize((Rescale(2, (1, 3)),), Sampling("linear", antialias=True)), (IMAGE,)),
    (Pad(((1, 2), (0, 3)), "reflect"), (IMAGE,)),
)
CASES = pytest.mark.parametrize(
    ("op", "shapes"), EXAMPLES, ids=lambda v: "" if isinstance(v, tuple) else type(v).__name__
)


def arrays(
    op: Operator, shapes: tuple[tuple[int, ...], ...], scale: float = 1.0
) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(7)
    xs = [(scale * rng.standard_normal(shape)).astype(np.float32) for shape in shapes]
    w = {role: rng.standard_normal(shape).astype(np.float32) for role, shape in op.weight_shapes(*shapes).items()}
    return xs, {role: np.abs(a) + np.float32(0.01) if role == "running_var" else a for role, a in w.items()}


def wide(xs: list[np.ndarray], w: dict[str, np.ndarray]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    return [x.astype(np.float64) for x in xs], {role: a.astype(np.float64) for role, a in w.items()}


def test_every_operator_has_an_example() -> None:
    """Those on integers are in test_integers.py, and their rounding in verify/test_integers.py; on truth values in
    test_choice.py; places in nodes/."""
    assert {type(op) for op, _ in EXAMPLES} == set(OPERATORS) - {*ON_INTEGERS, *ON_TRUTH, MaxPoolIndices, MaxUnpool}


@CASES
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e-20])
def test_float32_stays_within_the_bound(op: Operator, shapes: tuple[tuple[int, ...], ...], scale: float) -> None:
    xs, w = arrays(op, shapes, scale)
    xs64, w64 = wide(xs, w)
    with np.errstate(all="ignore"):
        exact, n = op.define(*xs64, **w64), op.roundings(*shapes)
        error = np.abs(op.define(*xs, **w).astype(np.float64) - exact)
        bound = n * U / (1 - n * U) * op.magnitude(*xs64, **w64) + n * 2.0**-149
        judged = np.isfinite(exact) & (op.magnitude(*xs64, **w64) < 2.0**127)
        assert (error <= bound)[judged].all(), float((error / bound)[judged].max())
    assert scale != 1 or judged.mean() > (0.2 if op.kind in ("Pow", "Log", "Sqrt") else 0.99), "little is compared"


def test_a_slope_rounded_to_float16_stays_within_the_bound() -> None:
    op, x = LeakyRelu(0.1), -np.linspace(0.5, 2, 1000).astype(np.float16)
    error = np.abs((x * np.float16(0.1)).astype(np.float64) - op.define(x.astype(np.float64)))
    bound = op.roundings(x.shape) * 2.0**-11 * op.magnitude(x.astype(np.float64))
    assert (error > bound / 2).any()
    assert (error <= bound).all()


@CASES
def test_facts_agree_with_the_definition(op: Operator, shapes: tuple[tuple[int, ...], ...]) -> None:
    xs, w = arrays(op, shapes)
    y = op.define(*xs, **w)
    assert y.shape == op.out_shape(*shapes)
    assert y.dtype == op.out_dtype(*["float32"] * len(xs))
    assert op.magnitude(*xs, **w).shape == y.shape
    assert [len(f) for f in op.footprint(*shapes)] == [len(s) for s in shapes]
    forms = op.onnx(*shapes, opset=21)
    assert forms[-1].output == "y"
    named = {o for form in forms for o in form.operands if isinstance(o, str) and o}
    assert {f"x{i}" for i in range(len(shapes))} <= named
    assert {f"w:{role}" for role in w} <= named


@CASES
def test_a_symbolic_batch_stays_symbolic(op: Operator, shapes: tuple[tuple[int, ...], ...]) -> None:
    rank = max(map(len, shapes))
    symbolic = [cast(Shape, ("N", *shape[1:])) if len(shape) == rank else shape for shape in shapes]
    assert op.out_shape(*symbolic) == ("N", *op.out_shape(*shapes)[1:])
    assert op.roundings(*symbolic) == op.roundings(*shapes)
    assert op.work(*symbolic) == op.work(*shapes)


@pytest.mark.parametrize("transposed", [False, True])
def test_any_order_of_summation_stays_within_the_bound(transposed: bool) -> None:
    """One output of a convolution, summed in 200 random orders with and without a fused multiply-add."""
    rng = np.random.default_rng(3)
    op = ConvTranspose((TransposedAxis(5, 2),), 1) if transposed else Conv((Axis(5),), 1)
    x = rng.standard_normal((1, 8, 9)).astype(np.float32)
    w = {role: rng.standard_normal(shape).astype(np.float32) for role, shape in op.weight_shapes(x.shape).items()}
    (x64,), w64 = wide([x], w)
    at = 6 if transposed else 2
    pairs = [
        (x[0, c, i], w["weight"][(c, 0, k) if transposed else (0, c, k)])
        for c, i, k in itertools.product(range(8), range(9), range(5))
        if (i * 2 + k if transposed else i - k) == at
    ]
    n = op.roundings(x.shape)
    bound = n * U / (1 - n * U) * op.magnitude(x64, **w64)[0, 0, at] + n * 2.0**-149
    exact = op.define(x64, **w64)[0, 0, at]
    assert math.isclose(exact, sum(float(a) * float(b) for a, b in pairs) + float(w["bias"][0]), rel_tol=1e-12)
    worst = 0.0
    for trial in range(200):
        order = rng.permutation(len(pairs) + 1)
        total = np.float32(0)
        for i in order:
            a, b = pairs[i] if i < len(pairs) else (w["bias"][0], np.float32(1))
            fused = np.float32(float(total) + float(a) * float(b))
            total = fused if trial % 2 else np.float32(total + a * b)
        worst = max(worst, abs(float(total) - exact))
    assert 0 < worst <= bound


@pytest.mark.parametrize(
    ("op", "shapes", "code"),
    [
        (Conv((Axis(3),), 4), ((1, 3, 8, 8),), "rank"),
        (Conv((Axis(3),), 4, 2), ((1, 3, 8),), "groups"),
        (Conv((Axis(3),), 4, 3), ((1, 3, 8),), "groups"),
        (Conv((Axis(9),), 4), ((1, 3, 8),), "empty-output"),
        (Conv((Axis(3),), 4), ((1, "C", 8),), "symbolic-dimension"),
        (ConvTranspose((TransposedAxis(3),), 4, 2), ((1, 3, 8),), "groups"),
        (Dense(4), ((1, 3, 8),), "rank"),
        (Dense(4), ((1, "F"),), "symbolic-dimension"),
        (MaxPool((Axis(2, pad=(2, 0)),)), ((1, 3, 8),), "pool-pad"),
        (AveragePool((Axis(3, pad=(0, 3)),)), ((1, 3, 8),), "pool-pad"),
        (GlobalAveragePool(), ((1, 3),), "rank"),
        (Clip(1.0, 0.0), ((1, 3),), "clip-range"),
        (Softmax(3), ((1, 3, 8),), "axis"),
        (Gelu("fast"), ((1, 3),), "gelu-form"),
        (Add(), ((1, 3, 8), (1, 3, 9)), "join-shape"),
        (Add(), ((1, 3, 8), (1, 3)), "join-shape"),
        (Sub(), ((1, 3, 8), (2,)), "join-shape"),
        (MatMul(), ((1, 3, 8), (7, 8)), "matmul-shape"),
        (MatMul(), ((), (7, 8)), "matmul-shape"),
        (MatMul(), ((2, 3, 8), (3, 8, 2)), "join-shape"),
        (LayerNorm((2,)), ((1, 3, 8, 8),), "axis"),
        (LayerNorm(()), ((1, 3, 8, 8),), "axis"),
        (LayerNorm((3,)), ((1, 3, 8),), "axis"),
        (GroupNorm(2), ((1, 3, 8),), "groups"),
        (GroupNorm(0), ((1, 3, 8),), "groups"),
        (InstanceNorm(), ((1, 3),), "rank"),
        (LocalResponseNorm(0), ((1, 3, 8),), "lrn"),
        (LocalResponseNorm(3, -1.0), ((1, 3, 8),), "lrn"),
        (Mul(), ((1, 3, 8), (1, 4, 8)), "join-shape"),
        (Mul(), ((3, 3, 8), (2, 3, 8)), "join-shape"),
        (Concat(1), ((1, 3, 8), (1, 3, 9)), "join-shape"),
        (Concat(4), ((1, 3, 8),), "axis"),
        (Flatten(4), ((1, 3, 8),), "axis"),
        (Dense(4), ((1, "3*H"),), "symbolic-dimension"),
        (Pad(((4, 0),), "reflect"), ((1, 3, 4),), "pad-mode"),
        (Pad(((0, 5),), "wrap"), ((1, 3, 4),), "pad-mode"),
        (Pad(((1, 1),)), ((1, 3, 4, 4),), "rank"),
    ],
)
def test_refusals(op: Operator, shapes: tuple[Shape, ...], code: str) -> None:
    with pytest.raises(Refusal) as found:
        op.out_shape(*shapes)
    assert found.value.code == code
    assert found.value.what
    assert found.value.why
    assert found.value.fix


def test_a_dilated_average_pool_needs_opset_19() -> None:
    op = AveragePool((Axis(2, dilation=2),))
    with pytest.raises(Refusal, match="opset 18"):
        op.onnx((1, 1, 8), opset=18)
    assert op.onnx((1, 1, 8), opset=19)[0].attributes["dilations"] == (2,)
