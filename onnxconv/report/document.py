"""What a report says about a graph, as one JSON-ready document. Renderers only lay it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from onnxconv.advice import advise
from onnxconv.cost import costs
from onnxconv.graph import Graph, Node, TensorType, shapes_of
from onnxconv.ops import Shape
from onnxconv.receptive import receptive_fields

__all__ = ["Document", "document"]

Document: TypeAlias = dict[str, Any]
"""Dictionaries, lists, text, numbers and None, ready for JSON."""


def document(graph: Graph, source: str = "") -> Document:
    """Shapes, windows, receptive fields, cost and advice of a graph, per image (N = 1).

    Sizes, strides and paddings are in pixels, outermost axis first; a number that a symbolic size hides is None.
    """
    types, spent, reached = graph.types(), costs(graph), receptive_fields(graph)
    return {
        "source": source,
        "name": graph.name,
        "digest": graph.digest(),
        "inputs": [_tensor(name, type_) for name, type_ in graph.inputs],
        "outputs": [_tensor(name, types[name]) for name in graph.outputs],
        "layers": [
            {
                "name": node.name,
                "op": node.op.kind,
                "inputs": list(node.inputs),
                "output": node.output,
                "output_shape": list(node.type.shape),
                **_amounts(spent.layers[node.name], LAYER_AMOUNTS),
                "window": _window(node, shapes_of(node, types)),
                "receptive_field": {
                    name: _field(reaches, node.type.spatial) for name, reaches in reached[node.output].items()
                },
            }
            for node in graph.nodes
        ],
        "totals": _amounts(spent.totals, TOTAL_AMOUNTS),
        "advice": [{"code": a.code, "layer": a.layer, "message": a.message} for a in advise(graph)],
    }


LAYER_AMOUNTS = ("params", "macs", "valid_macs", "activation_bytes", "weight_bytes")
TOTAL_AMOUNTS = ("params", "macs", "valid_macs", "weight_bytes", "peak_activation_bytes")


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


def _field(reaches: Sequence[Any], spatial: Shape) -> Document:
    """What a tensor sees of one input, per axis; plain None where it sees the whole of it."""
    sure = {"aligned": all(reach.aligned for reach in reaches), "exact": all(reach.exact for reach in reaches)}
    if reaches and all(reach.whole for reach in reaches):
        return {"size": None, "stride": None, "padding": None, "samples": None, **sure}
    sizes = spatial or (1,) * len(reaches)  # flattened, and not seen as a whole: one position an axis
    pairs = [(reach, n if isinstance(n, int) else None) for reach, n in zip(reaches, sizes, strict=True)]
    return {
        "size": [reach.size(n) for reach, n in pairs],
        "stride": [_exact(reach.stride()) for reach in reaches],
        "padding": [reach.padding() for reach in reaches],
        "samples": [reach.samples(n) for reach, n in pairs],
        **sure,
    }


def _exact(stride: Any) -> int | str | None:
    """A fraction as an integer where it is one, else as text such as ``1/2``."""
    if stride is None:
        return None
    return int(stride) if stride.denominator == 1 else f"{stride.numerator}/{stride.denominator}"
