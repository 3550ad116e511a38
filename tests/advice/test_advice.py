"""Every rule of advice: what it speaks about, with its numbers, and what it keeps quiet about."""

from __future__ import annotations

import pytest

from onnxconv.advice import RULES, Advice, Adviser
from onnxconv.cost import costs
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph, Initial, Node, Param, TensorType
from onnxconv.ops import Add, BatchNorm, Conv, ConvTranspose, Flatten, MatMul, MaxPool, Operator, Relu, Shape, Transpose
from onnxconv.receptive import follow


def chain(
    shape: Shape, *ops: Operator, outputs: tuple[str, ...] = (), joins: dict[int, tuple[str, ...]] | None = None
) -> Graph:
    """Operators n0, n1, … each after the other; `joins` names the inputs of those that read something else."""
    types, nodes, last = {"x": TensorType("float32", shape)}, [], "x"
    for i, op in enumerate(ops):
        read = (joins or {}).get(i, (last,))
        shapes = [types[name].shape for name in read]
        params = tuple(
            (role, Param(f"n{i}.{role}", "float32", s, Initial(f"n{i}.{role}", s)))
            for role, s in op.weight_shapes(*shapes).items()
        )
        last = f"n{i}"
        types[last] = TensorType("float32", op.out_shape(*shapes))
        nodes.append(Node(last, op, read, last, types[last], params))
    return Graph("g", (("x", types["x"]),), tuple(nodes), outputs or (last,))


def conv(*axes: Axis, filters: int = 4, bias: bool = False) -> Conv:
    return Conv(axes, filters, 1, bias)


def dilated(*rates: int) -> list[Operator]:
    return [conv(Axis(3, dilation=d, pad=(d, d))) for d in rates]


LINE: Shape = (1, 4, 64)
SAME = Axis(3, pad=(1, 1))

SPEAKS: list[tuple[str, Graph, list[str]]] = [
    ("dropped-pixels", chain(LINE, conv(Axis(3, 2))), ["last 1 of 64 pixels"]),
    (
        "dropped-pixels",
        chain((1, 4, 9, 8), MaxPool((Axis(2, 2), Axis(2, 2)))),
        ["last 1 of 9 pixels along spatial axis 0"],
    ),
    ("skipped-pixels", chain(LINE, conv(Axis(1, 2))), ["1 of every 2 pixels"]),
    ("dead-on-padding", chain(LINE, conv(Axis(3, pad=(5, 0)))), ["3 of 67 outputs"]),
    ("padding-heavy", chain((1, 4, 4, 4), conv(*[Axis(3, dilation=2, pad=(2, 2))] * 2)), ["56 %", "1280 of 2304"]),
    ("even-kernel-same", chain(LINE, conv(Axis(4, pad=(1, 2)))), ["kernel of 4 padded [1, 2]"]),
    ("checkerboard", chain(LINE, ConvTranspose((TransposedAxis(3, 2),), 4)), ["1 or 2 taps"]),
    ("checkerboard", chain(LINE, ConvTranspose((TransposedAxis(2, 3),), 4)), ["0 or 1 taps"]),
    ("bias-before-batch-norm", chain(LINE, conv(SAME, bias=True), BatchNorm()), ["'n1'", "4 numbers"]),
    ("gridding", chain(LINE, *dilated(2, 2, 2)), ["of the 9 pixels", "it sees 5"]),
    ("field-beyond-input", chain((1, 4, 7), *[conv(SAME)] * 5), ["(9 pixels)", "(7 pixels)"]),
    ("misaligned-join", chain(LINE, conv(Axis(3, pad=(0, 2))), Add(), joins={1: ("n0", "x")}), ["input 'x'"]),
    (
        "sees-nothing",
        chain(LINE, ConvTranspose((TransposedAxis(1, 2),), 4), conv(Axis(1, 2, pad=(1, 0)))),
        ["input 'x'"],
    ),
]

