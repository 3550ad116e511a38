"""Pads of any axis, the batch and the channels included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from oracles.hand_models import integers, one, saved

from onnxconv.execute import run
from onnxconv.load import load


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize(
    ("shape", "pads"),
    [((2, 5), (0, 1, 0, 2)), ((2, 5), (1, 0, 0, 3)), ((2, 3, 5), (0, 1, 2, 0, 2, 1)), ((4,), (1, 2)), ((2, 3), (0, 0, 0, 0))],
    ids=str,
)  # fmt: skip
def test_pads_are_onnxruntimes(shape: tuple[int, ...], pads: tuple[int, ...], mode: str, tmp_path: Path) -> None:
    proto = one("Pad", shape, {"p": np.array(pads)}, mode=mode)
    graph, weights = load(saved(proto, tmp_path))
    x = integers(shape, 1)
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_array_equal(run(graph, weights, {"x": x})["y"], expected)
