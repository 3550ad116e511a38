"""What a report says about a graph, as one JSON-ready document. Renderers only lay it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from onnxconv.advice import Adviser
from onnxconv.box import Seen, View
from onnxconv.context import Context, contexts, signals
from onnxconv.cost import LayerCost, costs
from onnxconv.graph import Graph, Node, TensorType, shapes_of
from onnxconv.ops import Opaque, Shape
from onnxconv.receptive import Sight, Sighted, follow

__all__ = ["Document", "document"]

Document: TypeAlias = dict[str, Any]
"""Dictionaries, lists, text, numbers and None, ready for JSON."""


def document(graph: Graph, source: str = "", views: Sequence[View] = (), sample_rate: float | None = None) -> Document:
    """Shapes, windows, receptive fields, cost and advice of a graph, per image (N = 1), and what positions see.

    Sizes, strides and paddings are in pixels, outermost axis first; a number that a symbolic size hides is None. What
    is told of signals in samples is told in seconds too if there is a `sample_rate`, in hertz.
    """
    types, spent = graph.types(), costs(graph)
    adviser, (inputs, nodes) = Adviser(graph, spent), follow(graph)
    heard = signals(inputs)
    layers: list[Document] = []
    advice: list[Document] = []
    for at in nodes:
        layers.append(_layer(at, types, spent.layers[at.node.name], heard, sample_rate))
        advice += ({"code": found.code, "layer": found.layer, "message": found.message} for found in adviser.on(at))
    return {
        "source": source,
        "name": graph.name,
        "digest": graph.digest(),
        "inputs": [_tensor(name, type_) for name, type_ in graph.inputs],
        "outputs": [_tensor(name, types[name]) for name in graph.outputs],
        "layers": layers,
        "totals": _amounts(spent.totals, TOTAL_AMOUNTS),
        "unread": [*_unread(graph)],
        "advice": advice,
        "sample_rate": sample_rate,
        "positions": [_view(view) for view in views],
    }


def _layer(
    at: Sighted, types: Mapping[str, TensorType], cost: LayerCost, heard: tuple[str, ...], sample_rate: float | None
) -> Document:
    node, seen = at.node, at.seen[at.node.output]
    return {
        "name": node.name,
        "op": operator_of(node),
        "inputs": list(node.inputs),
        "output": node.output,
        "output_shape": list(node.type.shape),
        **_amounts(cost, LAYER_AMOUNTS),
        "window": _window(node, shapes_of(node, types)),
        "receptive_field": {name: _field(found, node.type.shape) for name, found in seen.items()},
        "context": _contexts(contexts(seen, heard), sample_rate),
    }


def _unread(graph: Graph) -> Iterator[Document]:
    """What of a model is not understood: layers whose output is known nevertheless, then nodes that are no layers."""
    for node in graph.nodes:
        if isinstance(node.op, Opaque):
            yield {"name": node.name, "op": operator_of(node), "reason": node.op.reason, "layer": node.name}
    for lost in graph.unread:
        yield {"name": lost.name, "op": lost.op, "reason": lost.reason, "layer": None}


LAYER_AMOUNTS = ("params", "macs", "valid_macs", "activation_bytes", "weight_bytes")
TOTAL_AMOUNTS = ("params", "macs", "valid_macs", "weight_bytes", "peak_activation_bytes", "left_out")


def operator_of(node: Node) -> str:
    """The ONNX operator that a node is known as; of one that is not understood, its own."""
    return node.op.called if isinstance(node.op, Opaque) else node.op.kind


def _tensor(name: str, type_: TensorType) -> Document:
    return {"name": name, "dtype": type_.dtype, "shape": list(type_.shape)}


def _amounts(cost: object, names: Sequence[str]) -> Document:
    return {name: getattr(cost, name) for name in names}


def _window(node: Node, xs: Sequence[Shape]) -> list[Document]:
    """One entry per spatial axis of the node's sliding window; none where it has no window."""
    axes = getattr(node.op, "window", ())
    return [_axis(axis, n) for axis, n in zip(axes, xs[0][2:], strict=True)] if axes else []


def _axis(axis: Any, n: int | str) -> Document:
    """An axis of a window over n pixels. Only a window that slides can leave pixels unused at the end."""
    known = isinstance(n, int) and hasattr(axis, "unused_end")
    entry = {"size": axis.size, "stride": axis.stride, "dilation": axis.dilation, "pad": list(axis.pad)}
    extra = {"output_pad": axis.output_pad} if hasattr(axis, "output_pad") else {}
    return {**entry, **extra, "extent": axis.extent, "unused_end": axis.unused_end(n) if known else None}


def _field(found: Sequence[Sight], shape: Shape) -> Document:
    """What a tensor sees of one input, per axis; plain None where it sees the whole of it."""
    reaches = [sight.reach for sight in found]
    sure = {"aligned": all(reach.aligned for reach in reaches), "exact": all(reach.exact for reach in reaches)}
    if reaches and all(reach.whole for reach in reaches):
        return {"size": None, "stride": None, "padding": None, "samples": None, **sure}
    positions = [1 if sight.axis is None else shape[sight.axis] for sight in found]
    pairs = [(reach, n if isinstance(n, int) else None) for reach, n in zip(reaches, positions, strict=True)]
    return {
        "size": [reach.size(n) for reach, n in pairs],
        "stride": [_exact(reach.stride()) for reach in reaches],
        "padding": [reach.padding() for reach in reaches],
        "samples": [reach.samples(n) for reach, n in pairs],
        **sure,
    }


def _contexts(found: Mapping[str, Context | None], sample_rate: float | None) -> Document:
    return {name: known and _context(known, sample_rate) for name, known in found.items()}


def _context(known: Context, sample_rate: float | None) -> Document:
    """In samples, and in seconds where the sample rate is known."""
    return {
        "left": known.left,
        "right": known.right,
        "look_ahead": known.look_ahead,
        "latency": known.latency,
        "hop": _exact(known.hop),
        "seconds": None if sample_rate is None else asdict(known.timed(sample_rate)),
    }


def _view(view: View) -> Document:
    """What one position sees, per input and axis: first and last pixel of each stretch."""
    inputs = {name: [_seen(seen) for seen in axes] for name, axes in view.inputs.items()}
    return {"layer": view.layer, "position": list(view.position), "inputs": inputs}


def _seen(seen: Seen) -> Document:
    span = seen.span()
    return {
        "field": seen.field and [seen.field.first, seen.field.last],
        "seen": list(span) if span else None,
        "clipped": list(seen.clipped()),
        "samples": seen.samples(),
        "holes": [list(run) for run in seen.holes()],
        "exact": seen.exact,
    }


def _exact(stride: Any) -> int | str | None:
    """A fraction as an integer where it is one, else as text such as ``1/2``."""
    if stride is None:
        return None
    return int(stride) if stride.denominator == 1 else f"{stride.numerator}/{stride.denominator}"
