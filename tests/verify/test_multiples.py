"""Networks in whole multiples: averages over 9, 49, … numbers that do not round, so that the output is equal bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import lcm, prod
from pathlib import Path

import numpy as np
import pytest
from verify.in_process import InProcess
from verify.sketch import Sketch, pooled, window
from verify.tampered import Edit, Tampered, channel, sign

import onnxconv
from onnxconv.graph import Graph, Node
from onnxconv.ops import (
    Add,
    AveragePool,
    BatchNorm,
    Clip,
    Concat,
    Dense,
    Flatten,
    GlobalAveragePool,
    Identity,
    Mul,
    Operator,
    ReduceMean,
    Relu,
    Sigmoid,
    Softmax,
)
from onnxconv.verify import Finding, Verdict
from onnxconv.verify.ahead import Ahead
from onnxconv.verify.case import Case
from onnxconv.verify.draw import Stream
from onnxconv.verify.layer import raw, route
from onnxconv.verify.means import divisors, odd_part
from onnxconv.verify.multiples import multiples, units
from onnxconv.verify.plan import Plan, plan, plan_in_multiples
from onnxconv.verify.routing import routing
from onnxconv.verify.signal import hole
from onnxconv.verify.sizes import concrete
from onnxconv.weights import given, seeded

SPECS = Path(__file__).parents[2] / "specs"
NINE = (3, 1, 1, 1, 1)


def classifier(activation: Operator | None = None, size: int = 14, dtype: str = "float32") -> Sketch:
    """Residual layers, a mean over a quarter of all positions, and a dense layer."""
    relu = activation or Relu()
    s = Sketch(("N", 3, size, size), dtype=dtype)
    start = s.conv_bn_relu(8, 3, 2, relu)
    s.conv_bn_relu(16, 1, 1, relu)
    s.conv_bn_relu(16, 3, 1, relu, groups=16)
    s.add(Add(), s.conv_bn_relu(8, 1, relu=None), start)
    s.conv_bn_relu(16, 1, 1, relu)
    s.add(GlobalAveragePool())
    s.add(Flatten())
    s.add(Dense(8))
    return s


def branches(count: int, counted: bool = True) -> Graph:
    """Blocks of which one branch begins with a mean over 3 × 3 positions, as in Inception."""
    s = Sketch(("N", 3, 12, 11))
    s.conv_bn_relu(8, 3)
    for _ in range(count):
        start = s.last
        left = s.conv_bn_relu(6, 3)
        s.add(AveragePool(window(NINE, NINE), counted), start)
        s.add(Concat(1), s.conv_bn_relu(4, 1), left)
    s.add(pooled(3, 2))
    s.conv(8, 3)
    return s.graph()


def exactly(graph: Graph, seed: int = 0) -> Plan:
    made = plan_in_multiples(graph, seeded(0), seed)
    assert made is not None
    assert made.inexact == ""
    assert all(y.error is None for y in made.outputs.values())
    return made


def found(graph: Graph, bench: InProcess, **more: int) -> Finding:
    (finding,) = routing(Case(graph, seeded(0), bench, **more))  # type: ignore[arg-type]
    return finding


MEANS_OF_49 = [classifier().graph(), classifier(Clip(0.0, 6.0)).graph()]
NETWORKS = [*MEANS_OF_49, branches(2), branches(2, counted=False)]


@pytest.mark.parametrize("graph", NETWORKS)
@pytest.mark.parametrize("optimised", [True, False])
def test_odd_averages_are_equal_bit_for_bit(graph: Graph, optimised: bool) -> None:
    finding = found(graph, InProcess(checked=False, optimised=optimised))
    assert finding.verdict is Verdict.PASS, finding.reason
    assert finding.note.startswith("equal bit for bit in 1 of ")
    assert "exact up to" in finding.note
    assert finding.bound_used > 0


def test_sums_of_many_branches_leave_room() -> None:
    """As in ResNet-152: activations then cut off half of the values."""
    s = Sketch(("N", 3, 7, 7))
    s.conv_bn_relu(8, 3)
    for _ in range(32):
        start = s.last
        s.conv_bn_relu(8, 1)
        s.conv_bn_relu(8, 3)
        s.add(Add(), s.conv_bn_relu(8, 1, relu=None), start)
        s.add(Relu())
    s.add(GlobalAveragePool())
    s.conv(8, 1)
    exactly(s.graph())


class Next(InProcess):
    """The last bit of every output element is another one."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.nextafter(y, np.float32(np.inf)) for name, y in super().run(inputs).items()}


@pytest.mark.parametrize("graph", NETWORKS)
def test_a_last_bit_is_a_failure(graph: Graph) -> None:
    """The carried bound would have let it pass."""
    assert found(graph, Next()).verdict is Verdict.FAIL
    rounded = plan(graph, seeded(0), 0)
    bench = Next()
    bench.load(graph, given(rounded.arrays))
    (got,), (y,) = bench.run(rounded.inputs).values(), rounded.outputs.values()
    assert (np.abs(got - y.value) <= y.slack()).any()


