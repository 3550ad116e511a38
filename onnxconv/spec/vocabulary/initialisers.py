"""Ways to fill a weight."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["INITIALISERS"]

INITIALISERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "he_normal": (),
        "he_uniform": (),
        "xavier_normal": (),
        "xavier_uniform": (),
        "uniform": ("low", "high"),
        "normal": ("mean", "std"),
        "constant": ("value",),
        "zeros": (),
        "ones": (),
        "ramp": (),
        "identity": (),
        "integers": ("low", "high"),
    }
)
"""Ways to fill a weight, each with the names of its numbers."""
