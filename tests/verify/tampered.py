"""A runtime with a fault planted in one filter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from verify.in_process import InProcess

from onnxconv.graph import Graph
from onnxconv.weights import Weights, given

Edit = Callable[[np.ndarray, int], None]


class Tampered(InProcess):
    """Changes one parameter of every model on its way to the runtime."""

    def __init__(self, param: str, edit: Edit, filter: int) -> None:
        super().__init__(checked=False)
        self.param, self.edit, self.filter = param, edit, filter

    def load(self, graph: Graph, weights: Weights, *, every_tensor: bool = False) -> None:
        arrays = {p.name: weights[p].copy() for p in graph.params()}
        self.edit(arrays[self.param], self.filter)
        super().load(graph, given(arrays), every_tensor=every_tensor)


def flip(w: np.ndarray, m: int) -> None:
    w[m] = w[m][..., ::-1, ::-1].copy()


def channel(w: np.ndarray, m: int) -> None:
    w[m] = np.roll(w[m], 1, axis=0)


def slightly(w: np.ndarray, m: int) -> None:
    w[m] *= np.float32(1.001)


def sign(w: np.ndarray, m: int) -> None:
    w[m] *= -1
