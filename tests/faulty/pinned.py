"""A fault in one layer of a random network of twelve: which layers do the probes name?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from verify.sketch import Sketch

from faulty import MUTANTS
from faulty.machine import Fault, Machine, Step, correct
from faulty.mutant import Mutant
from faulty.specs import weights
from faulty.trial import equivalent, found
from onnxconv.errors import Refusal
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph
from onnxconv.ops import Add, AveragePool, BatchNorm, Clip, Concat, Conv, ConvTranspose, LeakyRelu, MaxPool, Relu
from onnxconv.verify import Verdict

LAYERS = 12
NOT_OF_A_LAYER = ("fusion", "special values")
"""Families whose faults are between layers, or are told and not judged."""
ELSEWHERE = ("activation in place",)
"""Faults that spoil the tensor of another layer."""


def network(seed: int) -> Graph:
    """Twelve layers with branches: convolutions of any kind, norms, activations, pools, sums and concatenations."""
    draw = random.Random(seed)
    rank = draw.choice((1, 2, 2, 3))
    s = Sketch(("N", draw.choice((3, 4, 6)), *[(24, 12, 7)[rank - 1] + draw.randint(0, 2) for _ in range(rank)]))
    while len(s.nodes) < LAYERS:
        try:
            _add(draw, s, rank)
        except Refusal:
            continue
    read = {name for node in s.nodes for name in node.inputs}
    return s.graph(*(node.output for node in s.nodes if node.output not in read))


def _add(draw: random.Random, s: Sketch, rank: int) -> None:
    """One more layer behind the last one, or behind an earlier one, or a join."""
    start = draw.choice([s.last, s.last, *list(s.types)[-3:]])
    shape = s.types[start].shape
    channels, small = int(shape[1]), min(int(n) for n in shape[2:]) < 6
    match draw.choice(("conv", "conv", "conv", "up", "norm", "active", "pool", "add", "add", "concat")):
        case "conv":
            groups = draw.choice([g for g in (1, 1, 1, 2, channels) if channels % g == 0])
            size, dilation = draw.choice((1, 3, 3)), draw.choice((1, 1, 2))
            ends = (dilation * (size - 1) // 2,) * 2
            shifted = (ends[0] + 1, max(0, ends[1] - 1)) if draw.random() < 0.3 else ends
            stride = 1 if small else draw.choice((1, 1, 1, 2))
            axes = tuple(Axis(size, stride, dilation, shifted if i else ends) for i in range(rank))
            s.add(Conv(axes, groups * max(1, draw.choice((4, 6, 8)) // groups), groups, draw.random() < 0.7), start)
        case "up" if small:
            s.add(ConvTranspose((TransposedAxis(3, 2, 1, (1, 0), 0),) * rank, 4), start)
        case "norm":
            s.add(BatchNorm(), start)
        case "active":
            s.add(draw.choice((Relu(), Clip(0.0, 6.0), LeakyRelu(0.1))), start)
        case "pool" if not small:
            axes = (Axis(3, 2, 1, (1, 1)),) * rank
            s.add(draw.choice((MaxPool, AveragePool))(axes), start)
        case "add" | "concat" as kind:
            like = [n for n, t in s.types.items() if n != start and t.shape[2:] == shape[2:]]
            same = [n for n in like if s.types[n].shape == shape]
            if kind == "add" and same:
                s.add(Add(), start, draw.choice(same))
            elif kind == "concat" and like:
                s.add(Concat(1), start, draw.choice(like))


@dataclass(frozen=True)
class Trial:
    """A fault in one layer, and the layers that the probes that failed have named. `failed`: those probes."""

    seed: int
    layer: str
    mutant: str
    failed: tuple[str, ...]
    named: tuple[str, ...]

    @property
    def pinned(self) -> bool:
        return bool(self.named) and set(self.named) == {self.layer}


def trials(seeds: Iterable[int]) -> Iterator[Trial]:
    """One for each seed, with a fault that changes an output of its network: the first of 20 that are tried."""
    kinds = [m for m in MUTANTS if m.family not in NOT_OF_A_LAYER and m.name not in ELSEWHERE]
    for seed in seeds:
        draw, graph = random.Random(f"{seed} fault"), network(seed)
        arrays = weights(graph, seed)
        for mutant in draw.sample(kinds, 20):
            layer = draw.choice(graph.nodes).name
            there = Mutant(mutant.name, mutant.family, only_in(layer, mutant.fault))
            if not equivalent(graph, arrays, there):
                break
        else:
            continue
        failed: list[str] = []
        named: list[str] = []
        for probe, finding in found(graph, arrays, Machine(there.fault), seed, but=("determinism", "special")):
            if finding.verdict is Verdict.FAIL:
                failed.append(probe)
                named += [finding.first_divergence.layer] if finding.first_divergence else []
        yield Trial(seed, layer, mutant.name, tuple(failed), tuple(named))


def only_in(layer: str, fault: Fault) -> Fault:
    """The fault in one layer of a network, and nowhere else."""

    def limited(step: Step) -> object:
        return fault(step) if step.name == layer else correct(step)

    return limited  # type: ignore[return-value]
