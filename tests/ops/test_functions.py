"""Arithmetic, functions and norms: onnxruntime within their bounds on wide data, torch, and every order of summation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
from chains import chain

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.ops import (
    Div,
    Elementwise,
    Erf,
    Exp,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    Log,
    MatMul,
    Operator,
    Pow,
    Reciprocal,
    ReduceL2,
    ReduceMean,
    ReduceProd,
    ReduceSumSquare,
    Sqrt,
)
from onnxconv.weights import seeded

U = 2.0**-24
NORMS: tuple[Operator, ...] = (
    LayerNorm((1,)),
    LayerNorm((3,)),
    LayerNorm((2, 3), bias=False),
    GroupNorm(2),
    InstanceNorm(),
    LocalResponseNorm(5, 0.1),
)
FUNCTIONS: tuple[Operator, ...] = (Sqrt(), Exp(), Log(), Erf(), Reciprocal())
SUMS: tuple[Operator, ...] = (ReduceMean((1,)), ReduceL2((2, 3)), ReduceSumSquare((3,)), ReduceProd((1,)))
SHAPE = (3, 8, 24, 20)


def data(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(11)
    drawn = rng.standard_normal(shape)
    made = {
        "normal": drawn,
        "offset": drawn + 100,
        "tiny": 1e-20 * drawn,
        "small": 1e-3 * drawn,
        "constant": np.full(shape, 7.3),
        "wide": np.exp(rng.uniform(-80, 80, shape)) * rng.choice([-1, 1], shape),
        "near one": 1 + 1e-4 * drawn,
    }
    return made[kind].astype(np.float32)


KINDS = ("normal", "offset", "tiny", "small", "constant", "wide", "near one")


def used(op: Operator, x: np.ndarray, y: np.ndarray, w: dict[str, np.ndarray]) -> tuple[float, float]:
    """The largest share of the bound that y has used, and the share of elements that could be judged."""
    xs = [x.astype(np.float64)] * (2 if isinstance(op, Elementwise) else 1)
    w64 = {role: a.astype(np.float64) for role, a in w.items()}
    with np.errstate(all="ignore"):
        n, exact, magnitude = op.roundings(*(a.shape for a in xs)), op.define(*xs, **w64), op.magnitude(*xs, **w64)
        bound = n * U / (1 - n * U) * magnitude + (n + 1) * 2.0**-149
        judged = np.isfinite(exact) & (magnitude * (1 + n * U) < float(np.finfo(np.float32).max))
        shares = np.where(y == exact, 0, np.abs(y.astype(np.float64) - exact) / bound)
    return float(shares[judged].max(initial=0)), float(judged.mean())


@pytest.mark.parametrize("opset", [13, 17, 21])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("op", [*NORMS, *FUNCTIONS, *SUMS, Div(), Pow()], ids=str)
def test_onnxruntime_stays_within_the_bound(op: Operator, kind: str, opset: int) -> None:
    x = data(kind, SHAPE)
    x = np.abs(x) if isinstance(op, Sqrt | Log | Pow) else x
    graph = chain(x.shape, op)
    w = {role: seeded(2)[param] for role, param in graph.nodes[0].params}
    session = onnxruntime.InferenceSession(to_bytes(graph, seeded(2), EmitOptions(opset, 10 if opset > 18 else 8)))
    share, judged = used(op, x, session.run(None, {"x": x})[0], w)
    assert share <= 1
    if kind in ("normal", "small"):
        assert judged > 0.4


@pytest.mark.parametrize("op", NORMS[:5], ids=str)
@pytest.mark.parametrize("kind", ["normal", "offset", "small"])
def test_every_way_to_a_variance_stays_within_the_bound(op: Operator, kind: str) -> None:
    """In float32: in two passes, as a difference of means, and by Welford's updates, terms in random order."""
    (axes,) = {op.statistics(SHAPE)[1]}  # type: ignore[attr-defined]
    view = op.statistics(SHAPE)[0]  # type: ignore[attr-defined]
    x = data(kind, SHAPE)
    w = {role: data("normal", shape) for role, shape in op.weight_shapes(SHAPE).items()}
    rows = np.moveaxis(x.reshape(view), axes, range(-len(axes), 0))
    flat = rows.reshape(*rows.shape[: rows.ndim - len(axes)], -1)
    order = np.random.default_rng(5).permutation(flat.shape[-1])
    worst = 0.0
    for way in WAYS:
        mean, variance = way(flat[..., order])
        normal = (flat - mean[..., None]) / np.sqrt(variance[..., None] + np.float32(op.epsilon))  # type: ignore[attr-defined]
        back = np.moveaxis(normal.reshape(rows.shape), range(-len(axes), 0), axes).reshape(SHAPE)
        y = back * op.affine(SHAPE, w["weight"])  # type: ignore[attr-defined]
        y = y + op.affine(SHAPE, w["bias"]) if "bias" in w else y  # type: ignore[attr-defined]
        assert y.dtype == np.float32
        share, _ = used(op, x, y, w)
        assert share <= 1
        worst = max(worst, share)
    assert worst > 0 or kind == "offset"  # where the mean is far off, less and less is judged


