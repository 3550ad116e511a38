"""What is legal but seldom meant: pixels nobody reads, holes in receptive fields, weights that do nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnxconv.cost import Costs
from onnxconv.geometry import Axis, Reach
from onnxconv.graph import Graph, Node, TensorType
from onnxconv.ops import AveragePool, BatchNorm, Conv, ConvTranspose, Dense, LpPool, MaxPool
from onnxconv.receptive import Sight, Sighted, Sights

__all__ = ["PADDING_SHARE", "RULES", "Advice", "Adviser"]

PADDING_SHARE = 0.25
"""The share of a layer's taps on padding above which it is worth a word."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing worth a look: a stable code, the layer, and a sentence with the numbers."""

    code: str
    layer: str
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at: of a whole graph, and what is seen around one node."""

    types: Mapping[str, TensorType]
    readers: Mapping[str, Sequence[Node]]
    outputs: frozenset[str]
    costs: Costs
    read: tuple[str, ...]
    """The inputs of the node whose values matter."""
    sights: Mapping[str, Sights]
    """What they see, and what the node's output does."""


class Adviser:
    """Gives advice on the nodes of a graph, in their order. What is passed on along the graph is said where it begins."""

    def __init__(self, graph: Graph, spent: Costs) -> None:
        readers: defaultdict[str, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            for tensor in node.inputs:
                readers[tensor].append(node)
        self._whole = graph.types(), readers, frozenset(graph.outputs), spent
        self._told: dict[str, set[str]] = {code: set() for code, _, lasts in RULES if lasts}

    def on(self, at: Sighted) -> Iterator[Advice]:
        """All advice on one node."""
        node, facts = at.node, Facts(*self._whole, at.read, at.seen)
        for code, rule, lasts in RULES:
            known = lasts and not self._told[code].isdisjoint(node.inputs)
            message = "" if known else rule(node, facts)
            if lasts and (known or message):
                self._told[code].add(node.output)
            if message:
                yield Advice(code, node.name, message)


def _windows(node: Node, facts: Facts) -> Iterator[tuple[int, Axis, int]]:
    """(axis counted from 0, window, pixels) for the spatial axes of known size of a sliding window."""
    if isinstance(node.op, Conv | MaxPool | AveragePool | LpPool):
        sizes = facts.types[node.inputs[0]].spatial
        for at, (axis, n) in enumerate(zip(node.op.window, sizes, strict=True)):
            if isinstance(n, int):
                yield at, axis, n


def _fields(tensor: str, facts: Facts) -> Iterator[tuple[str, int, Sight, int | None]]:
    """(input, its spatial axis counted from 0, what `tensor` sees of it, positions along it of `tensor` if known)."""
    shape = facts.types[tensor].shape
    for name, found in facts.sights[tensor].items():
        for at, sight in enumerate(found):
            n = 1 if sight.axis is None else shape[sight.axis]
            yield name, at, sight, n if isinstance(n, int) else None


def _along(at: int) -> str:
    return f"along spatial axis {at}"


def _dropped_pixels(node: Node, facts: Facts) -> str:
    lost = [(at, axis.unused_end(n), n) for at, axis, n in _windows(node, facts) if axis.stride <= axis.extent]
    said = [f"the last {count} of {n} pixels {_along(at)}" for at, count, n in lost if count]
    return f"no window reads {' and '.join(said)}; pad the end, or use sizes that fit" if said else ""


def _skipped_pixels(node: Node, facts: Facts) -> str:
    if not isinstance(node.op, Conv):
        return ""
    gaps = [(at, axis) for at, axis, n in _windows(node, facts) if axis.stride > axis.extent and n > axis.extent]
    said = [f"{axis.extent} of every {axis.stride} pixels {_along(at)}" for at, axis in gaps]
    return f"it reads {' and '.join(said)}, and skips the rest; a kernel of the stride's size reads all" if said else ""


def _dead_on_padding(node: Node, facts: Facts) -> str:
    blind = [(at, axis.blind(n), int(axis.out_size(n))) for at, axis, n in _windows(node, facts)]
    said = [f"{count} of {outs} outputs {_along(at)}" for at, count, outs in blind if count]
    return f"{' and '.join(said)} read nothing but padding; pad less than the window's extent" if said else ""


def _padding_heavy(node: Node, facts: Facts) -> str:
    cost = facts.costs.layers[node.name]
    if not cost.macs or cost.valid_macs is None or cost.valid_macs >= (1 - PADDING_SHARE) * cost.macs:
        return ""
    share = 100 * (cost.macs - cost.valid_macs) / cost.macs
    return f"{share:.0f} % of its multiply-adds are on padding ({cost.macs - cost.valid_macs} of {cost.macs})"


def _even_kernel_same(node: Node, facts: Facts) -> str:
    uneven = [
        f"a kernel of {axis.size} padded [{axis.pad[0]}, {axis.pad[1]}] {_along(at)}"
        for at, axis, _ in _windows(node, facts)
        if axis.stride == 1 and axis.extent % 2 == 0 and abs(axis.pad[0] - axis.pad[1]) == 1
        and sum(axis.pad) == axis.extent - 1 and axis.pad[1]  # a causal window looks back on purpose
    ]  # fmt: skip
    return f"{' and '.join(uneven)} shifts the picture by half a pixel; odd kernels do not" if uneven else ""


def _checkerboard(node: Node, _: Facts) -> str:
    if not isinstance(node.op, ConvTranspose):
        return ""
    uneven = [(at, axis) for at, axis in enumerate(node.op.window) if len(axis.overlaps()) > 1]
    said = [
        f"kernel {axis.size} with stride {axis.stride} reaches neighbouring outputs {_along(at)} with "
        f"{' or '.join(map(str, axis.overlaps()))} taps"
        for at, axis in uneven
    ]
    return f"{'; '.join(said)}: a checkerboard. Use a kernel divisible by the stride" if said else ""


def _useless_bias(node: Node, facts: Facts) -> str:
    if not isinstance(node.op, Conv | ConvTranspose | Dense) or not node.op.bias or node.output in facts.outputs:
        return ""
    readers = facts.readers.get(node.output, ())
    if not readers or not all(isinstance(reader.op, BatchNorm) for reader in readers):
        return ""
    count = sum(param.learned for role, param in node.params if role == "bias")
    return f"batch norm {readers[0].name!r} subtracts its bias again: {count} numbers for nothing; write bias: false"


def _gridding(node: Node, facts: Facts) -> str:
    if not isinstance(node.op, Conv) or all(axis.dilation == 1 for axis in node.op.window):
        return ""
    before = {(name, at): sight.reach for name, at, sight, _ in _fields(node.inputs[0], facts)}
    for name, at, sight, outputs in _fields(node.output, facts):
        if sight.axis is None or sight.axis < 2 or node.op.window[sight.axis - 2].dilation == 1:
            continue
        size, samples = sight.reach.size(outputs), sight.reach.samples(outputs)
        was, seen = before[name, at].size(outputs), before[name, at].samples(outputs)
        if not size or samples is None or was is None or seen is None:
            continue
        if seen < was and samples < size:
            return (
                f"dilations with a common factor leave holes: of the {size} pixels of {name!r} under its receptive field "
                f"{_along(at)} it sees {samples}; vary the dilations, such as 1, 2, 5"
            )
    return ""


def _field_beyond_input(node: Node, facts: Facts) -> str:
    for name, at, sight, outputs in _fields(node.output, facts):
        size, n = sight.reach.size(outputs), facts.types[name].shape[sight.source]
        if size is not None and isinstance(n, int) and size > n > 1:
            return f"from here on the receptive field {_along(at)} ({size} pixels) is larger than input {name!r} ({n} pixels)"
    return ""


def _misaligned_join(node: Node, facts: Facts) -> str:
    for name, at, sight, _ in _fields(node.output, facts):
        paths = [facts.sights[tensor][name][at].reach for tensor in facts.read if name in facts.sights[tensor]]
        if not sight.reach.aligned and not sight.reach.whole and not _end_together(paths):
            return f"its paths see input {name!r} {_along(at)} with different centres or strides; match their pads and strides"
    return ""


def _end_together(paths: Sequence[Reach]) -> bool:
    """The last pixel that they see is the same for each position: so causal paths of different length meet, on purpose."""
    strides = {path.stride() for path in paths}
    if len(strides) > 1 or None in strides:
        return False
    seen = ((path.at(o) for path in paths) for o in range(math.lcm(*(len(path.fields[0].phases) for path in paths))))
    return all(len({first + mask.bit_length() for first, mask in ends if mask}) <= 1 for ends in seen)


def _sees_nothing(node: Node, facts: Facts) -> str:
    before = {name for tensor in facts.read for name in facts.sights[tensor]}
    lost = sorted(before - set(facts.sights[node.output]))
    return (
        f"it sees nothing of input {', '.join(map(repr, lost))}: its stride steps over all that an upsampling filled"
        if lost
        else ""
    )


RULES: tuple[tuple[str, Callable[[Node, Facts], str], bool], ...] = (
    ("dropped-pixels", _dropped_pixels, False),
    ("skipped-pixels", _skipped_pixels, False),
    ("dead-on-padding", _dead_on_padding, False),
    ("padding-heavy", _padding_heavy, False),
    ("even-kernel-same", _even_kernel_same, False),
    ("checkerboard", _checkerboard, False),
    ("bias-before-batch-norm", _useless_bias, False),
    ("gridding", _gridding, True),
    ("field-beyond-input", _field_beyond_input, True),
    ("misaligned-join", _misaligned_join, True),
    ("sees-nothing", _sees_nothing, False),
)
"""(code, rule, lasts): a rule gives a sentence or nothing; what lasts holds for all that follows and is said once."""
