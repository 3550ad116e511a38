"""Nodes that are not understood: what is known of them all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import onnx

from onnxconv.dtypes import DTYPES
from onnxconv.errors import Diagnostic, ModelError, Where, closest
from onnxconv.graph import TensorType
from onnxconv.load.declared import DOMAINS
from onnxconv.load.step import Constant, Step
from onnxconv.ops import Opaque

__all__ = ["called", "opaque", "unknown_operator", "weights_among"]

LEARNED = "float bfloat16 int8 uint8".split()
"""How the names of data types begin that weights are stored in; others are shapes, axes and the like."""


def called(node: onnx.NodeProto, index: int) -> str:
    name = f" {node.name!r}" if node.name else ""
    return f"node {index}{name} ({operator(node)})"


def operator(node: onnx.NodeProto) -> str:
    return node.op_type if node.domain in DOMAINS else f"{node.domain}.{node.op_type}"


def unknown_operator(node: onnx.NodeProto, index: int, file: str, known: Collection[str]) -> Diagnostic:
    """What to say of a node whose operator is not read."""
    foreign = node.domain not in DOMAINS
    return Diagnostic(
        Where(file),
        "unknown-operator",
        f"{called(node, index)} is of an operator that onnxconv does not read",
        "a custom operator's meaning is not in the model" if foreign else "",
        "" if foreign else _instead(node.op_type, known),
    )


def _instead(operator: str, known: Collection[str]) -> str:
    """Another operator of the standard is not meant for one that is read, however alike their names are."""
    if onnx.defs.has(operator, ""):
        return f"these are read: {', '.join(sorted(known))}"
    alike = [name for name in known if name.lower() == operator.lower()]
    return closest(operator, alike or known)


def weights_among(names: Sequence[str], constants: Mapping[str, Constant]) -> Iterator[tuple[str, Constant]]:
    """Those constants that look like weights, each under its own name as its role."""
    for name in dict.fromkeys(names):
        try:
            constant = constants[name]
        except (KeyError, ModelError):  # no constant, or a malformed one
            continue
        dtype = constant.array.dtype.name
        if dtype in DTYPES and any(map(dtype.startswith, LEARNED)) and constant.array.size:
            yield name, constant


def opaque(
    node: onnx.NodeProto, type: TensorType, reason: str, inputs: Sequence[str], weights: Mapping[str, Constant]
) -> Step:
    """One output of a node that is not understood."""
    shapes = tuple((role, tuple(map(int, constant.array.shape))) for role, constant in weights.items())
    domain = "" if node.domain in DOMAINS else node.domain
    op = Opaque(node.op_type, type.shape, domain, reason, shapes, type.dtype)
    return Step(op, tuple(inputs), weights)
