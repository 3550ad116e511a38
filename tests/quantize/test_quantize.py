"""Networks that compute with integers: scales by hand, the emitted model, and runtimes that do and do not fuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import onnxconv
from onnxconv.dtypes import DTYPES
from onnxconv.emit import EmitOptions, to_bytes
from onnxconv.errors import SpecError, UsageError
from onnxconv.quantize import scale_and_zero
from onnxconv.verify import Verdict

onnxruntime.set_default_logger_severity(4)

LAYERS: list[Any] = [
    {"conv": {"filters": 8, "kernel": 3, "pad": 1}, "name": "first"},
    "relu",
    {"conv": {"filters": 8, "kernel": 3, "stride": 2, "group": 4}, "name": "second"},
    {"batch_norm": {"fold": True}, "name": "norm"},
    "relu6",
    {"add": [[{"conv": {"filters": 8, "kernel": 1, "bias": False}, "name": "third"}], []]},
    "global_average_pool",
    "flatten",
    {"dense": 5, "name": "classes"},
]


def spec(quantize: Any = "uint8", **more: Any) -> dict[str, Any]:
    return {"inputs": {"x": "float32[N, 3, 10, 9]"}, "layers": LAYERS, "quantize": quantize, **more}


def plain() -> dict[str, Any]:
    return {key: value for key, value in spec().items() if key != "quantize"}


FORMS = ("uint8", "int8", {"weights": "tensor"}, {"activations": "int8", "weights": "tensor"})


@pytest.mark.parametrize("opset", [13, 17, 21])
@pytest.mark.parametrize("quantize", FORMS, ids=str)
def test_the_model_is_valid_and_onnxruntime_computes_the_same(quantize: Any, opset: int) -> None:
    """With all optimisations it fuses pairs and convolutions into QLinearConv; the last bits of a float layer may differ."""
    x = {"x": np.random.default_rng(1).standard_normal((4, 3, 10, 9)).astype(np.float32)}
    network = onnxconv.read(spec(quantize), calibrate=x)
    content = to_bytes(network.graph, network.weights, EmitOptions(opset))
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    (ours,), (floats,) = network.run(x).values(), onnxconv.run(plain(), x).values()
    assert 1e-5 < np.abs(ours - floats).max() / np.abs(floats).max() < 0.1
    for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        (theirs,) = onnxruntime.InferenceSession(content, options).run(None, x)
        np.testing.assert_allclose(theirs, ours, atol=2e-6 * np.abs(ours).max())


@pytest.mark.parametrize("quantize", FORMS, ids=str)
def test_onnxruntime_passes(quantize: Any) -> None:
    found = onnxconv.verify(spec(quantize))
    assert found.verdict is Verdict.PASS, [check.reason for check in found.checks]
    assert {check.probe for check in found.checks} >= {"exact", "bound", "routing"}


def test_the_model_loads_as_the_same_graph(tmp_path: Path) -> None:
    network = onnxconv.read(spec())
    loaded = onnxconv.read(network.build(tmp_path / "m.onnx"))
    assert [(n.name, n.op, n.inputs, n.type) for n in loaded.graph.nodes] == [
        (n.name, n.op, n.inputs, n.type) for n in network.graph.nodes
    ]
    assert to_bytes(loaded.graph, loaded.weights) == (tmp_path / "m.onnx").read_bytes()


def arrays(network: onnxconv.Network) -> dict[str, np.ndarray]:
    model = onnx.load_from_string(to_bytes(network.graph, network.weights))
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_weights_are_integers_in_units_of_their_scales() -> None:
    held, floats = arrays(onnxconv.read(spec())), arrays(onnxconv.read(plain()))
    for name in ("first", "second", "third", "classes"):
        weight, scale = floats[f"{name}.weight"].astype(np.float64), held[f"{name}.weight.scale"].astype(np.float64)
        rows = weight.reshape(len(weight), -1)
        np.testing.assert_allclose(scale, np.abs(rows).max(axis=1) / 127, rtol=2.0**-23)
        integers = held[f"{name}.weight.quantized"]
        assert integers.dtype == np.int8
        assert np.abs(integers.reshape(len(weight), -1)).max(axis=1).tolist() == [127] * len(weight)
        along = (-1, *[1] * (weight.ndim - 1))
        assert np.abs(integers * scale.reshape(along) - weight).max() <= scale.max() / 2 * (1 + 1e-6)
        if name != "third":
            read = {"first": "x", "second": "relu", "classes": "flatten"}[name]
            units = held[f"{read}.scale"] * held[f"{name}.weight.scale"]
            np.testing.assert_array_equal(held[f"{name}.bias.scale"], units)
            assert held[f"{name}.bias.quantized"].dtype == np.int32
            bias = floats[f"{name}.bias"].astype(np.float64)
            np.testing.assert_array_equal(held[f"{name}.bias.quantized"], np.rint(bias / units.astype(np.float64)))


def test_a_scale_per_tensor_is_that_of_the_largest_weight() -> None:
    held, floats = arrays(onnxconv.read(spec({"weights": "tensor"}))), arrays(onnxconv.read(plain()))
    assert held["first.weight.scale"] == np.float32(np.abs(floats["first.weight"]).max() / np.float64(127))


@pytest.mark.parametrize(
    ("limits", "dtype", "scale", "zero"),
    [
        ((-1.0, 1.55), "uint8", 2.55 / 255, 100),
        ((-1.0, 1.55), "int8", 2.55 / 255, -28),
        ((0.0, 6.0), "uint8", 6 / 255, 0),
        ((2.0, 5.1), "uint8", 5.1 / 255, 0),
        ((-5.1, -2.0), "uint8", 5.1 / 255, 255),
        ((-5.1, -2.0), "int8", 5.1 / 255, 127),
        ((0.0, 0.0), "uint8", 1.0, 0),
    ],
)
def test_scales_and_zero_points(limits: tuple[float, float], dtype: str, scale: float, zero: int) -> None:
    """The range includes 0, which is a whole number of steps from its ends."""
    found = scale_and_zero(limits, dtype)
    assert found == (float(np.float32(scale)), zero)
    assert DTYPES[dtype].low <= found[1] <= DTYPES[dtype].high


def test_given_ranges_are_used_and_the_others_calibrated() -> None:
    measured = arrays(onnxconv.read(spec()))
    given = arrays(onnxconv.read(spec({"ranges": {"x": [-1, 1.55], "relu": [0, 2]}})))
    assert given["x.scale"] == np.float32(0.01)
    assert given["x.zero_point"] == 100
    assert given["relu.scale"] == np.float32(2 / 255)
    assert given["flatten.scale"] == measured["flatten.scale"]


def test_calibration_takes_the_least_and_the_largest_number(tmp_path: Path) -> None:
    x = np.random.default_rng(2).uniform(-3, 2, (5, 3, 10, 9)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    for data in ({"x": x}, tmp_path / "x.npz", str(tmp_path / "x.npz")):
        held = arrays(onnxconv.read(spec(), calibrate=data))
        scale, zero = scale_and_zero((float(x.min()), float(x.max())), "uint8")
        assert (held["x.scale"], held["x.zero_point"]) == (np.float32(scale), zero)
    tensors = onnxconv.run(plain(), {"x": x}, every_tensor=True)
    assert held["relu.scale"] == np.float32(tensors["relu"].max() / np.float64(255))


def test_the_same_bytes_every_time() -> None:
    contents = {
        to_bytes(network.graph, network.weights) for network in (onnxconv.read(spec(), seed=3) for _ in range(2))
    }
    assert len(contents) == 1


def test_one_pair_serves_all_that_read_a_tensor() -> None:
    layers = [{"add": [[{"conv": {"filters": 3, "kernel": 1}}], [{"conv": {"filters": 3, "kernel": 3, "pad": 1}}]]}]
    graph = onnxconv.read(spec(layers=layers)).graph
    kinds = [node.op.kind for node in graph.nodes]
    assert kinds.count("QuantizeLinear") == kinds.count("DequantizeLinear") == 1
    assert kinds.count("DequantizedConv") == 2


def test_the_report_counts_bytes_and_the_same_parameters() -> None:
    ours, floats = (onnxconv.report(one).document["totals"] for one in (spec(), plain()))
    assert ours["params"] == floats["params"]
    assert ours["macs"] == floats["macs"]
    assert ours["weight_bytes"] < 0.45 * floats["weight_bytes"]


def test_weights_from_a_file_or_arrays_are_quantised() -> None:
    network = onnxconv.read(plain())
    given = {param.name: network.weights[param] for param in network.graph.params()}
    drawn, same = (arrays(onnxconv.read(spec(), weights=weights)) for weights in (None, given))
    for name, array in drawn.items():
        np.testing.assert_array_equal(array, same[name])


@pytest.mark.parametrize(
    ("quantize", "words"),
    [
        ("int4", "activations is the text 'int4'"),
        ({"weights": "int8"}, "weights is the text 'int8'"),
        ({"scale": 3}, "quantize has no 'scale'"),
        ({"ranges": [1, 2]}, "ranges are a list of 2"),
        ({"ranges": {"x": [1]}}, "the range of x is a list of 1"),
        ({"ranges": {"x": [2, 1]}}, "the range of x is a list of 2"),
        ({"ranges": {"relux": [0, 1]}}, "'relux' has a range, and no convolution or dense layer of float32 reads it"),
        ({"ranges": {"norm": [0, 1]}}, "'norm' has a range"),
    ],
)
def test_mistakes_are_told(quantize: Any, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        onnxconv.read(spec(quantize))
    assert words in str(caught.value)


def test_other_types_and_other_sources_have_nothing_to_quantise(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no convolution or dense layer of float32"):
        onnxconv.read(spec(), dtype="float16")
    with pytest.raises(UsageError, match="nothing is calibrated"):
        onnxconv.read(plain(), calibrate={"x": np.zeros((1, 3, 10, 9), np.float32)})
    (tmp_path / "no.npz").write_bytes(b"PK nothing")
    with pytest.raises(UsageError, match=r"cannot be read as \.npz"):
        onnxconv.read(spec(), calibrate=tmp_path / "no.npz")
    with pytest.raises(UsageError, match="there is no input 'y'"):
        onnxconv.read(spec(), calibrate={"y": np.zeros(3)})
