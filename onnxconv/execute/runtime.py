"""The executor as one runtime among others, for whoever runs models by a runtime's name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxconv.errors import Diagnostic, UsageError, Where, closest
from onnxconv.execute.definition import Arrays, run
from onnxconv.geometry import Array
from onnxconv.graph import Graph

ARITHMETICS = ("float16", "float32", "float64", "longdouble")


class NumpyRuntime:
    """Loads ONNX models into a graph and executes them by definition; the option `arithmetic` is float64 unless given."""

    version = np.__version__

    def __init__(self, options: Mapping[str, str]) -> None:
        mistakes = [
            Diagnostic(Where(), "unknown-option", f"numpy has no option {name!r}", "", closest(name, ("arithmetic",)))
            for name in options
            if name != "arithmetic"
        ]
        self.arithmetic = options.get("arithmetic", "float64")
        if self.arithmetic not in ARITHMETICS:
            what = f"option arithmetic of numpy is {self.arithmetic!r}"
            mistakes.append(Diagnostic(Where(), "bad-option", what, f"it is one of {', '.join(ARITHMETICS)}"))
        if mistakes:
            raise UsageError(mistakes)

    def load(self, model_path: str) -> NumpySession:
        from onnxconv.load import load

        return NumpySession(*load(model_path), self.arithmetic)


class NumpySession:
    """A graph and its weights."""

    def __init__(self, graph: Graph, weights: Arrays, arithmetic: str) -> None:
        self.graph, self.weights, self.arithmetic = graph, weights, arithmetic

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return run(self.graph, self.weights, inputs, arithmetic=self.arithmetic)
