"""A graph of ours computed by PyTorch, operator by operator, as whoever writes such a network in PyTorch would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from onnxconv import ops
from onnxconv.graph import Graph, Node


class Unsupported(Exception):
    """An operator that is not written here."""


def prepared(graph: Graph, weights: Mapping[Any, np.ndarray], inputs: Mapping[str, np.ndarray]) -> Callable[[], object]:
    """A call that computes the graph's outputs. Raises `Unsupported`."""
    steps = [(node, _function(node, {r: torch.from_numpy(weights[p]) for r, p in node.params})) for node in graph.nodes]
    given = {name: torch.from_numpy(array) for name, array in inputs.items()}
    last = {name: step for step, (node, _) in enumerate(steps) for name in (node.output, *node.inputs)}

    def run() -> object:
        alive = dict(given)
        with torch.inference_mode():
            for step, (node, function) in enumerate(steps):
                alive[node.output] = function(*(alive[name] for name in node.inputs))
                for name in {node.output, *node.inputs} - set(graph.outputs):
                    if last[name] == step:
                        del alive[name]
        return [alive[name] for name in graph.outputs]

    return run


def _padded(op: Any, value: float = 0.0) -> tuple[Callable[[Any], Any], tuple[int, ...]]:
    """What pads an input where the pads are uneven, and the even pads that are left to the operator."""
    if all(a.pad[0] == a.pad[1] for a in op.window):
        return lambda x: x, tuple(a.pad[0] for a in op.window)
    pads = [n for a in reversed(op.window) for n in a.pad]
    return lambda x: functional.pad(x, pads, value=value), (0,) * len(op.window)


def _window(op: Any) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]:
    return *(tuple(getattr(a, f) for a in op.window) for f in ("size", "stride", "dilation")), len(op.window)


def _function(node: Node, w: Mapping[str, Any]) -> Callable[..., Any]:
    op = node.op
    match op:
        case ops.Conv():
            _, stride, dilation, rank = _window(op)
            pad, even = _padded(op)
            conv = (functional.conv1d, functional.conv2d, functional.conv3d)[rank - 1]
            return lambda x: conv(pad(x), w["weight"], w.get("bias"), stride, even, dilation, op.groups)
        case ops.ConvTranspose():
            _, stride, dilation, rank = _window(op)
            even, more = tuple(a.pad[0] for a in op.window), tuple(a.output_pad for a in op.window)
            spread = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[rank - 1]
            return lambda x: spread(x, w["weight"], w.get("bias"), stride, even, more, op.groups, dilation)
        case ops.MaxPool():
            size, stride, dilation, rank = _window(op)
            pad, even = _padded(op, -np.inf)
            pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[rank - 1]
            return lambda x: pool(pad(x), size, stride, even, dilation)
        case ops.AveragePool() if all(a.pad[0] == a.pad[1] and a.dilation == 1 for a in op.window):
            size, stride, _, rank = _window(op)
            mean = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[rank - 1]
            return lambda x: mean(x, size, stride, _padded(op)[1], False, op.count_include_pad)
        case ops.BatchNorm():
            roles = ("running_mean", "running_var", "weight", "bias")
            return lambda x: functional.batch_norm(x, *(w[role] for role in roles), eps=op.epsilon)
        case ops.Dense():
            return lambda x: functional.linear(x, w["weight"], w.get("bias"))
        case ops.Concat():
            return lambda *xs: torch.cat(xs, op.axis)
        case ops.GlobalAveragePool():
            return lambda x: x.mean(tuple(range(2, x.ndim)), keepdim=True)
        case ops.Clip():
            return lambda x: torch.clamp(x, op.low, op.high)
        case ops.Softmax():
            return lambda x: torch.softmax(x, op.axis)
        case ops.Flatten():
            return lambda x: x.flatten(op.axis)
        case ops.Add():
            return lambda *xs: sum(xs[1:], xs[0])
        case ops.ChannelShuffle():
            return lambda x: functional.channel_shuffle(x, op.groups)
        case ops.Slice() if len(op.ranges) == 1 and min(op.ranges[0].step, op.ranges[0].start + 1) > 0:
            (part,) = op.ranges
            before = (slice(None),) * part.axis
            return lambda x: x[(*before, part.slice())]
    simple = {
        ops.Relu: torch.relu,
        ops.Sigmoid: torch.sigmoid,
        ops.Tanh: torch.tanh,
        ops.Silu: functional.silu,
        ops.HardSwish: functional.hardswish,
        ops.HardSigmoid: functional.hardsigmoid,
        ops.Mul: torch.mul,
        ops.Identity: lambda x: x,
    }
    if type(op) in simple:
        return simple[type(op)]
    raise Unsupported(op.kind)