def _sequential(terms: np.ndarray) -> np.ndarray:
    total = np.zeros(terms.shape[:-1], np.float32)
    for i in range(terms.shape[-1]):
        total = total + terms[..., i]
    return total


def _two_passes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = np.float32(x.shape[-1])
    mean = _sequential(x) / n
    return mean, _sequential(np.square(x - mean[..., None])) / n


def _difference(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = np.float32(x.shape[-1])
    mean = _sequential(x) / n
    return mean, np.maximum(_sequential(np.square(x)) / n - mean * mean, 0)


def _welford(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, squares = np.zeros(x.shape[:-1], np.float32), np.zeros(x.shape[:-1], np.float32)
    for i in range(x.shape[-1]):
        away = x[..., i] - mean
        mean = mean + away / np.float32(i + 1)
        squares = squares + away * (x[..., i] - mean)
    return mean, squares / np.float32(x.shape[-1])


WAYS: tuple[Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], ...] = (_two_passes, _difference, _welford)


@pytest.mark.parametrize(("op", "name"), [(GroupNorm(2), "group_norm"), (InstanceNorm(), "instance_norm"),
                                          (LayerNorm((2, 3)), "layer_norm"), (LocalResponseNorm(5, 0.1, 0.6, 2.0), "local_response_norm")], ids=str)  # fmt: skip
def test_the_definition_equals_torch(op: Operator, name: str) -> None:
    torch = pytest.importorskip("torch")
    x = data("normal", SHAPE).astype(np.float64)
    w = {role: data("small", s).astype(np.float64) for role, s in op.weight_shapes(SHAPE).items()}
    more = {
        "group_norm": (2,),
        "instance_norm": (None, None),
        "layer_norm": (SHAPE[2:],),
        "local_response_norm": (5, 0.1, 0.6, 2.0),
    }[name]
    given = [torch.from_numpy(a) for a in w.values()]
    theirs = getattr(torch.nn.functional, name)(torch.from_numpy(x), *more, *given).numpy()
    np.testing.assert_allclose(op.define(x, **w), theirs, rtol=1e-7, atol=1e-9)


def test_channels_are_normalised_as_torchvision_does() -> None:
    """LayerNorm2d: channels last, torch's layer norm over them, channels back."""
    torch = pytest.importorskip("torch")
    op, x = LayerNorm((1,), 1e-6), data("normal", SHAPE).astype(np.float64)
    w = {role: data("normal", s).astype(np.float64) for role, s in op.weight_shapes(SHAPE).items()}
    last = torch.from_numpy(x).permute(0, 2, 3, 1)
    theirs = torch.nn.functional.layer_norm(last, (8,), *map(torch.from_numpy, w.values()), 1e-6).permute(0, 3, 1, 2)
    np.testing.assert_allclose(op.define(x, **w), theirs.numpy(), rtol=1e-9, atol=1e-9)


def test_any_order_of_a_matrix_product_stays_within_the_bound() -> None:
    rng, op = np.random.default_rng(8), MatMul()
    a, b = rng.standard_normal((40, 57)).astype(np.float32), rng.standard_normal((57, 30)).astype(np.float32)
    n, a64, b64 = op.roundings(a.shape, b.shape), a.astype(np.float64), b.astype(np.float64)
    bound = n * U / (1 - n * U) * op.magnitude(a64, b64)
    worst = 0.0
    for _ in range(20):
        order = rng.permutation(57)
        y = _sequential(np.moveaxis(a[:, None, order] * b.T[None, :, order], -1, -1))
        worst = max(worst, float((np.abs(y - op.define(a64, b64)) / bound).max()))
    assert 0.01 < worst <= 1


def test_broadcast_shapes_equal_numpy() -> None:
    shapes = ((2, 3, 4), (4,), (3, 1), (1, 3, 4), (1,), (), (5, 1, 1, 1), (2, 1, 1))
    for one, other in (*pairwise(shapes), ((5, 2, 1, 4), (3, 1))):
        assert Div().out_shape(one, other) == np.broadcast_shapes(one, other)
        assert Div().out_shape(other, one) == np.broadcast_shapes(one, other)
