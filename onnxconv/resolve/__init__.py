"""`Spec` → `Graph`: every word becomes a number, every shape is known, every mistake is reported with its place."""

from onnxconv.resolve.integers import OWN
from onnxconv.resolve.walk import LOWERINGS, mistakes, resolve

__all__ = ["LOWERINGS", "OWN", "mistakes", "resolve"]
