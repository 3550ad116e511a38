"""Names that the spec language takes, for tensors that have other ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from onnxconv.graph import Graph, TensorType
from onnxconv.spec import LAYERS

__all__ = ["inputs_called", "tensors_called"]

_LEGAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,39}\Z")
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SELDOM = re.compile(r"[^A-Za-z0-9_]+")
_SCOPE = re.compile(r"(.*?)(_[0-9]+)?\.")
"""What the names of layers inside of repeats and blocks that have no name begin with: a word, and a number from 2 on."""
_PARTS = {role for kind in LAYERS.values() for role in kind.roles} | {"pad", "product"}
"""What the parts of a layer are called, after its name and a dot."""


def tensors_called(
    graph: Graph, wanted: Iterable[str], kinds: Mapping[str, str], blocks: Iterable[str] = ()
) -> dict[str, str]:
    """A name for every input and for every `wanted` tensor: its own where that is legal, else one made of it or of its kind.

    `kinds`: by tensor. `blocks`: their names. No two are equal, and none is one that the language gives to layers without a name.
    """
    names: dict[str, str] = {}
    taken: set[str] = {"previous"}
    scopes = {*LAYERS, "layers", *blocks}
    for tensor in (*(name for name, _ in graph.inputs), *wanted):
        if tensor in names:
            continue
        kept = tensor in graph.outputs or tensor in dict(graph.inputs)
        names[tensor] = _free(_legal(tensor, kinds.get(tensor, "input"), scopes, kept=kept), taken)
        taken.add(names[tensor])
    return names


def _legal(tensor: str, kind: str, scopes: set[str], *, kept: bool) -> str:
    """The name itself where the language takes it; of the network's own inputs and outputs as much as can be kept."""
    scope = _SCOPE.match(tensor)
    automatic = scope is not None and scope[1] in scopes
    if _LEGAL.match(tensor) and not automatic and not ("." in tensor and tensor.rpartition(".")[2] in _PARTS):
        return tensor
    short = _SELDOM.sub("_", tensor).strip("_")[:40]
    return short if kept and short else f"{kind}_out"


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    count = 2
    while f"{name}{count}" in taken:
        count += 1
    return f"{name}{count}"


def inputs_called(graph: Graph) -> tuple[tuple[str, TensorType], ...]:
    """The inputs, their symbolic sizes under names that the language takes: the same one for the same symbol."""
    symbols: dict[str, str] = {}
    taken: set[str] = set()
    for _, type in graph.inputs:
        for size in type.shape:
            if isinstance(size, str) and size not in symbols:
                short = _SELDOM.sub("_", size).strip("_")
                symbols[size] = _free(short if _SYMBOL.match(short) else f"size_{short}".rstrip("_"), taken)
                taken.add(symbols[size])
    return tuple(
        (name, TensorType(type.dtype, tuple(symbols.get(n, n) if isinstance(n, str) else n for n in type.shape)))
        for name, type in graph.inputs
    )
