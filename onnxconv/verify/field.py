"""Probe `field`: an output depends on no pixel outside its receptive field, whatever stands there.

Everything that a position is not reported to see is made large; what the runtime computes at that position must not change
by a bit. (NaN would blame runtimes that multiply what is outside by 0, as onnx's reference evaluator does.) Then pixels at the borders of its field are made huge, one at a time: where the output changes, that border is
seen, as the report says. A ReLU may stand in the way of that, so that it is told and not demanded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnxconv.box import View, views
from onnxconv.dtypes import DTYPES, FLOATS
from onnxconv.errors import UsageError
from onnxconv.graph import Graph, Node, TensorType, shapes_of
from onnxconv.receptive import Sights, sights
from onnxconv.verify.case import Case, outputs_of
from onnxconv.verify.draw import Stream, real
from onnxconv.verify.judge import settled
from onnxconv.verify.sizes import concrete, pinned, terms
from onnxconv.verify.verdict import Divergence, Finding, Verdict
from onnxconv.verify.words import Array

__all__ = ["applies", "field"]

LOOKED_AT = 8
"""Tensors, spread over the network, at whose first and middle positions is looked."""
BUDGET = 1 << 35
"""Terms summed in all runs together."""
LARGE = 2.0**24
"""What stands outside: enough to show in the last bit of anything, and not to overflow on its way."""
HUGE = 2.0**40


@dataclass(frozen=True)
class _Look:
    """A position of a layer's tensor, and for each input which of its elements that position sees."""

    node: Node
    position: tuple[int, ...]
    seen: Mapping[str, Array]

    def at(self, tensor: Array) -> Array:
        index: tuple[Any, ...] = (slice(None), slice(None), *self.position)
        found: Array = tensor[index]
        return found


def applies(graph: Graph) -> bool:
    """Inputs are floating-point numbers, and some position does not see all of them."""
    if not all(type.dtype in FLOATS for _, type in graph.inputs):
        return False
    return next(_looks(pinned(graph)), None) is not None


def field(case: Case) -> Iterator[Finding]:
    """One finding for the whole model: the first position that depends on what it cannot see, or that none does."""
    graph = pinned(case.graph)
    looks = _affordable(graph, tuple(_looks(graph)))
    if not looks:
        yield Finding(case.output, Verdict.UNTRUSTED, "every position that was looked at sees the whole input")
        return
    shown = tuple(dict.fromkeys((*graph.outputs, *(look.node.output for look in looks))))
    model = replace(graph, outputs=shown)
    case.bench.load(model, case.weights)
    inputs = {
        name: real("normal", tuple(map(int, type.shape)), type.dtype, Stream("field", case.seed, name))
        for name, type in graph.inputs
    }
    base = outputs_of(case.bench, model, inputs)
    elements = borders = met = 0
    for done, look in enumerate(looks):
        case.advance(done / len(looks), f"field: {look.node.name}")
        spoilt = {name: np.where(look.seen[name], x, _of_size(LARGE, x)) for name, x in inputs.items()}
        before, after = (
            look.at(base[look.node.output]),
            look.at(outputs_of(case.bench, model, spoilt)[look.node.output]),
        )
        elements += before.size
        wrong = _differs(before, after)
        if wrong.any():
            yield _blamed(case, look, before, after, wrong, elements)
            return
        for changed in _borders(look, inputs):
            borders += 1
            got = look.at(outputs_of(case.bench, model, changed)[look.node.output])
            met += bool(_differs(before, got).any())
    note = f"{len(looks)} positions of {len({look.node.name for look in looks})} layers depend on nothing outside their fields"
    note += f"; {met} of {borders} borders of fields were seen to matter"
    yield Finding(case.output, Verdict.PASS, "", 0, elements, note=note)