def by_a_thousandth(w: np.ndarray, m: int) -> None:
    w[m] *= np.float32(1.001)


def by_a_millionth(w: np.ndarray, m: int) -> None:
    w[m] *= np.float32(1 + 2.0**-20)


@pytest.mark.parametrize("edit", [by_a_thousandth, by_a_millionth, channel, sign])
@pytest.mark.parametrize("graph", [*MEANS_OF_49, branches(1)])
def test_a_fault_in_any_layer_changes_a_bit(graph: Graph, edit: Edit) -> None:
    made = exactly(graph)
    for layer, (filters, _) in made.seen.items():
        shape = next(n for n in graph.nodes if n.name == layer).params[0][1].shape
        if edit is channel and shape[1] == 1:
            continue
        (observed, *_) = np.flatnonzero(filters)
        bench = Tampered(f"{layer}.weight", edit, int(observed))
        bench.load(graph, given(made.arrays))
        (got,), (y,) = bench.run(made.inputs).values(), made.outputs.values()
        assert (got != y.value).any(), layer


def test_what_is_not_averaged_exactly_is_read_by_no_filter_and_other_seeds_average_others() -> None:
    """Of five means over 9 in a row three are exact at once."""
    graph = branches(5)
    averages = [node.output for node in graph.nodes if node.op.kind == "AveragePool"]
    readers = [node.name for name in averages for node in graph.nodes if name in node.inputs]
    taken = []
    for seed in range(2):
        aim = multiples(graph, concrete(graph, 2), seed)
        assert aim is not None
        assert len(aim.refused) == 2
        assert max(aim.units.values()) == 9**3
        seen = exactly(graph, seed).seen
        for name, reader in zip(averages, readers, strict=True):
            assert seen[reader][0].any() == (name not in aim.refused), name
        taken.append(set(averages) - set(aim.refused))
    assert set.union(*taken) == set(averages)
    assert found(graph, InProcess(checked=False), trials=2).note.startswith("equal bit for bit in 2 of 4 trials")


def test_a_network_that_ends_in_a_softmax_is_exact_up_to_there() -> None:
    s = classifier()
    s.add(Softmax(1))
    note = found(s.graph(), InProcess()).note
    assert note.startswith("exact up to 'softmax")
    assert " in 1 of 2 trials, in the other exact up to 'globalaveragepool" in note


def gated() -> Graph:
    s = classifier()
    s.add(Mul(), s.last, s.add(Sigmoid()))
    s.add(Dense(4))
    return s.graph()


def behind_a_sum() -> Graph:
    """The only way to the output leads through five means over 9 each."""
    s = Sketch(("N", 3, 12, 12))
    for _ in range(5):
        s.add(AveragePool(window(NINE, NINE)))
    return s.graph()


@pytest.mark.parametrize(
    "graph",
    [classifier(size=16).graph(), classifier(dtype="float16").graph(), gated(), behind_a_sum()],
    ids=["2^k", "narrow", "weights behind a curve", "too many in a row"],
)
def test_where_nothing_is_to_be_gained_there_is_no_such_trial(graph: Graph) -> None:
    assert plan_in_multiples(graph, seeded(0), 0) is None


def by_paths(graph: Graph, odd: Mapping[str, int], name: str) -> int:
    """The unit of a tensor, by following each way to its end."""
    ways = [odd.get(n.output, 1) * by_paths(graph, odd, n.output) for n in graph.nodes if name in n.inputs]
    return lcm(*ways)


def test_units_are_the_least_that_every_way_asks_for() -> None:
    """The lcm over all ways through a random graph of the product of what averages on the way ask for."""
    for seed in range(60):
        draw = random.Random(seed)
        s = Sketch((1, 4, 3, 3))
        names = ["x"]
        for _ in range(9):
            op: Operator = draw.choice((Relu(), Add(), AveragePool(window(NINE, NINE)), Identity()))
            reads = [draw.choice(names[-4:]) for _ in range(2 if isinstance(op, Add) else 1)]
            names.append(s.add(op, *reads))
        graph = s.graph()
        odd = {n.output: draw.choice((3, 5, 7, 9)) for n in graph.nodes if n.op.kind == "AveragePool"}
        made = units(graph, odd)
        assert {name: made.get(name, 1) for name in names} == {name: by_paths(graph, odd, name) for name in names}


def one(op: Operator, shape: Sequence[int]) -> Node:
    s = Sketch(tuple(shape))
    s.add(op)
    (node,) = s.graph().nodes
    return node


def counts(op: AveragePool, size: Sequence[int]) -> set[int]:
    """What a pool divides by, pixel by pixel."""
    along = []
    for axis, n in zip(op.window, size, strict=True):
        last = (n + sum(axis.pad) - (axis.size - 1) * axis.dilation - 1) // axis.stride
        starts = [o * axis.stride - axis.pad[0] for o in range(last + 1)]
        along.append([sum(0 <= a + k * axis.dilation < n for k in range(axis.size)) for a in starts])
    return {prod((a, b)) for a in along[0] for b in along[1]}


