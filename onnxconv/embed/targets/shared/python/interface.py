"""What the model of this folder takes and gives, as bundle.json says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
_TOLD = json.loads((HERE / "bundle.json").read_text(encoding="utf-8"))

INPUTS = {entry["name"]: (entry["dtype"], tuple(entry["shape"])) for entry in _TOLD["inputs"]}
OUTPUTS = {entry["name"]: (entry["dtype"], tuple(entry["shape"])) for entry in _TOLD["outputs"]}
"""Data type and shape by name, in the model's order; a text is a size that is open."""


def fitting(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs in the model's order, contiguous. Raises `ValueError` where one is missing, unknown, or of another shape or type."""
    if inputs.keys() != INPUTS.keys():
        raise ValueError(f"inputs are {list(INPUTS)}, not {list(inputs)}")
    for name, (dtype, shape) in INPUTS.items():
        x = inputs[name]
        fits = len(shape) == x.ndim and all(isinstance(n, str) or n == m for n, m in zip(shape, x.shape, strict=True))
        if not fits or x.dtype != dtype:
            raise ValueError(f"input {name!r} is {x.dtype} {list(x.shape)}, the model takes {dtype} {list(shape)}")
    return {name: np.ascontiguousarray(inputs[name]) for name in INPUTS}
