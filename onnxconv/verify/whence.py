"""What the worst element of the first wrong layer was computed from: a box of the layer's inputs, and of the network's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxconv.box import views
from onnxconv.errors import UsageError
from onnxconv.graph import Graph, only
from onnxconv.verify.sizes import pinned
from onnxconv.verify.verdict import Finding, Spans

__all__ = ["located"]


def located(graph: Graph, finding: Finding) -> Finding:
    """The finding, with the boxes that fed its first divergence, where it has one."""
    first = finding.first_divergence
    node = next((node for node in graph.nodes if first and node.name == first.layer), None)
    if first is None or node is None:
        return finding
    whole, position = pinned(graph), first.index[2:]
    alone = only(whole, next(n for n in whole.nodes if n.name == node.name))
    boxed = replace(first, tensor=node.output, reads=_spans(alone, node.name, position))
    return replace(finding, first_divergence=replace(boxed, sees=_spans(whole, node.name, position)))


def _spans(graph: Graph, layer: str, position: tuple[int, ...]) -> Mapping[str, Spans]:
    """First and last pixel along each axis of each input; nothing where the layer does not move along its spatial axes."""
    try:
        (view,) = views(graph, [(layer, position)])
    except UsageError:
        return {}
    found = {name: tuple(seen.span() for seen in axes) for name, axes in view.inputs.items()}
    return {name: tuple(span for span in spans if span) for name, spans in found.items() if spans and all(spans)}
