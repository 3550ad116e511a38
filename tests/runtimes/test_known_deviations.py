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


def cases() -> list[object]:
    return [
        pytest.param(
            seen,
            id=f"{seen.runtime}-{seen.layer}",
            marks=[pytest.mark.extra(seen.runtime)] * (seen.runtime in ("torch", "ncnn", "iree")),
        )
        for seen in SEEN
    ]


@pytest.mark.parametrize("seen", cases())
def test_a_known_deviation_is_still_there(seen: Deviation) -> None:
    state = status(seen.runtime)
    if isinstance(state, Absent):
        pytest.skip(f"{state.reason}: {state.fix}")
    text = f"name: case\ninputs:\n  x: {X}\nlayers:\n  - {seen.layer}\n"
    network = onnxconv.Network(onnxconv.resolve(onnxconv.parse(text)), seeded())
    found = network.verify(runtimes=[seen.runtime], probes=[seen.probe], timeout=300)
    told = f"{seen.runtime} {state.version}: seen with {seen.version}"
    assert found.verdict is seen.verdict, told
    assert seen.words in found.checks[0].reason, told
