"""Bundles: a model as a folder for another runtime, with the program that runs it there and proves that it is right.

A target is a folder with a manifest (`Target`) and files in its own language, which are copied as they are. What they need
to know of the model stands in ``golden/golden.json`` and ``bundle.json``.
"""

from onnxconv.embed.adapt import REWRITES, Change
from onnxconv.embed.bundle import Bundle, embed
from onnxconv.embed.checking import STATUS, Checked, check, keep
from onnxconv.embed.registry import find, names
from onnxconv.embed.target import Need, Obstacle, Target

__all__ = [
    "REWRITES",
    "STATUS",
    "Bundle",
    "Change",
    "Checked",
    "Need",
    "Obstacle",
    "Target",
    "check",
    "embed",
    "find",
    "keep",
    "names",
]
