"""`Spec` → `Graph`: every word becomes a number, every shape is known, every mistake is reported with its place."""

from onnxconv.resolve.walk import LOWERINGS, resolve

__all__ = ["LOWERINGS", "resolve"]
