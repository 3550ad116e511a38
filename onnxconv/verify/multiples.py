"""Networks in whole multiples, so that averages over counts which are no powers of two come out exact.

An average over n numbers does not round where each of them is a multiple of n. So every tensor gets a unit, an odd number that
all its values are to be multiples of, times a power of two: an average asks of its input its own unit times the odd part of n,
any other layer asks of its inputs what is asked of it. A unit takes bits of the significand, log2 of it: of several averages in
a row only some can be exact at once. What the others give is read by no filter, and other seeds choose others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import lcm

from onnxconv.graph import Graph, Node
from onnxconv.verify.layer import CHOSEN, NEVER_EXACT
from onnxconv.verify.means import MEANS, divisors, odd_part
from onnxconv.verify.words import PRODUCTS

__all__ = ["ANYTHING", "Multiples", "multiples", "units"]

BITS = {"float32": 10, "float64": 24}
"""The most that a unit may take of the significand. Narrower types have no room for one."""


@dataclass(frozen=True)
class Multiples:
    """`units`: of each tensor, 1 where none is named. `refused`: averages that are not to be exact; `blurred`: where they arrive.

    `halved`: activations are to cut off half of all values.
    """

    units: Mapping[str, int]
    refused: Collection[str] = ()
    blurred: Collection[str] = ()
    halved: bool = False


ANYTHING = Multiples({})
"""Nothing is asked of any tensor."""


def multiples(graph: Graph, shapes: Mapping[str, tuple[int, ...]], turn: int) -> Multiples | None:
    """The units for as many averages as fit, others for another turn.

    None where there is nothing to gain: every average is over 2^k numbers, or weights are chosen behind a layer that is
    never exact; and where the outputs cannot be exact.
    """
    behind = _after(graph, lambda node: node.op.kind in NEVER_EXACT, lambda node: True)
    if any(node.op.kind in CHOSEN and behind.intersection(node.inputs) for node in graph.nodes):
        return None
    if any(node.params and node.inputs and node.op.kind not in CHOSEN for node in graph.nodes):
        return None  # weights of its own make no multiples
    odd = {node.output: n for node in graph.nodes if node.output not in behind and (n := _odd(node, shapes)) > 1}
    most = 1 << min((BITS.get(type.dtype, 0) for _, type in graph.inputs), default=0)
    honoured = _honoured(graph, odd, turn, most)
    refused = odd.keys() - honoured
    blurred = _after(graph, lambda node: node.output in refused, lambda node: node.op.kind not in PRODUCTS)
    if not honoured or not _reaching(graph, refused) or blurred.intersection(graph.outputs):
        return None
    return Multiples(units(graph, {name: odd[name] for name in honoured}), refused, blurred)


def units(graph: Graph, odd: Mapping[str, int]) -> dict[str, int]:
    """Of each tensor that a layer reads; `odd`: what averages ask for, by their outputs."""
    found: dict[str, int] = {}
    for node in reversed(graph.nodes):
        asked = found.get(node.output, 1) * odd.get(node.output, 1)
        for name in node.inputs:
            found[name] = lcm(found.get(name, 1), asked)
    return found


def _odd(node: Node, shapes: Mapping[str, tuple[int, ...]]) -> int:
    return odd_part(divisors(node, shapes[node.inputs[0]])) if node.op.kind in MEANS else 1


def _honoured(graph: Graph, odd: Mapping[str, int], turn: int, most: int) -> list[str]:
    """Averages that no way around leads to the outputs, then the others from the outputs backwards, each turn further on."""
    names = [node.output for node in reversed(graph.nodes) if node.output in odd]
    needed = [name for name in names if not _reaching(graph, {name})]
    others = [name for name in names if name not in needed]
    at_once = len(_fitting(graph, odd, [*needed, *others], most)) - len(needed)
    start = turn * max(1, at_once) % max(1, len(others))
    return _fitting(graph, odd, [*needed, *others[start:], *others[:start]], most)


def _fitting(graph: Graph, odd: Mapping[str, int], names: Sequence[str], most: int) -> list[str]:
    """Those of the averages, the first ones first, for which no unit is too large."""
    taken: dict[str, int] = {}
    for name in names:
        more = taken | {name: odd[name]}
        if max(units(graph, more).values()) <= most:
            taken = more
    return list(taken)


def _reaching(graph: Graph, without: Collection[str]) -> bool:
    """Every output depends on an input by a way that leads through none of these tensors."""
    inputs = {name for name, _ in graph.inputs}
    found = _after(graph, lambda node: bool(inputs.intersection(node.inputs)), lambda node: True, without)
    return found.issuperset(set(graph.outputs) - inputs)


def _after(
    graph: Graph, begins: Callable[[Node], bool], passes: Callable[[Node], bool], without: Collection[str] = ()
) -> set[str]:
    """What layers give with which something begins, and those that pass it on."""
    found: set[str] = set()
    for node in graph.nodes:
        if node.output not in without and (begins(node) or (passes(node) and found.intersection(node.inputs))):
            found.add(node.output)
    return found