def test_divisors_are_those_of_every_position() -> None:
    for seed in range(60):
        draw = random.Random(seed)
        axes = [(k := draw.randint(1, 4), draw.randint(1, 3), 1, draw.randrange(k), draw.randrange(k)) for _ in "hw"]
        op, size = AveragePool(window(*axes)), (draw.randint(5, 9), draw.randint(5, 9))
        assert divisors(one(op, (1, 2, *size)), (1, 2, *size)) == counts(op, size), axes
        counted = replace(op, count_include_pad=True)
        full = prod(axis.size for axis in op.window)
        assert divisors(one(counted, (1, 2, *size)), (1, 2, *size)) == {full}


def quotient(total: np.ndarray, n: int) -> np.ndarray:
    return total / np.float32(n)


def product(total: np.ndarray, n: int) -> np.ndarray:
    return total * (np.float32(1) / np.float32(n))


@pytest.mark.parametrize("op", [GlobalAveragePool(), ReduceMean((2, 3)), ReduceMean((1, 2, 3))])
@pytest.mark.parametrize("size", [(7, 7), (3, 3), (8, 8), (5, 6), (13, 13), (11, 17)])
def test_what_is_said_to_be_exact_is_so_in_every_way_to_average(op: Operator, size: tuple[int, int]) -> None:
    draw, said = np.random.default_rng(0), []
    for bits in range(1, 22):
        node = one(op, (2, 3, *size))
        odd = odd_part(divisors(node, (2, 3, *size)))
        x = (draw.integers(-(1 << bits), 1 << bits, (2, 3, *size)) * odd).astype(np.float32)
        y = route(node, [raw(x.astype(np.float64))], Ahead(), None, {}, {}, Stream(0)).y
        said.append(y.error is None)
        for way in (quotient, product) if said[-1] else ():
            for made in averaged(x, tuple(getattr(op, "axes", (2, 3))), way, draw):
                np.testing.assert_array_equal(made.reshape(y.value.shape), y.value)
    (n,) = divisors(node, (2, 3, *size))
    steady = (
        abs(float(np.float32(1 / n)) * n - 1) <= 2.0**-25
    )  # so that no product with the rounded 1 / n rounds wrongly
    assert said[0] or not steady
    assert not said[-1]
    x = np.arange(prod((2, 3, *size)), dtype=np.float64).reshape(2, 3, *size)
    left = route(node, [raw(x)], Ahead(), None, {}, {}, Stream(0)).y
    assert (left.error is None) == (odd == 1)


def averaged(
    x: np.ndarray, axes: tuple[int, ...], way: Callable[[np.ndarray, int], np.ndarray], draw: np.random.Generator
) -> list[np.ndarray]:
    """The mean along axes: of float32 partial sums in random order, divided afterwards or before; quotients axis by axis."""
    flat = np.moveaxis(x, axes, range(-len(axes), 0)).reshape(*[x.shape[i] for i in range(4) if i not in axes], -1)
    n = flat.shape[-1]
    flat = flat[..., draw.permutation(n)]
    ways = [way(np.add.accumulate(flat, axis=-1)[..., -1], n), np.add.accumulate(way(flat, n), axis=-1)[..., -1]]
    if way is quotient:
        for axis in axes:
            x = way(x.sum(axis=axis, keepdims=True, dtype=np.float32), x.shape[axis])
        ways.append(x)
    return ways


@pytest.mark.parametrize(
    "op", [Relu(), Clip(0.0, 6.0), GlobalAveragePool(), pooled(), AveragePool(window(NINE, NINE)), BatchNorm()]
)
def test_of_what_nothing_is_known_nothing_is_known_afterwards_and_the_rest_is_exact(op: Operator) -> None:
    """A clipped hole lies between 0 and 6, which is a bound and no value."""
    value = np.full((1, 4, 8, 8), 9.0)
    value[:, 2:] = 0.0
    x = replace(raw(value), error=np.where(value == 0, np.inf, 0.0))
    y = route(one(op, value.shape), [x], Ahead(), None, {}, {}, Stream(0)).y
    assert y.exact_but_for_holes
    assert y.error is not None
    assert not y.error[:, :2].any()
    assert np.isinf(y.error[:, 2:]).all()


def test_a_curve_of_what_is_not_known_is_not_exact() -> None:
    x = hole((1, 2, 4, 4))
    y = route(one(Sigmoid(), x.value.shape), [x], Ahead(), None, {}, {}, Stream(0)).y
    assert y.error is not None
    assert (y.error >= 0.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "densenet121", "inception_v3"])
def test_whole_networks_are_equal_bit_for_bit(name: str) -> None:
    network = onnxconv.read(SPECS / f"{name}.yaml")
    (check,) = network.verify(["onnxruntime:cpu"], probes=["routing"]).checks
    assert check.finding.verdict is Verdict.PASS
    assert check.finding.note.startswith("equal bit for bit in 1 of ")
