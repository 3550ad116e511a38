"""Emitted models are valid, carry every shape, and say in ONNX what the graph says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from chains import chain, every_operator, node_of
from ops.on_integers import ON_INTEGERS, ON_TRUTH

from onnxconv.emit import EmitOptions, fitting, to_bytes
from onnxconv.errors import UsageError
from onnxconv.geometry import Axis
from onnxconv.graph import Graph, TensorType, only
from onnxconv.ops import (
    OPERATORS,
    Add,
    AveragePool,
    Clip,
    Conv,
    DeformConv,
    Dense,
    Flatten,
    MaxUnpool,
    Operator,
    Pad,
    Relu,
    Shape,
    Silu,
)
from onnxconv.weights import seeded

NEWEST = onnx.defs.onnx_opset_version()
CASES = every_operator()
IDS = [f"{i}-{op.kind}" for i, (op, _) in enumerate(CASES)]
SETTINGS = [
    pytest.param(dtype, opset, marks=[] if opset == 17 or (dtype, opset) == ("float32", NEWEST) else [pytest.mark.slow])
    for dtype in ("float16", "float32", "float64")
    for opset in (13, 17, 19, NEWEST)
]
SMALL = chain(("N", 4, "H", 9), Conv((Axis(3, 2), Axis(3)), 8), Silu(), Clip(0.0, 6.0), Pad(((1, 0), (0, 2)), "wrap"))


def sizes(value: onnx.ValueInfoProto) -> tuple[int | str, ...]:
    return tuple(d.dim_value if d.HasField("dim_value") else d.dim_param for d in value.type.tensor_type.shape.dim)


def declared(model: onnx.ModelProto) -> dict[str, tuple[int | str, ...]]:
    graph = model.graph
    return {value.name: sizes(value) for value in (*graph.input, *graph.value_info, *graph.output)}


def test_every_operator_is_tried() -> None:
    """Those on integers in ops/test_integers.py, on truth values in ops/test_choice.py, places and offsets in
    nodes/test_opsets.py and ops/test_deform.py."""
    assert {type(op) for op, _ in CASES} == set(OPERATORS) - {*ON_INTEGERS, *ON_TRUTH, DeformConv, MaxUnpool}


@pytest.mark.parametrize(("dtype", "opset"), SETTINGS)
@pytest.mark.parametrize(("op", "x"), CASES, ids=IDS)
def test_models_are_valid(op: Operator, x: Shape, dtype: str, opset: int) -> None:
    """The full check with strict shape inference; and what inference finds on its own agrees with what we declare."""
    graph = chain(x, op, dtype=dtype)
    model = onnx.load_from_string(to_bytes(graph, seeded(), EmitOptions(opset, every_tensor=True)))
    onnx.checker.check_model(model, full_check=True)
    ours = declared(model)
    produced = {name for node in model.graph.node for name in node.output}
    assert produced <= set(ours)
    assert ours["l0"] == graph.nodes[0].type.shape
    del model.graph.value_info[:]
    for value in model.graph.output:
        for d in value.type.tensor_type.shape.dim:
            d.Clear()
    inferred = declared(onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True))
    for name in produced:
        found = inferred[name] if inferred[name] or op.kind != "GroupNormalization" else ours[name]  # see below
        known = [(a, b) for a, b in zip(found, ours[name], strict=True) if isinstance(a, int) and a]
        assert all(a == b for a, b in known), name
    # onnx infers nothing of a GroupNormalization, nor of an InstanceNormalization of opset 13.
    if all(isinstance(n, int) for n in x[1:]) and op.kind not in ("Concat", "GroupNormalization"):
        assert all(isinstance(n, int) and n for n in inferred["l0"][1:])


@pytest.mark.parametrize(("op", "x"), CASES, ids=IDS)
def test_onnxruntime_computes_the_definition(op: Operator, x: Shape) -> None:
    """To a few ulp: what the nodes say is what the operator defines."""
    graph = chain(x, op)
    array = np.random.default_rng(0).normal(size=[7 if isinstance(n, str) else n for n in x]).astype(np.float32)
    weights = {role: seeded()[param].astype(np.float64) for role, param in graph.nodes[0].params}
    expected = op.define(*[array.astype(np.float64)] * len(graph.nodes[0].inputs), **weights)
    y = onnxruntime.InferenceSession(to_bytes(graph, seeded())).run(None, {"x": array})[0]
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_padding_is_spelled_out() -> None:
    for op, x in CASES:
        model = onnx.load_from_string(to_bytes(chain(x, op), seeded()))
        for node in model.graph.node:
            names = {a.name for a in node.attribute}
            assert not names & {"auto_pad", "output_shape", "ceil_mode"}
            if node.op_type in ("Conv", "ConvTranspose", "MaxPool", "AveragePool"):
                assert {"kernel_shape", "pads", "strides"} <= names


def test_names_are_those_of_the_graph() -> None:
    model = onnx.load_from_string(to_bytes(SMALL, seeded()))
    assert [node.name for node in model.graph.node if "/" not in node.name] == ["l0", "l1", "l2", "l3"]
    assert {"l0", "l1", "l2", "l3", "l1/sigmoid"} <= {name for node in model.graph.node for name in node.output}
    assert [value.name for value in model.graph.input] == ["x"]
    assert {"l0.weight", "l0.bias"} <= {tensor.name for tensor in model.graph.initializer}
    assert sizes(model.graph.input[0]) == ("N", 4, "H", 9)
    assert sizes(model.graph.output[0]) == ("N", 8, "(H+1)//2", 9)
    assert (model.ir_version, model.opset_import[0].version, model.producer_name) == (8, 17, "onnxconv")
    assert not model.metadata_props
    assert not model.doc_string


@pytest.mark.parametrize("silu_first", [True, False])
def test_temporaries_step_aside(silu_first: bool) -> None:
    """A layer that is called like a temporary of another keeps its name, in whichever order they come."""
    names = ("l1", "l1/sigmoid") if silu_first else ("l1/sigmoid", "l1")
    first = node_of(names[0], Silu() if silu_first else Relu(), [("x", (1, 2))])
    second = node_of(names[1], Relu() if silu_first else Silu(), [(names[0], (1, 2))])
    graph = Graph("g", (("x", TensorType("float32", (1, 2))),), (first, second), (names[1],))
    model = onnx.load_from_string(to_bytes(graph, seeded()))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node if node.name == "l1/sigmoid"] == ["Relu"]
    onnxruntime.InferenceSession(model.SerializeToString())


def test_an_input_may_be_an_output() -> None:
    graph = chain((1, 2), Relu())
    model = to_bytes(replace(graph, outputs=("x", "l0", "x")), seeded())
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    x = np.array([[-1, 2]], np.float32)
    assert [y.tolist() for y in onnxruntime.InferenceSession(model).run(None, {"x": x})] == [[[-1, 2]], [[0, 2]]]


def test_weights_as_inputs() -> None:
    model = onnx.load_from_string(to_bytes(SMALL, seeded(), EmitOptions(weights_as="inputs")))
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["x", "l0.weight", "l0.bias"]
    assert not {"l0.weight", "l0.bias"} & {tensor.name for tensor in model.graph.initializer}
    x = np.random.default_rng(0).random((2, 4, 8, 9), np.float32)
    feeds = {"x": x} | {param.name: seeded()[param] for param in SMALL.params()}
    given = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)[0]
    constant = onnxruntime.InferenceSession(to_bytes(SMALL, seeded())).run(None, {"x": x})[0]
    np.testing.assert_array_equal(given, constant)


def test_every_tensor() -> None:
    model = onnx.load_from_string(to_bytes(SMALL, seeded(), EmitOptions(every_tensor=True)))
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.output] == ["l3", "l0", "l1", "l2"]


def test_one_layer_alone() -> None:
    graph = chain(("N", 4, "H", 9), Relu(), Add())
    alone = only(graph, graph.nodes[1])
    assert alone.inputs == (("l0", TensorType("float32", ("N", 4, "H", 9))),)
    assert alone.outputs == ("l1",)
    onnx.checker.check_model(onnx.load_from_string(to_bytes(alone, seeded())), full_check=True)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_constants_take_the_type_of_the_tensor(dtype: str) -> None:
    graph = chain((1, 2, 5), Clip(-0.1, 0.1), Pad(((1, 1),), "constant", 0.1), dtype=dtype)
    model = onnx.load_from_string(to_bytes(graph, seeded()))
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert arrays.pop("l1/const0").dtype == np.int64
    assert {array.dtype.name for array in arrays.values()} == {dtype}
    assert arrays["l0/const1"] == np.float32(0.1).astype(dtype)


@pytest.mark.parametrize(("op", "x"), CASES, ids=IDS)
def test_bfloat16_models_are_valid_or_refused(op: Operator, x: Shape) -> None:
    """Opset 17 has bfloat16 for some operators, opset 22 for all."""
    graph = chain(x, op, dtype="bfloat16")
    options = fitting(graph)
    assert options.opset in (17, 22)
    onnx.checker.check_model(onnx.load_from_string(to_bytes(graph, seeded(), options)), full_check=True)
    if options.opset == 22:
        with pytest.raises(UsageError, match="opset 17 takes no bfloat16"):
            to_bytes(graph, seeded())


def test_an_opset_without_bfloat16_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        to_bytes(chain((1, 4, 9), Conv((Axis(3),), 2), dtype="bfloat16"), seeded())
    (found,) = caught.value.diagnostics
    assert found.what == "Conv of opset 17 takes no bfloat16"
    assert found.why == "it does since opset 22"


@pytest.mark.slow
def test_same_graph_and_seed_same_bytes() -> None:
    """In other processes too, with other hash seeds; another seed gives other bytes."""
    content = to_bytes(SMALL, seeded(3))
    assert content == to_bytes(SMALL, seeded(3)) != to_bytes(SMALL, seeded(4))
    program = "import hashlib, test_model as t\nprint(hashlib.sha256(t.to_bytes(t.SMALL, t.seeded(3))).hexdigest())\n"
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (here.parents[1], here.parent, here)))
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == hashlib.sha256(content).hexdigest()


OPTIONS = EmitOptions()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (replace(OPTIONS, opset=12), "opset", "use 13"),
        (replace(OPTIONS, opset=NEWEST + 1), "opset", f"use {NEWEST}"),
        (replace(OPTIONS, ir_version=3), "ir-version", "use 4"),
        (replace(OPTIONS, ir_version=onnx.IR_VERSION + 1), "ir-version", f"use {onnx.IR_VERSION}"),
        (replace(OPTIONS, weights_as="input"), "weights-as", "did you mean 'inputs'?"),
        (replace(OPTIONS, external_data="yes"), "external-data", "auto"),
        (replace(OPTIONS, external_data="always"), "external-data", "no file beside it"),
    ],
)
def test_rejects_options(options: EmitOptions, code: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        to_bytes(SMALL, seeded(), options)
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert said in str(caught.value)


def test_an_opset_that_cannot_say_it_is_refused_for_every_layer_at_once() -> None:
    pool = AveragePool((Axis(2, dilation=2),))
    graph = chain((1, 2, 9), pool, pool)
    with pytest.raises(UsageError) as caught:
        to_bytes(graph, seeded())
    assert len(caught.value.diagnostics) == 2
    assert "layer 'l0'" in str(caught.value)
    assert "--opset 19" in str(caught.value)
    onnx.checker.check_model(onnx.load_from_string(to_bytes(graph, seeded(), EmitOptions(19))), full_check=True)


@pytest.mark.parametrize("counted", [False, True])
def test_wide_pads_of_dilated_average_pools(counted: bool) -> None:
    """onnxruntime 1.32 refuses a pad of the window's size or more: a padding that counts becomes a node of its own."""
    op = AveragePool((Axis(2, dilation=3, pad=(3 if counted else 1, 1)),), counted)
    content = to_bytes(chain((1, 2, 9), op), seeded(), EmitOptions(19))
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    x = np.arange(18, dtype=np.float32).reshape(1, 2, 9)
    y = onnxruntime.InferenceSession(content).run(None, {"x": x})[0]
    np.testing.assert_array_equal(y, op.define(x))


def test_a_weight_and_a_layer_of_one_name_clash() -> None:
    conv = node_of("a", Conv((Axis(1),), 2), [("x", (1, 2, 5))])
    relu = node_of("a.weight", Relu(), [("a", (1, 2, 5))])
    graph = Graph("g", (("x", TensorType("float32", (1, 2, 5))),), (conv, relu), ("a.weight",))
    with pytest.raises(UsageError, match="name-clash"):
        to_bytes(graph, seeded())


def test_three_gigabytes_do_not_fit_into_one_piece() -> None:
    """Known from the shapes, before any weight is made."""
    graph = chain((1, 3 * 2**28), Dense(1))
    with pytest.raises(UsageError, match="too-large"):
        to_bytes(graph, seeded())
    assert len(to_bytes(graph, seeded(), EmitOptions(weights_as="inputs"))) < 1000


def test_flatten_of_a_graph_input() -> None:
    onnx.checker.check_model(onnx.load_from_string(to_bytes(chain((2, 3, 4), Flatten()), seeded())), full_check=True)