def _affordable(graph: Graph, looks: tuple[_Look, ...]) -> tuple[_Look, ...]:
    """As many as `BUDGET` allows, the last of all among them: each takes three runs."""
    most = max(1, BUDGET // (3 * max(1, terms(graph, concrete(graph, 1)))))
    return looks[:: -max(1, -(-len(looks) // most))][::-1]


def _of_size(size: float, x: Array) -> Array:
    """Numbers of that size, or a quarter of the largest there is, with the signs of x."""
    found: Array = np.copysign(np.asarray(min(size, DTYPES[x.dtype.name].high / 4), x.dtype), x)
    return found


def _differs(one: Array, other: Array) -> Array:
    differs: Array = (one != other) & ~(np.isnan(one) & np.isnan(other))
    return differs


def _blamed(case: Case, look: _Look, before: Array, after: Array, wrong: Array, elements: int) -> Finding:
    image, channel = (int(i) for i in np.argwhere(wrong)[0])
    index = (image, channel, *look.position)
    got, expected = float(after[image, channel]), float(before[image, channel])
    what = (
        f"layer {look.node.name!r} ({look.node.op.kind}): its output at {list(index)} depends on pixels outside its "
        f"receptive field: {got!r} instead of {expected!r} when they are large"
    )
    inputs = {name for name, _ in case.graph.inputs}
    if not inputs.issuperset(look.node.inputs):
        return Finding(
            case.output, Verdict.FAIL, f"{what}; it or a layer before it reads too far", int(wrong.sum()), elements
        )
    divergence = Divergence(look.node.name, look.node.op.kind, index, got, expected, 0.0)
    return Finding(case.output, Verdict.FAIL, what, int(wrong.sum()), elements, first_divergence=divergence)


def _looks(graph: Graph) -> Iterator[_Look]:
    """First and middle positions of tensors spread over the network, where they do not see all there is."""
    every = sights(graph)
    blurred = _blurred(graph)
    spatial = [node for node in graph.nodes if node.type.spatial and _partial(every[node.output])]
    spatial = [node for node in spatial if node.output not in blurred]
    for node in spatial[:: max(1, -(-len(spatial) // LOOKED_AT))] + spatial[-1:]:
        sizes = tuple(int(n) for n in node.type.spatial)
        moving = {sight.axis for found in every[node.output].values() for sight in found if sight.axis is not None}
        if not moving.issubset(range(2, 2 + len(sizes))):
            continue
        for position in dict.fromkeys((tuple(0 for _ in sizes), tuple(n // 2 for n in sizes))):
            try:
                (view,) = views(graph, [(node.name, position)])
            except UsageError:  # it moves along fewer axes
                continue
            seen = {
                name: _mask(type, view, name, [s.source for s in every[node.output].get(name, ())])
                for name, type in graph.inputs
            }
            if not all(mask.all() for mask in seen.values()) and any(mask.any() for mask in seen.values()):
                yield _Look(node, position, seen)


def _blurred(graph: Graph) -> set[str]:
    """Tensors behind a weighted resize, or one whose positions lie between two pixels but for rounding.

    The weights around a position that are 0 are so but for rounding, too.
    """
    types, found = graph.types(), set[str]()
    for node in graph.nodes:
        shapes = [tuple(map(int, shape)) for shape in shapes_of(node, types)]
        zeros = [np.broadcast_to(np.zeros(()), shape) for shape in shapes]
        weighted = node.op.kind == "Resize" and (node.op.roundings(*shapes) > 0 or not settled(node, zeros))
        if weighted or not found.isdisjoint(node.inputs):
            found.add(node.output)
    return found


def _partial(found: Sights) -> bool:
    """Some axis of some input is not seen as a whole."""
    return any(not sight.reach.whole for axes in found.values() for sight in axes)


def _mask(type: TensorType, view: View, name: str, axes: list[int]) -> Array:
    """Which elements of an input are seen; all channels of a pixel are."""
    shape = tuple(int(n) for n in type.shape)
    if name not in view.inputs:
        return np.zeros(shape, bool)
    mask = np.ones(shape, bool)
    for axis, seen in zip(axes, view.inputs[name], strict=True):
        if seen.inside is None:
            continue
        along = np.zeros(shape[axis], bool)
        for first, last in seen.inside.runs():
            along[first : last + 1] = True
        mask &= along.reshape(-1, *[1] * (len(shape) - axis - 1))
    return mask


def _borders(look: _Look, inputs: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """Inputs of which one pixel at a border of the field is huge, with either sign."""
    for name, mask in look.seen.items():
        if mask.ndim < 3 or not mask.any() or mask.all():
            continue
        pixels = np.argwhere(mask.any(axis=(0, 1)))
        for pixel in (pixels[0], pixels[-1]):
            spike = np.zeros(mask.shape[2:], bool)
            spike[tuple(pixel)] = True
            x = inputs[name]
            yield {**inputs, name: np.where(spike, _of_size(HUGE, x), x)}
