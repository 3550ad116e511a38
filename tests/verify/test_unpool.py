"""Max pools that tell their places, and their unpooling: onnxruntime passes, wrong places and wrong values do not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from oracles.hand_models import model, saved
from verify.in_process import InProcess

from onnxconv.load import load
from onnxconv.verify import Verdict
from onnxconv.verify.bound import bound
from onnxconv.verify.case import Case
from onnxconv.verify.exact import exact

WINDOW = {"kernel_shape": [2, 2], "strides": [2, 2]}
MODEL = model(
    [
        helper.make_node("MaxPool", ["x"], ["p", "i"], **WINDOW),
        helper.make_node("Relu", ["p"], ["r"]),
        helper.make_node("MaxUnpool", ["r", "i"], ["y"], **WINDOW),
    ],
    {"x": (1, 2, 8, 8)},
    {},
)


class Rolled(InProcess):
    """A runtime that puts what it computes into one tensor a place further."""

    def __init__(self, tensor: str) -> None:
        super().__init__()
        self.tensor = tensor

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = super().run(inputs)
        return {name: np.roll(y, 1, -1) if name == self.tensor else y for name, y in found.items()}


@pytest.mark.parametrize("probe", [exact, bound])
@pytest.mark.parametrize(("tensor", "verdict"), [("", Verdict.PASS), ("i", Verdict.FAIL), ("y", Verdict.FAIL)])
def test_places(probe: object, tensor: str, verdict: Verdict, tmp_path: Path) -> None:
    graph, weights = load(saved(MODEL, tmp_path))
    assert max(f.verdict for f in probe(Case(graph, weights, Rolled(tensor), 5))) == verdict
