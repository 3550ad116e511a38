"""The executors as runtimes among others, for whoever runs models by a runtime's name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxconv.errors import Diagnostic, UsageError, Where, closest
from onnxconv.execute.definition import Arrays, run
from onnxconv.execute.fast import Program, make_plan
from onnxconv.geometry import Array
from onnxconv.graph import Graph

ARITHMETICS = ("float16", "float32", "float64", "longdouble")


class NumpyRuntime:
    """Loads ONNX models into a graph and executes them by definition; the option `arithmetic` is float64 unless given."""

    version = np.__version__

    def __init__(self, options: Mapping[str, str]) -> None:
        mistakes = _unknown("numpy", options, "arithmetic")
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


class PlannedRuntime:
    """Loads ONNX models and executes them by a plan, in float32; the option `threads` is all processors, up to 4, unless given."""

    version = np.__version__

    def __init__(self, options: Mapping[str, str]) -> None:
        mistakes, text = _unknown("numpy:fast", options, "threads"), options.get("threads", "0")
        if not text.isascii() or not text.isdigit():
            what = f"option threads of numpy:fast is {text!r}"
            mistakes.append(Diagnostic(Where(), "bad-option", what, "it is a whole number from 0"))
        if mistakes:
            raise UsageError(mistakes)
        self.threads = int(text)

    def load(self, model_path: str) -> PlannedSession:
        from onnxconv.load import load

        return PlannedSession(*load(model_path), self.threads)


class PlannedSession:
    """A graph, its weights, and the program for the shapes that it was run with last."""

    def __init__(self, graph: Graph, weights: Arrays, threads: int) -> None:
        self.graph, self.weights, self.threads = graph, weights, threads
        self._program: Program | None = None
        self._shapes: dict[str, tuple[int, ...]] = {}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        shapes = {name: np.shape(array) for name, array in inputs.items()}
        if self._program is None or shapes != self._shapes:
            self._program, self._shapes = None, shapes
            plan = make_plan(self.graph, self.weights, shapes)
            self._program = Program(plan, self.threads, processes=True)
        return self._program.run(inputs)


def _unknown(runtime: str, options: Mapping[str, str], known: str) -> list[Diagnostic]:
    """What is wrong with options other than the one there is."""
    return [
        Diagnostic(Where(), "unknown-option", f"{runtime} has no option {name!r}", "", closest(name, (known,)))
        for name in options
        if name != known
    ]
