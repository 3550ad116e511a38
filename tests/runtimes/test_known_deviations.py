"""What versions of runtimes were seen to do otherwise, each by the smallest spec: a release that mends it fails here."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import onnxconv
from onnxconv.runtimes import Absent, status
from onnxconv.verify import Verdict
from onnxconv.weights import seeded


@dataclass(frozen=True)
class Deviation:
    """`version`: where it was seen; `words`: of the reason that the probe gives."""

    runtime: str
    version: str
    layer: str
    probe: str
    verdict: Verdict
    words: str


X = "float32[2, 4, 11, 12]"

SEEN = (
    Deviation(  # it copies where a resize keeps all sizes, wherever the positions lie
        "onnxruntime:cpu",
        "1.32.0",
        "resize: {scale: 1.05, coordinates: asymmetric, round: floor}",
        "exact",
        Verdict.FAIL,
        "1048 of 1056 elements are wrong",
    ),
    Deviation(
        "onnx-reference",
        "1.23.2",
        "conv_transpose: {filters: 6, kernel: 3, group: 2}",
        "shape",
        Verdict.FAIL,
        "cannot reshape array of size 81 into shape (1,2,27)",
    ),
    Deviation(
        "torch",
        "torch 2.13.0+cpu, onnx2torch 1.5.15",
        "conv_transpose: {filters: 6, kernel: 3, pad: [[0, 1], [0, 0]]}",
        "shape",
        Verdict.NOT_RUN,
        "ConvTranspose with non symmetrical padding is not implemented",
    ),
    Deviation(
        "torch",
        "torch 2.13.0+cpu, onnx2torch 1.5.15",
        "average_pool: {kernel: 2, pad: [[0, 1], [0, 0]]}",
        "shape",
        Verdict.NOT_RUN,
        "AvgPool with non symmetrical padding is not implemented",
    ),
    Deviation(
        "torch",
        "torch 2.13.0+cpu, onnx2torch 1.5.15",
        "global_max_pool",
        "shape",
        Verdict.NOT_RUN,
        "Converter is not implemented",
    ),
    Deviation(
        "torch",
        "torch 2.13.0+cpu, onnx2torch 1.5.15",
        "average_pool: {kernel: 2, dilation: 2, stride: 1}",
        "shape",
        Verdict.NOT_RUN,
        "Converter is not implemented",
    ),
    Deviation(
        "ncnn",
        "ncnn 1.0.20261020, pnnx 20261020",
        "max_pool: {kernel: 3, stride: 2, pad: [[0, 1], [1, 0]]}",
        "shape",
        Verdict.FAIL,
        "has shape [2, 4, 6, 7], not [2, 4, 5, 6]",
    ),
    Deviation(
        "ncnn",
        "ncnn 1.0.20261020, pnnx 20261020",
        "max_pool: {kernel: 2, dilation: 2, stride: 1}",
        "shape",
        Verdict.NOT_RUN,
        "pnnx finds no layer of ncnn for F.max_pool2d",
    ),
    Deviation(
        "ncnn",
        "ncnn 1.0.20261020, pnnx 20261020",
        "average_pool: {kernel: 2, pad: [[0, 1], [0, 0]]}",
        "shape",
        Verdict.NOT_RUN,
        "pnnx finds no layer of ncnn for AveragePool",
    ),
    Deviation(
        "ncnn",
        "ncnn 1.0.20261020, pnnx 20261020",
        "average_pool: {kernel: 2, dilation: 2, stride: 1}",
        "shape",
        Verdict.NOT_RUN,
        "pnnx finds no layer of ncnn for F.avg_pool2d",
    ),
    Deviation(
        "ncnn",
        "ncnn 1.0.20261020, pnnx 20261020",
        "average_pool: {kernel: 3, stride: 2, ceil: true}",
        "shape",
        Verdict.NOT_RUN,
        "pnnx finds no layer of ncnn for AveragePool",
    ),
    Deviation(
        "ncnn",
        "ncnn 1.0.20261020, pnnx 20261020",
        "conv_transpose: {filters: 6, kernel: 3, pad: [[0, 1], [0, 0]]}",
        "shape",
        Verdict.NOT_RUN,
        "pnnx finds no layer of ncnn for ConvTranspose",
    ),
    Deviation(
        "iree",
        "3.13.0",
        "conv_transpose: {filters: 6, kernel: 3, pad: [[0, 1], [0, 0]]}",
        "shape",
        Verdict.NOT_RUN,
        "IREE has no lowering of this onnx.ConvTranspose",
    ),
)


@dataclass(frozen=True)
class Told:
    """What becomes of a special value, which is told and not blamed. `words`: what the probe says of it."""

    runtime: str
    version: str
    layer: str
    value: str
    words: str


TOLD = (
    Told("onnxruntime:cpu", "1.32.0", "max_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became 3"),
    Told("onnxruntime:cpu", "1.32.0", "tanh", "subnormal", "subnormal number flushed to 0"),
    Told("onnxruntime:cpu", "1.32.0", "global_max_pool", "NaN", "NaN lost, became 3"),
    Told("onnx-reference", "1.23.2", "max_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became 3"),
    Told("onnx-reference", "1.23.2", "average_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became -0.5"),
    Told("openvino", "2026.4.1", "relu", "NaN", "NaN lost, became 0"),
    Told("openvino", "2026.4.1", "max_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became 3"),
    Told("openvino", "2026.4.1", "softmax", "+Inf", "NaN lost, became 0"),
    Told("tract", "0.23.9", "relu", "NaN", "NaN lost, became 0"),
    Told("tract", "0.23.9", "conv: {filters: 6, kernel: 3}", "subnormal", "subnormal number flushed to 0"),
    Told("tract", "0.23.9", "max_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became 3"),
    Told("tract", "0.23.9", "sigmoid", "-Inf", "0 became 4.47e-07"),
    Told("tract", "0.23.9", "tanh", "NaN", "NaN lost, became -1"),
    Told("opencv", "5.0.0", "conv: {filters: 6, kernel: 3}", "+Inf", "+Inf became 3.4e+38"),
    Told("opencv", "5.0.0", "relu6", "NaN", "NaN lost, became 0"),
    Told("opencv", "5.0.0", "tanh", "+Inf", "number became NaN"),
    Told("opencv", "5.0.0", "leaky_relu", "subnormal", "0 became subnormal number"),
    Told("opencv", "5.0.0", "batch_norm", "underflow", "subnormal number flushed to 0"),
    Told("opencv", "5.0.0", "relu", "-Inf", "0 became NaN"),
    Told("tvm", "0.27.0.post1", "relu", "NaN", "NaN lost, became 0"),
    Told("tvm", "0.27.0.post1", "max_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became 3"),
    Told("tvm", "0.27.0.post1", "tanh", "subnormal", "subnormal number flushed to 0"),
    Told("tinygrad", "0.14.0", "relu", "NaN", "NaN lost, became 0"),
    Told("tinygrad", "0.14.0", "max_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became 3"),
    Told("tinygrad", "0.14.0", "tanh", "subnormal", "subnormal number flushed to 0"),
    Told("emx-c", "1.4.0", "relu", "NaN", "NaN lost, became 0"),
    Told("emx-c", "1.4.0", "max_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became 3"),
    Told("iree", "3.13.0", "relu", "subnormal", "subnormal number flushed to 0"),
    Told("iree", "3.13.0", "relu6", "NaN", "NaN lost, became 0"),
    Told("iree", "3.13.0", "conv: {filters: 6, kernel: 3}", "underflow", "subnormal number flushed to 0"),
    Told("ncnn", "ncnn 1.0.20261020, pnnx 20261020", "max_pool: {kernel: 3, pad: 1}", "NaN", "NaN lost, became 3"),
    Told("ncnn", "ncnn 1.0.20261020, pnnx 20261020", "sigmoid", "-Inf", "0 became subnormal number"),
    Told("ncnn", "ncnn 1.0.20261020, pnnx 20261020", "softmax", "NaN", "NaN lost, became 1"),
    Told("ncnn", "ncnn 1.0.20261020, pnnx 20261020", "tanh", "subnormal", "subnormal number flushed to 0"),
)

COME_WITH_PACKAGE = ("onnx-reference", "onnxruntime:cpu")


def cases(seen: tuple[Deviation, ...] | tuple[Told, ...]) -> list[object]:
    return [
        pytest.param(
            one,
            id=f"{one.runtime}-{one.layer}",
            marks=[] if one.runtime in COME_WITH_PACKAGE else [pytest.mark.extra(one.runtime), pytest.mark.slow],
        )
        for one in seen
    ]


def network_of(layer: str, runtime: str) -> onnxconv.Network:
    """The layer alone, where the runtime can work here."""
    state = status(runtime)
    if isinstance(state, Absent):
        pytest.skip(f"{state.reason}: {state.fix}")
    text = f"name: case\ninputs:\n  x: {X}\nlayers:\n  - {layer}\n"
    return onnxconv.Network(onnxconv.resolve(onnxconv.parse(text)), seeded())


@pytest.mark.parametrize("seen", cases(SEEN))
def test_a_known_deviation_is_still_there(seen: Deviation) -> None:
    found = network_of(seen.layer, seen.runtime).verify(runtimes=[seen.runtime], probes=[seen.probe], timeout=300)
    told = f"{seen.runtime} {found.checks[0].version}: seen with {seen.version}"
    assert found.verdict is seen.verdict, told
    assert seen.words in found.checks[0].reason, told


@pytest.mark.parametrize("seen", cases(TOLD))
def test_what_becomes_of_a_special_value_is_still_told(seen: Told) -> None:
    (check,) = network_of(seen.layer, seen.runtime).verify([seen.runtime], probes=["special"], timeout=300).checks
    told = f"{seen.runtime} {check.version}: seen with {seen.version}"
    assert check.verdict is Verdict.PASS, told
    (says,) = (one.says for one in check.finding.capabilities if one.of == seen.value)
    assert seen.words in says, told
