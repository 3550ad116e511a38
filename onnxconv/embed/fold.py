"""Batch norms multiplied into the convolutions before them, in numbers: what `fold` does in a spec, for any network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from onnxconv.dtypes import rounded
from onnxconv.embed.rewrite import with_arrays
from onnxconv.execute.fold import folded
from onnxconv.geometry import Array
from onnxconv.graph import Graph, Initial, Node, Param
from onnxconv.ops import BatchNorm, Conv, ConvTranspose, Dense
from onnxconv.weights import Weights

__all__ = ["fold_batch_norms"]


def fold_batch_norms(
    graph: Graph, weights: Weights, layers: Collection[str] | None
) -> tuple[Graph, Weights, tuple[str, ...]]:
    """The network with batch norms in the layers before them, by `onnxconv.execute.fold`: weights are rounded once more.

    A batch norm whose input nobody else reads, right behind a layer with weights; its tensor keeps its name.
    """
    makers = {node.output: node for node in graph.nodes}
    readers = Counter(x for node in graph.nodes for x in node.inputs) + Counter(graph.outputs)
    taken: dict[str, Node] = {}
    arrays: dict[str, Array] = {}
    changed = []
    for node in graph.nodes:
        before = makers.get(node.inputs[0]) if node.inputs else None
        fits = isinstance(node.op, BatchNorm) and before is not None and readers[before.output] == 1
        if not fits or (layers is not None and node.name not in layers):
            continue
        assert before is not None, "it fits"
        if isinstance(before.op, Conv | ConvTranspose | Dense) and before.name not in taken:
            made, numbers = _folded(before, node, weights)
            taken[before.name], taken[node.name] = made, made
            arrays |= numbers
            changed.append(node.name)
    if not changed:
        return graph, weights, ()
    kept = (node for node in graph.nodes if node.name not in taken or node.name in changed)
    made_graph = replace(graph, nodes=tuple(taken.get(node.name, node) for node in kept))
    return made_graph, with_arrays(made_graph, weights, arrays), tuple(changed)


def _folded(before: Node, norm: Node, weights: Weights) -> tuple[Node, dict[str, Array]]:
    """The layer with the batch norm in it, in place of the batch norm, and its arrays, each rounded once."""
    op, norm_op = before.op, norm.op
    assert isinstance(op, Conv | ConvTranspose | Dense), "a layer with weights"
    assert isinstance(norm_op, BatchNorm), "a batch norm"
    exact, own = ({role: weights[param] for role, param in at.params} for at in (before, norm))
    made = folded(op, exact, norm_op, own)
    dtype = norm.type.dtype
    params, arrays = [], {}
    for role, array in made.items():
        name = f"{norm.name}.folded.{role}"
        params.append((role, Param(name, dtype, array.shape, Initial(name, array.shape))))
        arrays[name] = rounded(array, dtype)
    node = replace(norm, op=replace(op, bias=True), inputs=before.inputs, params=tuple(params))
    return node, arrays
