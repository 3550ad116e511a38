"""Ways in which people compare a runtime with a reference, with the settings and the data of their makers.

Each recipe is given what favours it: the reference is computed in float64, so that no error of a second runtime adds to
the first one's; two images, where most send one; and the model with biases and norms that matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from onnxconv.execute import run
from onnxconv.graph import Graph
from onnxconv.weights import Weights

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """`agree` of (got, expected), for one output. `data`: a word of `DATA`. `source`: where it was published."""

    name: str
    data: str
    agree: Callable[[np.ndarray, np.ndarray], bool]
    source: str


def close(rtol: float, atol: float) -> Callable[[np.ndarray, np.ndarray], bool]:
    """|got − expected| ≤ atol + rtol·|expected| throughout; NaN equals NaN."""

    def agree(got: np.ndarray, expected: np.ndarray) -> bool:
        return bool(np.allclose(got.astype(np.float64), expected.astype(np.float64), rtol, atol, equal_nan=True))

    return agree


def cosine(least: float) -> Callable[[np.ndarray, np.ndarray], bool]:
    def agree(got: np.ndarray, expected: np.ndarray) -> bool:
        a, b = got.astype(np.float64).reshape(-1), expected.astype(np.float64).reshape(-1)
        size = np.linalg.norm(a) * np.linalg.norm(b)
        return bool(size > 0 and a @ b / size >= least)

    return agree


DATA: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "0 to 1": lambda random, shape: random.uniform(0, 1, shape),
    "−9 to 9": lambda random, shape: random.uniform(-9, 9, shape),
}

RECIPES = (
    Recipe(
        "numpy.testing.assert_allclose",
        "normal",
        close(1e-7, 0.0),
        "numpy.testing.assert_allclose: rtol=1e-07, atol=0 where they are not given; data as np.random.randn draws them",
    ),
    Recipe(
        "numpy.allclose", "normal", close(1e-5, 1e-8), "numpy.allclose: rtol=1e-05, atol=1e-08; data as np.random.randn"
    ),
    Recipe(
        "torch.testing.assert_close",
        "−9 to 9",
        close(1.3e-6, 1e-5),
        "torch.testing.assert_close, float32: rtol=1.3e-6, atol=1e-5; data of torch.testing.make_tensor: −9 to 9",
    ),
    Recipe(
        "Polygraphy",
        "0 to 1",
        close(1e-5, 1e-5),
        "polygraphy.comparator.CompareFunc.simple: rtol=1e-5, atol=1e-5; DataLoader: val_range (0, 1)",
    ),
    Recipe(
        "onnx backend tests",
        "normal",
        close(1e-3, 1e-7),
        "onnx.backend.test: rtol=1e-3, atol=1e-7 of a TestCase; node cases draw np.random.randn",
    ),
    Recipe(
        "PyTorch's ONNX tutorial",
        "normal",
        close(1e-3, 1e-5),
        "pytorch.org, Exporting a model from PyTorch to ONNX: assert_allclose(rtol=1e-03, atol=1e-05) on torch.randn",
    ),
    Recipe(
        "NNSmith",
        "0 to 1",
        close(1e-2, 1e-3),
        "github.com/ise-uiuc/nnsmith, nnsmith/difftest.py: rtol=1e-02, atol=1e-03; inputs uniform from 0 to 1",
    ),
    Recipe(
        "cosine ≥ 0.999",
        "0 to 1",
        cosine(0.999),
        "cosine similarity, as converters' tools print it (hb_verifier of D-Robotics, Ascend's comparison tool); "
        "images scaled to 0 to 1; the threshold is left to the reader there",
    ),
    Recipe("cosine ≥ 0.997", "0 to 1", cosine(0.997), "the same, a laxer threshold"),
)


def data(graph: Graph, kind: str, seed: int, images: int = 2) -> Arrays:
    """float32 inputs of a kind."""
    random = np.random.default_rng([seed, sorted(DATA).index(kind)])
    shapes = {name: tuple(images if isinstance(n, str) else n for n in type.shape) for name, type in graph.inputs}
    return {name: DATA[kind](random, shape).astype(np.float32) for name, shape in shapes.items()}


def expected(graph: Graph, weights: Weights, inputs: Arrays) -> Arrays:
    """The outputs by their definition: every tensor computed in float64 and rounded once."""
    return run(graph, weights, inputs)


def agrees(recipe: Recipe, got: Arrays, wanted: Arrays) -> bool:
    return all(got[name].shape == y.shape and recipe.agree(got[name], y) for name, y in wanted.items())
