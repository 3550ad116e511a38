"""Networks in float32 by plain loops: sums in any order, fused or not, batch norms folded or not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnxconv.graph import Graph, Node
from onnxconv.weights import Weights

__all__ = ["Array", "F", "evaluated", "in_order"]

Array: TypeAlias = "npt.NDArray[Any]"
Sum: TypeAlias = Callable[[Array], Array]
"""Of products of pairs [terms, 2, *outputs], in some order."""
F = np.float32


def in_order(order: str, draw: np.random.Generator, fused: bool) -> Sum:
    """Sums in float32, one term after the other: `shuffled`, or `rising` from the most negative, where partial sums are largest."""

    def total(pairs: Array) -> Array:
        left, right = pairs[:, 0].astype(F), pairs[:, 1].astype(F)
        chosen = draw.permutation(len(left))
        if order == "rising":
            ranks = np.argsort(left.astype(float) * right, axis=0)
            left, right = (np.take_along_axis(a, ranks, axis=0) for a in (left, right))
        else:
            left, right = left[chosen], right[chosen]
        acc = np.zeros(left.shape[1:], F)
        for a, b in zip(left, right, strict=True):
            acc = (acc + a.astype(float) * b).astype(F) if fused else acc + a * b
        return acc

    return total


def pairs_of_conv(node: Node, x: Array, weight: Array, extra: Array | None) -> Array:
    """What each output of a convolution sums, [terms, 2, N, M, *S], and `extra` numbers that are added to it."""
    op: Any = node.op
    window, shape = op.window, tuple(int(n) for n in op.out_shape(x.shape))
    x = np.pad(x, [(0, 0), (0, 0), *(a.pad for a in window)])
    each, per = weight.shape[1], shape[1] // op.groups
    found = []
    for c, *taps in itertools.product(range(each), *(range(a.size) for a in window)):
        cut = tuple(
            slice(k * a.dilation, k * a.dilation + (n - 1) * a.stride + 1, a.stride)
            for k, a, n in zip(taps, window, shape[2:], strict=True)
        )
        sources = [m // per * each + c for m in range(shape[1])]
        seen = x[(slice(None), sources, *cut)]
        factor = weight[(slice(None), c, *taps)].reshape(1, -1, *[1] * len(window))
        found.append(np.stack([seen, np.broadcast_to(factor, seen.shape)]))
    if extra is not None:
        found.append(np.stack(np.broadcast_arrays(extra, np.ones(shape, F))))
    return np.stack(found)


def evaluated(graph: Graph, weights: Weights, inputs: dict[str, Array], total: Sum, fold: bool) -> dict[str, Array]:
    """The graph in float32 by plain loops; with `fold`, batch norms are in the kernels before them, and additions in their sums."""
    values = dict(inputs)
    readers = {name: [n for n in graph.nodes if name in n.inputs] for name in graph.types()}
    for node in graph.nodes:
        w = {role: weights[param] for role, param in node.params}
        x, op = values[node.inputs[0]], node.op
        next_ = readers[node.output][0] if len(readers[node.output]) == 1 else None
        if op.kind == "Conv":
            weight, bias = w["weight"], w["bias"].reshape(1, -1, *[1] * (x.ndim - 2))
            if fold and next_ and next_.op.kind == "BatchNormalization":
                norm = {role: weights[param] for role, param in next_.params}
                scale = norm["weight"] / np.sqrt(norm["running_var"] + F(next_.op.epsilon))  # type: ignore[attr-defined]
                weight = weight * scale.reshape(-1, *[1] * (x.ndim - 1))
                shift = (w["bias"] - norm["running_mean"]) * scale + norm["bias"]
                bias = shift.reshape(bias.shape)
            pairs = pairs_of_conv(node, x, weight, bias)
            if fold and next_ and next_.op.kind == "Add":
                (other,) = (values[name] for name in next_.inputs if name != node.output)
                pairs = np.concatenate([pairs, np.stack([other, np.ones_like(other)])[None]])
            y = total(pairs)
        elif op.kind == "BatchNormalization":
            scale = w["weight"] / np.sqrt(w["running_var"] + F(op.epsilon))  # type: ignore[attr-defined]
            a, m, b = (v.reshape(1, -1, *[1] * (x.ndim - 2)) for v in (scale, w["running_mean"], w["bias"]))
            y = x if fold else (x - m) * a + b
        elif op.kind == "Add":
            y = x if fold else x + values[node.inputs[1]]
        elif op.kind == "ConvTranspose":  # of the network below: its taps meet no two pixels
            ones = np.einsum("nchw,cmij->nmhiwjc", x, np.ones_like(w["weight"])).astype(F)
            n, m, h, i, width, j, _ = ones.shape
            kernel = np.broadcast_to(w["weight"].transpose(1, 2, 3, 0)[None, :, None, :, None], ones.shape)
            both = np.stack([ones, kernel]).reshape(2, n, m, h * i, width * j, -1)
            bias = np.broadcast_to(w["bias"].reshape(1, -1, 1, 1, 1), (*both.shape[1:-1], 1))
            y = total(np.moveaxis(np.concatenate([both, np.stack([bias, np.ones_like(bias)])], axis=-1), -1, 0))
        else:  # nothing is rounded
            plain = {"Relu": lambda x: np.maximum(x, 0), "Clip": lambda x: np.clip(x, 0, 6)}
            y = plain[op.kind](x) if op.kind in plain else pooled_or_joined(node, values)
        values[node.output] = np.asarray(y, F)
    return {name: values[name] for name in graph.outputs}


def pooled_or_joined(node: Node, values: dict[str, Array]) -> Array:
    """Maxima of blocks of two, and tensors one after the other."""
    x = values[node.inputs[0]]
    if node.op.kind == "Concat":
        return np.concatenate([values[name] for name in node.inputs], axis=1)
    assert node.op.kind == "MaxPool"
    for axis, size in enumerate(x.shape[2:], 2):
        x = np.maximum(*(np.take(x, range(k, size - size % 2, 2), axis=axis) for k in (0, 1)))
    return x
