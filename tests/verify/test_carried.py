"""No evaluation of a layer on inputs that are off by no more than their errors is off by more than is carried on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from verify.sketch import Sketch

from onnxconv.execute import apply, magnitude
from onnxconv.ops import (
    Clip,
    Elu,
    Gelu,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    LocalResponseNorm,
    Mish,
    Mul,
    Operator,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from onnxconv.verify.carried import error_after
from onnxconv.verify.signal import Signal
from onnxconv.weights import seeded

torch = pytest.importorskip("torch")
torched = torch.nn.functional

SHAPE = (2, 6, 5, 4)
Evaluate = Callable[..., torch.Tensor]


def channels_last(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torched.layer_norm(x.movedim(1, -1), (x.shape[1],), w, b, 1e-5).movedim(-1, 1)


def one_pass(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The variance as a difference of sums, each added up one channel after the other, channels in reverse."""
    total, squares = torch.zeros_like(x[:, :1]), torch.zeros_like(x[:, :1])
    for i in reversed(range(x.shape[1])):
        total, squares = total + x[:, i : i + 1], squares + x[:, i : i + 1] * x[:, i : i + 1]
    mean = total / x.shape[1]
    factor = 1 / torch.sqrt(squares / x.shape[1] - mean * mean + 1e-5)
    return (x * factor - mean * factor) * w.reshape(-1, 1, 1) + b.reshape(-1, 1, 1)


CASES: tuple[tuple[Operator, Evaluate], ...] = (
    (Relu(), torched.relu),
    (Clip(-0.5, 1.25), lambda x: torch.clamp(x, -0.5, 1.25)),
    (LeakyRelu(0.25), lambda x: torched.leaky_relu(x, 0.25)),
    (Sigmoid(), torch.sigmoid),
    (Tanh(), torch.tanh),
    (Elu(), torched.elu),
    (HardSigmoid(1 / 6, 0.5), torched.hardsigmoid),
    (Softplus(), lambda x: torched.softplus(x, threshold=80)),
    (Silu(), torched.silu),
    (HardSwish(), torched.hardswish),
    (Gelu(), torched.gelu),
    (Gelu("tanh"), lambda x: torched.gelu(x, approximate="tanh")),
    (Mish(), torched.mish),
    (Mul(), lambda x: x * x),
    (Softmax(1), lambda x: torch.softmax(x, 1)),
    (Softmax(3), lambda x: torch.softmax(x, 3)),
    (LayerNorm((1,)), channels_last),
    (LayerNorm((1,)), one_pass),
    (LayerNorm((2, 3)), lambda x, w, b: torched.layer_norm(x, x.shape[2:], w, b, 1e-5)),
    (GroupNorm(2), lambda x, w, b: torched.group_norm(x, 2, w, b, 1e-5)),
    (InstanceNorm(), lambda x, w, b: torched.instance_norm(x, None, None, w, b, True, 0.1, 1e-5)),
    (LocalResponseNorm(3, 0.5, 0.75, 1.0), lambda x: torched.local_response_norm(x, 3, 0.5, 0.75, 1.0)),
)


@pytest.mark.parametrize(("op", "evaluate"), CASES, ids=[f"{op}-{i}" for i, (op, _) in enumerate(CASES)])
def test_what_is_carried_covers_every_evaluation(op: Operator, evaluate: Evaluate) -> None:
    s = Sketch(SHAPE)
    s.add(op, *["x"] * (2 if op.kind == "Mul" else 1))
    (node,) = s.nodes
    w = {role: seeded(1)[param] for role, param in node.params}
    draw = np.random.default_rng(7)
    worst = 0.0
    for scale, relative in ((1.0, 1e-6), (1.0, 1e-2), (30.0, 1e-3), (2.0**-12, 1e-3), (1.0, 3.0)):
        x = (draw.normal(size=SHAPE) * scale).astype(np.float32).astype(np.float64)
        error = scale * relative * draw.uniform(size=SHAPE)
        signals = [Signal(x, 60, np.abs(x), error)] * len(node.inputs)
        y = apply(node, [x] * len(signals), w)
        allowed = error_after(node, signals, w, y, magnitude(node, [x] * len(signals), w))
        for kind in range(6):
            push = np.sign(draw.normal(size=SHAPE)) if kind % 2 else draw.uniform(-1, 1, SHAPE)
            dtype = np.float32 if kind < 4 else np.float64
            near = (x + error * push).astype(dtype)
            off = torch.from_numpy(np.where(np.abs(near - x) <= error, near, x).astype(dtype))
            got = evaluate(off, *(torch.from_numpy(a).to(off.dtype) for a in w.values())).numpy().astype(np.float64)
            assert (np.abs(got - y) <= allowed).all(), (scale, relative, kind)
            worst = max(worst, float((np.abs(got - y) / np.where(allowed > 0, allowed, np.inf)).max()))
    assert worst > 0.2, "the bound says something"


def test_what_is_carried_through_a_softmax_never_exceeds_the_whole() -> None:
    s = Sketch((1, 4))
    s.add(Softmax(1))
    x = np.array([[0.0, 1.0, 2.0, -3.0]])
    for error in (1.0, 50.0, 1e4):
        y = apply(s.nodes[0], [x], {})
        found = error_after(s.nodes[0], [Signal(x, 0, np.abs(x), np.full_like(x, error))], {}, y, y)
        assert (found <= np.maximum(y, 1 - y) + 0.1).all()
