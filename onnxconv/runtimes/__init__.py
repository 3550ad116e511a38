"""Models run by other programs, each in a process of its own.

>>> with start("onnxruntime:cpu", timeout=60) as worker:
...     loaded = worker.load("model.onnx")
...     outputs = worker.run({"x": x})

A runtime that raises, crashes, hangs or returns no arrays is a `RuntimeFailed`, never our end.
"""

from onnxconv.runtimes.install import conflicts
from onnxconv.runtimes.matrix import MATRICES, combinations
from onnxconv.runtimes.process import Worker
from onnxconv.runtimes.protocol import Absent, Available, Loaded, Runtime, RuntimeAbsent, RuntimeFailed, Session, Timing
from onnxconv.runtimes.registry import FORMS, names, start, status, statuses

__all__ = [
    "FORMS",
    "MATRICES",
    "Absent",
    "Available",
    "Loaded",
    "Runtime",
    "RuntimeAbsent",
    "RuntimeFailed",
    "Session",
    "Timing",
    "Worker",
    "combinations",
    "conflicts",
    "names",
    "start",
    "status",
    "statuses",
]
