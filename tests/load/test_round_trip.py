"""What is emitted loads as the same graph with the same weights."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from chains import chain, every_operator, node_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onnxconv.dtypes import rounded
from onnxconv.emit import EmitOptions, save, to_bytes
from onnxconv.errors import Refusal
from onnxconv.geometry import Axis, TransposedAxis
from onnxconv.graph import Graph, Initial, Node, TensorType
from onnxconv.load import load
from onnxconv.ops import (
    Add,
    AveragePool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Elu,
    Flatten,
    Form,
    GlobalAveragePool,
    GlobalMaxPool,
    HardSigmoid,
    Identity,
    LeakyRelu,
    MaxPool,
    Mul,
    Operator,
    Pad,
    PRelu,
    Relu,
    Shape,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from onnxconv.weights import Weights, seeded

NEWEST = onnx.defs.onnx_opset_version()
CASES = every_operator()
IDS = [f"{i}-{op.kind}" for i, (op, _) in enumerate(CASES)]


def without_recipes(graph: Graph) -> Graph:
    """The graph but for how its weights came about, which a model does not say."""

    def bare(node: Node) -> Node:
        nothing = Initial("", ())
        return replace(node, params=tuple((role, replace(param, recipe=nothing)) for role, param in node.params))

    return replace(graph, nodes=tuple(map(bare, graph.nodes)))


def outputs(graph: Graph, weights: Weights, seed: int = 0) -> list[np.ndarray]:
    """By definition, in float64."""
    values = {}
    for name, type in graph.inputs:
        shape = [5 if isinstance(n, str) else n for n in type.shape]
        values[name] = np.random.default_rng(seed).normal(size=shape)
    for node in graph.nodes:
        arrays = {role: weights[param].astype(np.float64) for role, param in node.params}
        values[node.output] = node.op.define(*(values[name] for name in node.inputs), **arrays)
    return [values[name] for name in graph.outputs]


def assert_comes_back(graph: Graph, folder: Path, options: EmitOptions) -> None:
    save(graph, seeded(), folder / "m.onnx", options)
    loaded, weights = load(folder / "m.onnx")
    assert without_recipes(loaded) == without_recipes(graph)
    assert without_recipes(loaded).digest() == without_recipes(graph).digest()
    inline = replace(options, external_data="never")
    assert to_bytes(loaded, weights, inline) == to_bytes(graph, seeded(), inline)
    assert to_bytes(loaded, seeded(), inline)  # a loaded graph can be drawn anew


@pytest.mark.parametrize(
    ("dtype", "opset"),
    [
        ("float32", 13),
        ("float32", NEWEST),
        ("bfloat16", NEWEST),
        *(
            pytest.param(*setting, marks=pytest.mark.slow)
            for setting in itertools.product(("float16", "float64"), (13, NEWEST))
        ),
    ],
)
@pytest.mark.parametrize(("op", "x"), CASES, ids=IDS)
def test_every_operator(op: Operator, x: Shape, dtype: str, opset: int, tmp_path: Path) -> None:
    """As the same graph where it is one ONNX node, else as one that computes the same once rounded to its data type.

    In float16 and bfloat16 the limits of a clip and the value of a pad come back as what they are in the model.
    """
    graph = chain(x, op, dtype=dtype)
    forms: tuple[Form, ...] = tuple(op.onnx(*[x] * len(graph.nodes[0].inputs), opset=opset))
    narrowed = dtype in ("float16", "bfloat16") and isinstance(op, Clip | Pad)
    if len(forms) == 1 and forms[0].op_type == op.kind and not narrowed:
        assert_comes_back(graph, tmp_path, EmitOptions(opset))
        return
    save(graph, seeded(), tmp_path / "m.onnx", EmitOptions(opset))
    # Numbers inside a formula are rounded to the data type; those of a whole activation or norm are float32 in all types.
    loose = {"bfloat16": 2e-2, "float16": 2e-3, "float32": 2e-7, "float64": 1e-6}[dtype] if len(forms) > 2 else 0.0
    for mine, theirs in zip(outputs(graph, seeded()), outputs(*load(tmp_path / "m.onnx")), strict=True):
        y, z = (rounded(values, dtype).astype(np.float64) for values in (mine, theirs))
        np.testing.assert_allclose(y, z, rtol=loose, atol=loose)


def operators(rank: int) -> st.SearchStrategy[Operator]:
    size, step, small = st.integers(1, 3), st.integers(1, 2), st.integers(0, 2)
    pads = st.tuples(small, small)
    axes = st.tuples(*[st.builds(Axis, size, step, step, pads)] * rank)
    cells = st.tuples(*[st.builds(Axis, size, step, st.just(1), pads)] * rank)
    spread = st.tuples(*[st.builds(TransposedAxis, size, step, step, pads)] * rank)
    numbers = st.sampled_from([-1.5, -0.25, 0.0, 0.125, 6.0])
    groups = st.sampled_from([1, 2, 4])
    return st.one_of(
        st.builds(Conv, axes, st.just(4), groups, st.booleans()),
        st.builds(ConvTranspose, spread, st.just(4), groups, st.booleans()),
        st.builds(MaxPool, axes),
        st.builds(AveragePool, cells, st.booleans()),
        st.builds(Pad, st.tuples(*[pads] * rank), st.sampled_from(["constant", "reflect", "edge"])),
        st.builds(Clip, st.one_of(st.none(), numbers), st.none()),
        st.builds(LeakyRelu, st.sampled_from([0.01, 0.2, 0.3])),
        st.builds(PRelu, st.booleans()),
        st.builds(Elu, st.sampled_from([1.0, 0.3])),
        st.builds(HardSigmoid, st.sampled_from([0.2, 1 / 4]), st.sampled_from([0.5, -0.1])),
        st.builds(BatchNorm, st.sampled_from([1e-5, 1e-3])),
        st.builds(Softmax, st.integers(0, rank + 1)),
        st.sampled_from(
            [
                Relu(),
                Sigmoid(),
                Tanh(),
                Softplus(),
                Identity(),
                Add(),
                Mul(),
                Concat(1),
                GlobalAveragePool(),
                GlobalMaxPool(),
            ]
        ),
    )


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A random DAG: each operator reads tensors made before it, joins read two of one shape, outputs are some of all."""
    rank = draw(st.integers(1, 3))
    dtype = draw(st.sampled_from(["float16", "float32", "float64"]))
    x: Shape = (draw(st.sampled_from(["N", 2])), 4, *draw(st.tuples(*[st.integers(3, 7)] * rank)))
    known: dict[str, Shape] = {"x": x}
    nodes: list[Node] = []
    for index, op in enumerate(draw(st.lists(operators(rank), min_size=1, max_size=7))):
        first = draw(st.sampled_from(sorted(known)))
        inputs = [(first, known[first])]
        if isinstance(op, Add | Mul | Concat):
            inputs.append(draw(st.sampled_from(sorted((n, s) for n, s in known.items() if s == known[first]))))
        try:
            node = node_of(f"l{index}", op, inputs, dtype)
        except Refusal:
            continue
        if len(op.onnx(*(shape for _, shape in inputs), opset=NEWEST)) > 1:
            continue  # comes back as several operators: see test_every_operator
        nodes.append(node)
        known[node.output] = node.type.shape
    ends = draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=3, unique=True))
    if draw(st.booleans()):
        shape = known[ends[0]]
        nodes.append(node_of("flat", Flatten(), [(ends[0], shape)], dtype))
        nodes.append(node_of("dense", Dense(3, draw(st.booleans())), [("flat", nodes[-1].type.shape)], dtype))
        ends.append("dense")
    return Graph("random", (("x", TensorType(dtype, x)),), tuple(nodes), tuple(ends))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    graph=graphs(),
    options=st.builds(
        EmitOptions, st.sampled_from([13, 17, NEWEST]), external_data=st.sampled_from(["auto", "always"])
    ),
)
def test_random_graphs(graph: Graph, options: EmitOptions, tmp_path: Path) -> None:
    assert_comes_back(graph, tmp_path, options)
    assert all(
        (a == b).all() for a, b in zip(outputs(graph, seeded()), outputs(*load(tmp_path / "m.onnx")), strict=True)
    )
