"""The words of the spec language: the kinds of layers and their attributes.

The parser, the JSON Schema and the table in docs/spec.md are all made from `LAYERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from onnxconv.spec.vocabulary import activations, arithmetic, integers, moves, norms, pools, resample, sums
from onnxconv.spec.vocabulary.attributes import PAD_MODES
from onnxconv.spec.vocabulary.initialisers import INITIALISERS
from onnxconv.spec.vocabulary.keys import LAYER_KEYS, QUANTIZATION, SPEC_KEYS
from onnxconv.spec.vocabulary.kind import Attribute, Kind, Type
from onnxconv.spec.vocabulary.synonyms import SYNONYMS, suggestion

__all__ = [
    "INITIALISERS",
    "LAYERS",
    "LAYER_KEYS",
    "PAD_MODES",
    "QUANTIZATION",
    "RESERVED",
    "SPEC_KEYS",
    "SYNONYMS",
    "WORDS",
    "Attribute",
    "Kind",
    "Type",
    "suggestion",
]

_FAMILIES = (sums, pools, activations, norms, arithmetic, moves, resample, integers)

LAYERS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for family in _FAMILIES for kind in family.KINDS})
"""Every kind of layer by its name."""

WORDS = frozenset(word for kind in LAYERS.values() for attribute in kind.attributes for word in attribute.words)
"""Words that an attribute may hold instead of a number."""

RESERVED = WORDS | {"min", "max", "previous", "layers", "true", "false", "null"}
"""Words with a meaning of their own; no parameter may be called like one."""
