"""How far the outputs of a whole network may be off when every layer errs as much as its roundings may add up to.

A bound carried through many layers of dense weights grows beyond use (NaN would pass it). So the network is run again with
an error of random sign planted in every element of every tensor. Its size is the derived bound of the layer, times λ ÷ √n
where it sums n > λ² terms: roundings of either sign add up to about √n of them, not n (Higham and Mary, SIAM J. Sci.
Comput. 41(5), 2019). This is Monte Carlo arithmetic (Parker, 1997) with sizes that are derived: a measured tolerance, not
a proven one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnxconv.dtypes import DTYPES, rounded
from onnxconv.execute import apply
from onnxconv.graph import Graph, Node
from onnxconv.verify.arithmetic import Layer, allowed
from onnxconv.verify.draw import Stream
from onnxconv.weights import Weights

__all__ = ["MARGIN", "RUNS", "measured"]

MARGIN = 2.0
"""The largest deviation seen is multiplied by this."""
RUNS = 4
"""Each with other signs."""
LAMBDA = 4.0
"""Standard deviations, of errors that were independent, which no layer is expected to exceed."""

Array: TypeAlias = "npt.NDArray[Any]"


def measured(
    graph: Graph, weights: Weights, inputs: Mapping[str, Array], expected: Mapping[str, Array], arithmetic: str
) -> dict[str, float]:
    """A tolerance for each output of a graph of known sizes, whose exact outputs are `expected`."""
    farthest = dict.fromkeys(graph.outputs, 0.0)
    for trial in range(RUNS):
        got = _disturbed(graph, weights, inputs, trial, arithmetic)
        for name in graph.outputs:
            off = np.abs(got[name].astype(np.float64) - expected[name].astype(np.float64))
            farthest[name] = max(farthest[name], float(off.max(initial=0)))
    return {name: MARGIN * far for name, far in farthest.items()}


def _disturbed(
    graph: Graph, weights: Weights, inputs: Mapping[str, Array], trial: int, arithmetic: str
) -> dict[str, Array]:
    """Every output, of a run in which each layer's result is off, by signs that depend on the trial."""
    values = dict(inputs)
    last = {name: step for step, node in enumerate(graph.nodes) for name in node.inputs}
    for step, node in enumerate(graph.nodes):
        xs, w = [values[name] for name in node.inputs], {role: weights[param] for role, param in node.params}
        y = apply(node, xs, w)
        signs = Stream("tolerance", trial, node.name).signs(y.size).reshape(y.shape)
        values[node.output] = rounded(y + signs * _error(node, xs, w, y, arithmetic), node.type.dtype)
        for name in {name for name in node.inputs if last[name] == step} - {*graph.outputs}:
            del values[name]
    return {name: values[name] for name in graph.outputs}


def _error(node: Node, xs: list[Array], w: dict[str, Array], y: Array, arithmetic: str) -> Array | float:
    """What the layer may be off by; an integer that is rounded, by one."""
    n = node.op.roundings(*(x.shape for x in xs))
    if not n:
        return 0.0
    if DTYPES[node.type.dtype].family == "integer":
        return 1.0
    with np.errstate(all="ignore"):
        found = allowed(Layer(node, xs, w, y), arithmetic)
    return min(1.0, LAMBDA / math.sqrt(n)) * np.where(np.isfinite(found), found, 0.0)
