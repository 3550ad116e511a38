"""``python:FILE.py``: anyone's runtime in one file.

The file defines ``prepare(model_path)``, which returns ``run(inputs) -> outputs``, arrays by name. If it has a
`__version__`, that is the runtime's version. If ``prepare`` has a parameter named ``options``, it is given the options.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onnxconv.errors import Diagnostic, UsageError, Where
from onnxconv.runtimes.options import read_options
from onnxconv.runtimes.protocol import Array, RuntimeAbsent


class PythonFile:
    """The runtime that a file defines. Its own folder is importable from within it, as for a script."""

    def __init__(self, file: str, options: Mapping[str, str]) -> None:
        name = f"python:{Path(file).name}"
        sys.path.insert(0, str(Path(file).parent))
        spec = importlib.util.spec_from_file_location(Path(file).stem, file)
        if spec is None or spec.loader is None:
            raise UsageError(_mistake(file, "this is no Python file", "name it FILE.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(Path(file).stem, module)
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RuntimeAbsent(f"{name} cannot be imported: {what}", "") from error
        self.prepare: Any = getattr(module, "prepare", None)
        if not callable(self.prepare):
            raise UsageError(
                _mistake(file, "it defines no function prepare", "add: def prepare(model_path): … return run")
            )
        self.takes_options = "options" in inspect.signature(self.prepare).parameters
        if not self.takes_options:
            read_options(name, options, {})
        self.options = dict(options)
        self.version = str(getattr(module, "__version__", ""))

    def load(self, model_path: str) -> PythonSession:
        run = self.prepare(model_path, options=self.options) if self.takes_options else self.prepare(model_path)
        if not callable(run):
            raise TypeError(f"prepare returned {type(run).__name__}, which cannot be called")
        return PythonSession(run)


class PythonSession:
    """The function that ``prepare`` has returned."""

    def __init__(self, run: Callable[[dict[str, Array]], Mapping[str, Array]]) -> None:
        self._run = run

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        return self._run(dict(inputs))


def _mistake(file: str, what: str, fix: str) -> Diagnostic:
    rule = "a runtime's file defines prepare(model_path), which returns run(inputs) -> outputs"
    return Diagnostic(Where(file), "not-a-runtime", what, rule, fix)
