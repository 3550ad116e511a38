"""A network's weights, chosen layer by layer while the reference runs, and what is known of every sum: the plan of `routing`."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

import numpy as np

from onnxconv.dtypes import DTYPES
from onnxconv.graph import Graph, Node
from onnxconv.verify.ahead import Ahead, ahead, consumers
from onnxconv.verify.coverage import Seen, alive, observed
from onnxconv.verify.draw import Stream
from onnxconv.verify.integers import bell, fitted, held, stored_integers, whole
from onnxconv.verify.layer import CHOSEN, NEVER_EXACT, raw, route
from onnxconv.verify.level import PLAIN, levels
from onnxconv.verify.means import MEANS
from onnxconv.verify.multiples import ANYTHING, Multiples, multiples
from onnxconv.verify.route import Routed, bits_of, largest_errors, route_matrix
from onnxconv.verify.signal import Signal, channels, hole
from onnxconv.verify.sizes import concrete, terms
from onnxconv.verify.taps import gathered
from onnxconv.verify.words import PRODUCTS, Array
from onnxconv.weights import Weights

__all__ = ["Plan", "aimed", "plan", "plan_in_multiples", "separate"]

LARGE = 1 << 33
"""Terms summed for one image above which one image is routed, not two."""
NARROWER = (10, 6)
"""Bits of the inputs when wider ones use up the significand on the way, those of a unit included."""
LEAST = 2
"""Bits of an input in whole multiples, beyond those of its unit."""
ROOMS = (16, 8, 4)
"""Bits by which sums of several channels may grow beyond the narrowest inputs."""


@dataclass(frozen=True)
class Plan:
    """Inputs, weights by parameter name, and what must come out.

    `dead`: outputs that no input reaches. `inexact`: the first layer that rounds, if any does.
    """

    inputs: dict[str, Array]
    arrays: dict[str, Array]
    outputs: dict[str, Signal]
    dead: tuple[str, ...]
    seen: Seen
    inexact: str

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        outputs = (a for y in self.outputs.values() for a in (y.value, y.terms, y.slack()))
        return sum(a.nbytes for a in (*self.inputs.values(), *self.arrays.values(), *outputs))


Tell: TypeAlias = "Callable[[float, str], None]"
"""Hears how far the walk has come, from 0 to 1, and where it is."""


def _silent(_done: float, _text: str) -> None:
    return None


def plan(graph: Graph, weights: Weights, seed: int, tell: Tell = _silent, *, gather: bool = False) -> Plan:
    """The plan with the widest inputs whose sums are all exact; else that with the narrowest.

    `weights`: what layers have that are not routed, such as gates. `gather`: where the network narrows, filters sum several
    channels if that is exact.
    """
    could = {node.name for node in graph.nodes if node.op.kind not in (*NEVER_EXACT, *MEANS)}
    widest = _input_bits(graph)
    tries = [(NARROWER[-1], room) for room in ROOMS if gather]
    tries += [(bits, 0) for bits in (widest, *(b for b in NARROWER if b < widest))]
    for bits, room in tries:
        exact = could if (bits, room) != tries[-1] else set()
        if made := _Walk(graph, weights, seed, bits, room).through(tell, exact):
            return made
        tell = _silent
    raise AssertionError("the last plan is taken as it is")


def plan_in_multiples(graph: Graph, weights: Weights, seed: int, tell: Tell = _silent) -> Plan | None:
    """The plan in which averages over counts other than 2^k are exact too: see `multiples`. None where there is none.

    Nothing rounds in it up to the first layer that is never exact, but for what no filter reads.
    """
    aim = aimed(graph, seed)
    if aim is None:
        return None
    exact = {node.name for node in graph.nodes if node.op.kind not in NEVER_EXACT}
    longer = bits_of(max(aim.units.get(name, 1) for name, _ in graph.inputs))
    widest = _input_bits(graph)
    narrower = sorted({max(LEAST, bits - longer) for bits in (widest, *NARROWER) if bits <= widest}, reverse=True)
    for halved, bits in product((False, True), narrower):
        made = _Walk(graph, weights, seed, bits, aim=replace(aim, halved=halved)).through(tell, exact)
        if made and not made.dead:
            return made
        tell = _silent
    return None


def aimed(graph: Graph, seed: int) -> Multiples | None:
    """What is asked of the tensors in whole multiples, if anything is to be gained."""
    return multiples(graph, _shapes(graph), seed)


def separate(graph: Graph) -> Graph:
    """The graph in which each layer whose weights are chosen has vectors of its own: exporters store equal ones once."""
    seen: set[str] = set()
    nodes = []
    for node in graph.nodes:
        mine = node.op.kind in CHOSEN
        params = tuple(
            (role, replace(p, name=f"{p.name} of {node.name}") if mine and p.name in seen and len(p.shape) == 1 else p)
            for role, p in node.params
        )
        seen.update(p.name for _, p in node.params)
        nodes.append(replace(node, params=params))
    return replace(graph, nodes=tuple(nodes))


_FORGOTTEN = Signal(np.zeros(0), 0, np.zeros(0))


class _Walk:
    """A run of the reference through a graph, in which each layer's weights are chosen when its inputs are known."""

    def __init__(
        self, graph: Graph, weights: Weights, seed: int, bits: int, room: int = 0, aim: Multiples = ANYTHING
    ) -> None:
        self.graph, self.weights, self.reading, self.levels = graph, weights, consumers(graph), levels(graph, weights)
        self.shapes, self.aim = _shapes(graph), aim
        self.stream = Stream("routing", seed, *["in multiples"] * bool(aim.units))
        self.taps = gathered(graph, self.shapes, room)
        self.constants = held(graph, weights, self.stream, self.levels)
        self.inputs = {name: self._input(name, type.dtype, bits) for name, type in graph.inputs}
        self.arrays = stored_integers(graph, weights)
        self.values = {name: raw(x.astype(np.float64)) for name, x in self.inputs.items()}
        self.live = {name: np.ones(channels(x.value.shape), bool) for name, x in self.values.items()}
        self.routes: dict[str, Routed] = {}
        self.gains: dict[str, Array] = {}
        self.inexact = ""

    def _input(self, name: str, dtype: str, bits: int) -> Array:
        limits = ahead(name, self.reading, self.constants)
        drawn = _input(self.shapes[name], dtype, bits, self.stream)
        if unit := self.aim.units.get(name):
            drawn = drawn * drawn.dtype.type(unit)
        if limits.quantised:
            drawn = fitted(bell(self.shapes[name], drawn.dtype.name, self.stream), limits.low, limits.high)
        return drawn

    def enter(self, node: Node) -> None:
        """Choose the layer's weights, compute it, and note what is known of it."""
        self._fit_matrix(node)
        xs = self._read(node)
        routed = self._routed(node, xs)
        y = routed.y
        self.arrays |= {param.name: routed.weights[role] for role, param in node.params}
        if y.error is not None and node.output not in self.aim.blurred:
            self.inexact = self.inexact or node.name
        self.values[node.output] = y
        beyond = np.zeros(channels(y.value.shape), bool)  # constants do not depend on the input
        reached = [self.live[name] for name in node.inputs]
        self.live[node.output] = alive(node, y, routed, reached, xs) if node.inputs else beyond
        if routed.gain is not None:
            self.gains[node.output] = routed.gain
        self.routes[node.name] = replace(routed, y=_FORGOTTEN, weights={})

    def _read(self, node: Node) -> list[Signal]:
        """What a layer reads. In whole multiples filters read no channel that is off by an error, or tells nothing."""
        xs = [self.values[name] for name in node.inputs]
        free = not any(param.name in self.arrays for _, param in node.params)
        if self.aim.units and free and node.op.kind in PRODUCTS:
            xs[0] = replace(xs[0], error=None, closed=~self.live[node.inputs[0]] | (largest_errors(xs[0]) > 0))
        return xs

    def _fit_matrix(self, node: Node) -> None:
        """A constant matrix that only this layer multiplies by is chosen like the kernel of a dense layer."""
        name = node.inputs[-1] if node.op.kind == "MatMul" else ""
        array = self.constants.get(name)
        if array is None or array.ndim != 2 or len(self.reading[name]) > 1 or name in self.graph.outputs:
            return
        (param,) = (p for n in self.graph.nodes if n.output == name for _, p in n.params)
        if sum(param in dict(n.params).values() for n in self.graph.nodes) > 1:  # other layers have it too
            return
        chosen = route_matrix(array, self.values[node.inputs[0]], self._next(node), self.stream)
        self.arrays[param.name], self.values[name] = chosen, raw(chosen.astype(np.float64))

    def _next(self, node: Node) -> Ahead:
        limits = ahead(node.output, self.reading, self.constants, self.shapes)
        unit = self.aim.units.get(node.output, 1)
        level = self.levels.get(node.output, PLAIN)
        return replace(limits, level=level, unit=unit, halved=self.aim.halved)

    def _routed(self, node: Node, xs: Sequence[Signal]) -> Routed:
        if node.output in self.constants:
            array = self.constants[node.output]
            return Routed(raw(array.astype(np.float64)), {"value": array})
        if node.output in self.aim.refused:
            return Routed(hole(self.shapes[node.output]), {})
        own = {role: self.weights[param] for role, param in node.params} if node.op.kind not in CHOSEN else {}
        gain = self.gains.get(node.inputs[0]) if node.inputs else None
        return route(node, xs, self._next(node), gain, own, self.arrays, self.stream, self.taps.get(node.name, 1))

    def through(self, advance: Tell, exact: Container[str] = ()) -> Plan | None:
        """All layers in order; a tensor is forgotten after its last reader. None where one rounds that is to be exact."""
        graph = self.graph
        last = {name: step for step, node in enumerate(graph.nodes) for name in node.inputs}
        for step, node in enumerate(graph.nodes):
            advance(step / len(graph.nodes), f"routing: {node.name}")
            self.enter(node)
            if self.inexact in exact:
                return None
            done = {name for name in node.inputs if last[name] == step} | ({node.output} - last.keys())
            for name in done.difference(graph.outputs):
                del self.values[name]
        outputs = {name: self.values[name] for name in graph.outputs}
        dead = tuple(name for name in graph.outputs if not self.live[name].any())
        seen = observed(graph, self.shapes, self.routes, self.live)
        return Plan(self.inputs, self.arrays, outputs, dead, seen, self.inexact)


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """For two images, or one of a large network."""
    return concrete(graph, 2 if terms(graph, concrete(graph, 1)) < LARGE else 1)


def _input_bits(graph: Graph) -> int:
    """Room is left for sums: a bit for each addition behind clips, which scale down again, half a bit elsewhere."""
    kinds = [node.op.kind for node in graph.nodes]
    clipped = "Clip" in kinds
    growing = kinds.count("Add") if clipped else kinds.count("Add") // 2
    floats = [of for _, type in graph.inputs if (of := DTYPES[type.dtype]).family == "float"]
    room = min((of.significand for of in floats), default=DTYPES["float32"].significand) - 6
    return max(1, room - 2, min(room, room + 1 - growing)) if room < 16 else max(4, (16 if clipped else 18) - growing)


def _input(shape: tuple[int, ...], dtype: str, bits: int, stream: Stream) -> Array:
    """Integers of so many bits without 0, or over the whole range of an integer type."""
    if DTYPES[dtype].family == "float":
        return stream.filled(shape, 1 << (bits - 1), dtype)
    return whole(shape, dtype, stream)
