"""``onnx-backend:MODULE``: any module with ONNX's own `Backend` interface, or ``MODULE:CLASS`` for a class in it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.runtimes.options import read_options, text
from onnxconv.runtimes.protocol import Array, RuntimeAbsent


class OnnxBackend:
    """A backend's ``prepare(model, device)``; the option `device` is CPU unless given."""

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        shown = f"onnx-backend:{name}"
        self.device: str = read_options(shown, options, {"device": text}).get("device", "CPU")
        module, _, path = name.partition(":")
        try:
            found: Any = importlib.import_module(module)
        except BaseException as error:
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RuntimeAbsent(f"{shown} cannot be imported: {what}", f"pip install what provides {module}") from error
        package = sys.modules[module.partition(".")[0]]
        self.version = str(getattr(found, "__version__", getattr(package, "__version__", "")))
        for part in filter(None, path.split(".")):
            found = getattr(found, part, None)
        self.prepare: Any = getattr(found, "prepare", None)
        if not callable(self.prepare):
            rule = "an ONNX backend has prepare(model, device), which returns an object with run(inputs)"
            what = f"{name} has no function prepare"
            raise UsageError(
                Diagnostic(Where(), "not-a-runtime", what, rule, "name its class: onnx-backend:MODULE:CLASS")
            )

    def load(self, model_path: str) -> BackendSession:
        import onnx

        model = onnx.load(model_path)
        weights = {initializer.name for initializer in model.graph.initializer}
        inputs = [value.name for value in model.graph.input if value.name not in weights]
        outputs = [value.name for value in model.graph.output]
        return BackendSession(self.prepare(model, self.device), inputs, outputs)


class BackendSession:
    """A `BackendRep`: arrays by position, which get the names that the model gives them."""

    def __init__(self, representation: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self.representation, self.inputs, self.outputs = representation, inputs, outputs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        values = self.representation.run([inputs[name] for name in self.inputs])
        if not isinstance(values, (tuple, list)):
            raise TypeError(f"run returned {type(values).__name__} instead of a tuple of arrays")
        return by_position(self.outputs, dict(enumerate(values)))


def by_position(names: Sequence[str], values: Mapping[int, Any]) -> dict[str, Any]:
    """Outputs by name from outputs by number; one too many is called ``output_N``, one too few is left out."""
    return {names[n] if n < len(names) else f"output_{n}": values[n] for n in sorted(values)}
