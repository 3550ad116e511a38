"""Graphs that are a little simpler than a graph: fewer layers, defaults for attributes, smaller sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from onnxconv.errors import Refusal
from onnxconv.graph import Graph, Initial, Node, Param, TensorType

__all__ = ["chain", "measure", "simpler"]


def chain(graph: Graph, start: int, stop: int) -> Graph:
    """The nodes from `start` to before `stop`; what they need from elsewhere becomes an input, the last gives the output."""
    nodes = graph.nodes[start:stop]
    types, made = graph.types(), {node.output for node in nodes}
    needed = dict.fromkeys(name for node in nodes for name in node.inputs if name not in made)
    return Graph(graph.name, tuple((name, types[name]) for name in needed), nodes, (nodes[-1].output,))


def measure(graph: Graph) -> tuple[int, int, int]:
    """What is to become less, the first first: layers, attributes away from their defaults, numbers."""
    away = sum(_away(node.op) for node in graph.nodes)
    sizes = [type.shape for _, type in graph.inputs] + [param.shape for param in graph.params()]
    return len(graph.nodes), away, sum(_product(shape) for shape in sizes)


def _away(op: Any) -> int:
    axes = getattr(op, "window", ())
    total = sum((a.size - 1) + (a.stride - 1) + (a.dilation - 1) + sum(a.pad) + abs(a.pad[0] - a.pad[1]) for a in axes)
    total += sum(getattr(a, "output_pad", 0) for a in axes)
    return int(total + getattr(op, "groups", 1) - 1 + bool(getattr(op, "bias", False)))


def _product(shape: Sequence[Any]) -> int:
    product = 1
    for n in shape:
        product *= n
    return product


def simpler(graph: Graph) -> Iterator[Graph]:
    """Legal graphs one step simpler, the boldest first."""
    for made in _candidates(graph):
        if made is not None and measure(made) < measure(graph):
            yield made


def _candidates(graph: Graph) -> Iterator[Graph | None]:
    if len(graph.nodes) > 1:
        for at in range(len(graph.nodes)):
            yield _without(graph, at)
    yield from _narrower(graph)
    for axis in range(2, max((len(type.shape) for _, type in graph.inputs), default=2)):
        yield from _resized(graph, axis)
    for at, node in enumerate(graph.nodes):
        for op in _simpler_ops(node.op):
            yield _with(graph, at, op)
    yield from _resized(graph, 0)
    yield from _resized(graph, 1)


def _less(n: int, least: int) -> list[int]:
    """Smaller numbers to try."""
    return sorted({v for v in (least, least + 1, (n + least) // 2, n - 1) if least <= v < n})


def _resized(graph: Graph, axis: int) -> Iterator[Graph | None]:
    """Inputs with fewer positions along an axis; those of the same size shrink together."""
    sizes = {int(type.shape[axis]) for _, type in graph.inputs if len(type.shape) > axis}
    for n in sorted(sizes, reverse=True):
        for less in _less(n, 1):
            inputs = tuple(
                (name, TensorType(t.dtype, (*t.shape[:axis], less, *t.shape[axis + 1 :])))
                if len(t.shape) > axis and t.shape[axis] == n
                else (name, t)
                for name, t in graph.inputs
            )
            yield _rebuilt(graph, inputs, [node.op for node in graph.nodes])


def _narrower(graph: Graph) -> Iterator[Graph | None]:
    """A single convolution with fewer channels in and out, as many groups or fewer."""
    if len(graph.nodes) != 1 or not hasattr(graph.nodes[0].op, "out_channels"):
        return
    (node,), ((name, type),) = graph.nodes, graph.inputs
    op: Any = node.op
    for groups in (1, 2, op.groups):
        for share in (1, 2):
            shape = (type.shape[0], groups * share, *type.shape[2:])
            made = replace(op, groups=groups, out_channels=groups)
            yield _rebuilt(graph, ((name, TensorType(type.dtype, shape)),), [made])


def _simpler_ops(op: Any) -> Iterator[Any]:
    names = {field.name for field in fields(op)}
    if "window" in names:
        for window in _simpler_windows(op.window):
            yield replace(op, window=window)
    if "bias" in names and op.bias:
        yield replace(op, bias=False)
    if "groups" in names:
        for groups in _less(op.groups, 1):
            yield replace(op, groups=groups)
    if "out_channels" in names:
        for channels in _less(op.out_channels, op.groups):
            yield replace(op, out_channels=channels)
    if "out_features" in names:
        for features in _less(op.out_features, 1):
            yield replace(op, out_features=features)


def _simpler_windows(window: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """All axes changed alike, then one at a time."""
    for name in ("stride", "dilation", "pad", "output_pad", "size"):
        plain = {"pad": (0, 0), "output_pad": 0}.get(name, 1)
        if hasattr(window[0], name):
            yield tuple(replace(axis, **{name: plain}) for axis in window)
    for at, axis in enumerate(window):
        for made in _simpler_axes(axis):
            yield (*window[:at], made, *window[at + 1 :])


def _simpler_axes(axis: Any) -> Iterator[Any]:
    for name in ("stride", "dilation", "size"):
        for less in _less(getattr(axis, name), 1):
            yield replace(axis, **{name: less})
    begin, end = axis.pad
    for pad in ((0, 0), (0, end), (begin, 0), (0, 1), (1, 0), (min(begin, end),) * 2):
        yield replace(axis, pad=pad)
    if getattr(axis, "output_pad", 0):
        yield replace(axis, output_pad=0)


def _with(graph: Graph, at: int, op: Any) -> Graph | None:
    return _rebuilt(graph, graph.inputs, [op if i == at else node.op for i, node in enumerate(graph.nodes)])


def _without(graph: Graph, at: int) -> Graph | None:
    """The graph past one of its layers: what read its output reads its first input."""
    gone = graph.nodes[at]
    if not gone.inputs:
        return None
    source = gone.inputs[0]
    rest = [
        replace(node, inputs=tuple(source if name == gone.output else name for name in node.inputs))
        for node in graph.nodes
        if node is not gone
    ]
    outputs = tuple(dict.fromkeys(source if name == gone.output else name for name in graph.outputs))
    used = {name for node in rest for name in node.inputs} | {*outputs}
    inputs = tuple((name, type) for name, type in graph.inputs if name in used)
    made = {node.output for node in rest}
    if not rest or not made.issuperset(outputs):
        return None
    bare = Graph(graph.name, inputs, tuple(rest), outputs)
    return _rebuilt(bare, inputs, [node.op for node in rest])


def _rebuilt(graph: Graph, inputs: tuple[tuple[str, TensorType], ...], ops: Sequence[Any]) -> Graph | None:
    """The same wiring with other operators or sizes, its types and weights derived anew; None where that is not legal."""
    types = dict(inputs)
    nodes = []
    for node, op in zip(graph.nodes, ops, strict=True):
        shapes = [types[name].shape for name in node.inputs]
        try:
            shape = op.out_shape(*shapes)
            weights = op.weight_shapes(*shapes)
        except Refusal:
            return None
        if any(not isinstance(n, int) or n < 1 for n in shape) or any(n < 1 for s in weights.values() for n in s):
            return None
        type = TensorType(node.type.dtype, shape)
        types[node.output] = type
        nodes.append(replace(node, op=op, type=type, params=_params(node, weights)))
    return Graph(graph.name, tuple(inputs), tuple(nodes), graph.outputs)


def _params(node: Node, weights: dict[str, tuple[int, ...]]) -> tuple[tuple[str, Param], ...]:
    old = dict(node.params)
    made = []
    for role, shape in weights.items():
        name = f"{node.name}.{role}"
        dtype = old[role].dtype if role in old else node.type.dtype
        made.append((role, Param(name, dtype, shape, Initial(name, shape))))
    return tuple(made)