QUIET: list[tuple[str, Graph]] = [
    ("dropped-pixels", chain((1, 4, 65), conv(Axis(3, 2)))),
    ("dropped-pixels", chain(LINE, conv(Axis(3, 2, pad=(1, 1))))),
    ("dropped-pixels", chain(LINE, conv(Axis(1, 2)))),
    ("dropped-pixels", chain((1, 4, "L"), conv(Axis(3, 2)))),
    ("skipped-pixels", chain(LINE, conv(Axis(2, 2)))),
    ("dead-on-padding", chain(LINE, conv(Axis(3, pad=(2, 2))))),
    ("padding-heavy", chain(LINE, conv(SAME))),
    ("padding-heavy", chain((1, 4, "L"), conv(SAME))),
    ("even-kernel-same", chain(LINE, conv(SAME))),
    ("even-kernel-same", chain(LINE, conv(Axis(2, 2)))),
    ("even-kernel-same", chain(LINE, conv(Axis(4, pad=(3, 0))))),
    ("even-kernel-same", chain(LINE, conv(Axis(2, pad=(1, 0))))),
    ("checkerboard", chain(LINE, ConvTranspose((TransposedAxis(4, 2),), 4))),
    ("checkerboard", chain(LINE, ConvTranspose((TransposedAxis(3),), 4))),
    ("bias-before-batch-norm", chain(LINE, conv(SAME), BatchNorm())),
    ("bias-before-batch-norm", chain(LINE, conv(SAME, bias=True), Relu(), BatchNorm())),
    ("bias-before-batch-norm", chain(LINE, conv(SAME, bias=True), BatchNorm(), outputs=("n0", "n1"))),
    ("gridding", chain(LINE, *dilated(1, 2, 4))),
    ("gridding", chain(LINE, *dilated(2))),
    ("gridding", chain(LINE, *dilated(2, 1))),
    ("field-beyond-input", chain((1, 4, 9), *[conv(SAME)] * 4)),
    ("field-beyond-input", chain((1, 4, "L"), *[conv(SAME)] * 9)),
    ("field-beyond-input", chain((1, 4, 9), Flatten())),
    ("misaligned-join", chain(LINE, conv(SAME), Add(), joins={1: ("n0", "x")})),
    ("misaligned-join", chain(LINE, conv(Axis(3, dilation=2, pad=(4, 0))), Add(), Relu(), joins={1: ("n0", "x")})),
    ("misaligned-join", chain((1, 4, 4), Transpose((0, 2, 1)), MatMul(), joins={1: ("x", "n0")})),
    ("sees-nothing", chain(LINE, ConvTranspose((TransposedAxis(1, 2),), 4), conv(Axis(1, 2)))),
]


def advice_on(graph: Graph) -> tuple[Advice, ...]:
    adviser = Adviser(graph, costs(graph))
    return tuple(advice for at in follow(graph)[1] for advice in adviser.on(at))


def found(graph: Graph, code: str) -> list[Advice]:
    return [advice for advice in advice_on(graph) if advice.code == code]


@pytest.mark.parametrize(("code", "graph", "words"), SPEAKS)
def test_speaks(code: str, graph: Graph, words: list[str]) -> None:
    (advice,) = found(graph, code)
    assert all(word in advice.message for word in words), advice.message
    assert advice.layer in {node.name for node in graph.nodes}


@pytest.mark.parametrize(("code", "graph"), QUIET)
def test_keeps_quiet(code: str, graph: Graph) -> None:
    assert found(graph, code) == []


def test_every_rule_is_tried_both_ways() -> None:
    codes = {code for code, _, _ in RULES}
    assert codes == {code for code, _, _ in SPEAKS} == {code for code, _ in QUIET}


def test_what_lasts_is_said_once_where_it_begins() -> None:
    graph = chain((1, 4, 7), *[conv(SAME)] * 8)
    assert [advice.layer for advice in found(graph, "field-beyond-input")] == ["n3"]
    graph = chain(LINE, *dilated(2, 2, 2, 2))
    assert [advice.layer for advice in found(graph, "gridding")] == ["n1"]


def test_a_sound_network_gets_no_advice() -> None:
    ops = [conv(Axis(3, 2, pad=(1, 1))), BatchNorm(), Relu(), conv(SAME), Add(), MaxPool((Axis(2, 2),)), Flatten()]
    assert advice_on(chain((1, 4, 63), *ops, joins={4: ("n3", "n2")})) == ()
