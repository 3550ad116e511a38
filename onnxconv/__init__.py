"""Convolution layers from a declarative spec to verified ONNX.

>>> import onnxconv
>>> network = onnxconv.read("specs/quickstart.yaml")
>>> print(network.report())
>>> outputs = network.run()
>>> print(network.verify())
>>> network.build("quickstart.onnx")

Each step is also a function on its own: `parse`, `resolve`, `build`, `rewrite`, `to_spec`, `run`, `verify`, `report`. Importing the package
imports nothing else; a step imports what it needs.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxconv.errors import OnnxconvError
    from onnxconv.network import Network, build, parse, read, report, resolve, rewrite, run, to_spec, verify

__version__ = "0.1.0"

__all__ = [
    "Network",
    "OnnxconvError",
    "build",
    "parse",
    "read",
    "report",
    "resolve",
    "rewrite",
    "run",
    "to_spec",
    "verify",
]

_HOMES = {"OnnxconvError": "onnxconv.errors"}


class _Doors(ModuleType):
    """This package. Some functions share their name with the room behind them; importing the room must not hide them."""

    def __getattribute__(self, name: str) -> Any:
        if name in _DOORS:
            return getattr(importlib.import_module(_HOMES.get(name, "onnxconv.network")), name)
        return super().__getattribute__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


_DOORS = frozenset(__all__)
sys.modules[__name__].__class__ = _Doors
