"""Activations against plain Python numbers and torch, and onnxruntime within their bounds on wide data."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
from chains import chain

from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.ops import Elu, Gelu, HardSigmoid, HardSwish, Mish, Operator, Softplus, Tanh
from onnxconv.weights import seeded


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _gelu_by_tanh(x: float) -> float:
    x = max(-1e9, x)  # below: 0
    cube = min(x, 1e9) ** 3
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * cube)))


def _hard(x: float, a: float, b: float) -> float:
    a, b = float(np.float32(a)), float(np.float32(b))
    return min(max(a * x + b, 0.0), 1.0)


CURVES: tuple[tuple[Operator, Callable[[float], float], str, dict[str, object]], ...] = (
    (Tanh(), math.tanh, "tanh", {}),
    (Elu(), lambda x: x if x >= 0 else math.expm1(x), "elu", {}),
    (Elu(0.25), lambda x: x if x >= 0 else 0.25 * math.expm1(x), "elu", {"alpha": 0.25}),
    (HardSigmoid(1 / 6, 0.5), lambda x: _hard(x, 1 / 6, 0.5), "hardsigmoid", {}),
    (HardSigmoid(-0.3, 1.7), lambda x: _hard(x, -0.3, 1.7), "", {}),
    (HardSwish(), lambda x: x * _hard(x, 1 / 6, 0.5), "hardswish", {}),
    (Softplus(), _softplus, "softplus", {}),
    (Gelu(), lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2))), "gelu", {}),
    (Gelu("tanh"), _gelu_by_tanh, "gelu", {"approximate": "tanh"}),
    (Mish(), lambda x: x * math.tanh(_softplus(x)), "mish", {}),
)
IDS = [str(op) for op, *_ in CURVES]
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(("op", "plain", "_name", "_more"), CURVES, ids=IDS)
def test_the_definition_equals_plain_python(
    op: Operator, plain: Callable[[float], float], _name: str, _more: dict[str, object]
) -> None:
    x = np.concatenate([np.linspace(-8, 8, 641), [-745.0, -90.0, -1e-300, -0.0, 1e-9, 90.0, 1e300]])
    expected = np.array([plain(float(v)) for v in x])
    with np.errstate(all="raise", under="ignore", over="ignore" if op.kind == "Gelu" else "raise"):
        np.testing.assert_allclose(op.define(x), expected, rtol=4e-16, atol=4e-16)


@pytest.mark.parametrize(("op", "name", "more"), [(op, name, more) for op, _, name, more in CURVES if name], ids=str)
def test_the_definition_equals_torch(op: Operator, name: str, more: dict[str, object]) -> None:
    torch = pytest.importorskip("torch")
    x = np.linspace(-12, 12, 999)
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    theirs = getattr(torch.nn.functional, name, function)(torch.from_numpy(x), **more).numpy()
    rough = 1e-6 if name.startswith("hard") else 3e-9  # 1/6 is a float32 in ONNX; torch's softplus is x above 20
    np.testing.assert_allclose(op.define(x), theirs, rtol=rough, atol=rough)


@pytest.mark.parametrize(("op", "ends"), [(Tanh(), (-1, 1)), (Elu(0.5), (-0.5, INF)), (Softplus(), (0, INF)),
                                          (HardSigmoid(), (0, 1))], ids=str)  # fmt: skip
def test_ends_and_nan(op: Operator, ends: tuple[float, float]) -> None:
    y = op.define(np.array([-INF, INF, NAN]))
    assert tuple(y[:2]) == ends
    assert np.isnan(y[2])


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("op", [op for op, *_ in CURVES], ids=str)
def test_onnxruntime_stays_within_the_bound_on_wide_data(op: Operator, opset: int) -> None:
    rng = np.random.default_rng(5)
    wide = np.exp(rng.uniform(-103, 8, 50_000)) * rng.choice([-1, 1], 50_000)
    x = np.concatenate([4 * rng.standard_normal(50_000), 20 * rng.standard_normal(25_000), wide])
    x = x.astype(np.float32).reshape(1, 5, -1)
    model = to_bytes(chain(x.shape, op), seeded(), EmitOptions(opset, 10 if opset > 18 else 8))
    y = onnxruntime.InferenceSession(model).run(None, {"x": x})[0].astype(np.float64)
    x64, n, u = x.astype(np.float64), op.roundings(x.shape), 2.0**-24
    bound = n * u / (1 - n * u) * op.magnitude(x64) + (n + 1) * 2.0**-149
    used = np.abs(y - op.define(x64)) / bound
    assert 0.01 < used.max() <= 1


def test_gelu_in_several_nodes_is_exact_in_float64() -> None:
    """By tanh only: Erf of onnx's reference evaluator rounds to float32. Its constant is looked at."""
    x, op = np.linspace(-6, 6, 500).reshape(1, 500), Gelu("tanh")
    model = onnx.load_from_string(to_bytes(chain(x.shape, op, dtype="float64"), seeded()))
    (y,) = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})
    assert (np.abs(y - op.define(x)) <= 2 * op.roundings(x.shape) * 2.0**-53 * op.magnitude(x)).all()
    model = onnx.load_from_string(to_bytes(chain(x.shape, Gelu(), dtype="float64"), seeded()))
    assert math.sqrt(2) in [onnx.numpy_helper.to_array(t).item() for t in model.graph.initializer]


@pytest.mark.parametrize("op", [op for op, *_ in CURVES], ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_narrow_evaluations_stay_within_the_bound(op: Operator, dtype: type[np.floating]) -> None:
    """The definition in the narrow type itself, every operation rounded."""
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.standard_normal(20_000) * scale for scale in (0.01, 1, 4, 20)]).astype(dtype)
    info = np.finfo(dtype)
    n, u, x64 = op.roundings(x.shape), float(info.eps) / 2, x.astype(np.float64)
    bound = n * u / (1 - n * u) * op.magnitude(x64) + (n + 1) * float(info.smallest_subnormal)
    with np.errstate(all="ignore"):
        assert (np.abs(op.define(x).astype(np.float64) - op.define(x64)) <= bound).all()
