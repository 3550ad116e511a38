"""Functions that a model brings along, written out wherever it calls them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import onnx
import onnx.inliner

from onnxconv.errors import ModelError
from onnxconv.load.file import refuse

__all__ = ["subgraphs", "without_functions"]

LARGEST = 1 << 18
"""Nodes of a model once its functions are written out."""

Key: TypeAlias = "tuple[str, str]"


def without_functions(model: onnx.ModelProto, file: Path) -> onnx.ModelProto:
    """The model with its functions written out. Raises `ModelError` where they call each other in a circle, or are too many.

    The weights stay where they are: only the nodes are given to onnx's inliner.
    """
    if not model.functions:
        return model
    known = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[Key, int] = {}
    for key in known:
        _measure(key, known, sizes, file)
    total = sum(sizes.get((node.domain, node.op_type), 1) for node in _every_node(model.graph.node))
    if total > LARGEST:
        raise refuse(
            file, "too-large", f"its functions written out are {total:,} nodes", f"at most {LARGEST:,} are read"
        )
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    bare.graph.CopyFrom(onnx.GraphProto(name=model.graph.name or "graph", node=model.graph.node))
    bare.graph.input.extend(model.graph.input)
    bare.graph.output.extend(model.graph.output)
    try:
        inlined = onnx.inliner.inline_local_functions(bare)
    except (RuntimeError, ValueError, TypeError) as reason:
        raise refuse(file, "invalid-model", f"its functions cannot be written out: {reason}") from reason
    whole = onnx.ModelProto(ir_version=model.ir_version, opset_import=inlined.opset_import)
    whole.graph.CopyFrom(model.graph)
    del whole.graph.node[:]
    whole.graph.node.extend(inlined.graph.node)
    return whole


def _measure(key: Key, known: Mapping[Key, onnx.FunctionProto], sizes: dict[Key, int], file: Path) -> None:
    """Put the number of nodes that a call amounts to into `sizes`, without recursion."""
    path: list[Key] = [key]
    while path:
        at = path[-1]
        calls = [(n.domain, n.op_type) for n in _every_node(known[at].node)]
        waiting = [call for call in calls if call in known and call not in sizes]
        if not waiting:
            sizes[at] = 1 + sum(sizes.get(call, 1) for call in calls)
            path.pop()
        elif set(waiting) & set(path):
            raise _circle(at, file)
        else:
            path.append(waiting[0])


def _circle(key: Key, file: Path) -> ModelError:
    return refuse(
        file, "recursion", f"the function {'.'.join(key)} calls itself", "a function is written out where it is called"
    )


def _every_node(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes and those of their branches and bodies, however deep."""
    for node in nodes:
        yield node
        for graph in subgraphs(node):
            yield from _every_node(graph.node)


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Branches and bodies of a node."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs
