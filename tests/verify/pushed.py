"""Evaluations of a routed network, layer by layer, beside what is known of every tensor."""

from __future__ import annotations

import numpy as np

from onnxconv.execute import apply
from onnxconv.graph import Graph
from onnxconv.verify.plan import _Walk
from onnxconv.weights import Weights

EVALUATIONS = ("float32", "pushed")
"""In float32 as NumPy sums, and in float64 with every result that may be rounded pushed by a last bit of float32."""


def never_leaves(graph: Graph, weights: Weights, evaluation: str) -> float:
    """The worst error in units of the bound, over all layers, none of which is beyond it; nor are sums of pairs."""
    walk, draw = _Walk(graph, weights, 0, 10), np.random.default_rng(3)
    tensors: dict[str, np.ndarray] = dict(walk.inputs)
    used = 0.0
    for node in graph.nodes:
        walk.enter(node)
        y = walk.values[node.output]
        xs = [tensors[name] if name in tensors else walk.values[name].value.astype(np.float32) for name in node.inputs]
        if node.op.kind == "Constant":  # chosen by the layer that reads it
            continue
        w = {role: walk.arrays[p.name] for role, p in node.params}
        got = node.op.define(*xs, **w) if evaluation == "float32" else apply(node, xs, w)
        if evaluation == "pushed" and y.error is not None and node.op.roundings(*(x.shape for x in xs)):
            got = got * (1 + 2.0**-24 * np.sign(draw.normal(size=got.shape)))
        tensors[node.output] = got
        off = np.abs(got - y.value)
        assert (off <= y.slack()).all(), node.name
        if y.pairs is not None:
            along, apart = (np.moveaxis(a, y.pairs.axis, 0) for a in (got, y.pairs.apart))
            assert (np.abs(along[::2] + along[1::2]) <= apart[::2]).all(), node.name
        used = max(used, float((off / np.where(y.slack() > 0, y.slack(), np.inf)).max()))
    return used
