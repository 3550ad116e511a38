"""A spec made of a graph means that graph: the same operators, connections and weights, in words a person would use."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from chains import chain, every_operator
from cli.shell import call
from onnx import helper
from oracles.hand_models import model, one, saved
from receptive.test_nan_probing import random_graph
from resolve.test_integers import EXACT
from resolve.test_integers import graph as of_integers
from verify.random_graphs import net

import onnxconv
from onnxconv.emit import save
from onnxconv.errors import ModelError
from onnxconv.execute import run, seeded_inputs
from onnxconv.graph import Graph, Unread
from onnxconv.load import load
from onnxconv.network import Network
from onnxconv.ops import Operator, Relu, Resize, Sigmoid
from onnxconv.resolve import LOWERINGS, resolve
from onnxconv.spec import LAYERS, parse, read
from onnxconv.specify import WITHOUT_WRITER, WRITERS, specify
from onnxconv.specify.proof import differs
from onnxconv.weights import Weights, from_file, seeded

ROOT = Path(__file__).parents[2]
SPECS = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))
CASES = every_operator()
SEEDS = [pytest.param(seed, marks=[pytest.mark.slow] if seed >= 20 else []) for seed in range(60)]


def executed(graph: Graph, weights: Weights, batch: int = 2) -> list[bytes]:
    """The outputs' bytes, on inputs that do not depend on names."""
    shapes = {
        name: tuple(
            9 if axis and isinstance(n, str) else batch if isinstance(n, str) else n
            for axis, n in enumerate(type.shape)
        )
        for name, type in graph.inputs
    }
    drawn = seeded_inputs(graph, 0, shapes)
    x = {
        name: np.random.default_rng(i).normal(size=a.shape).astype(a.dtype) for i, (name, a) in enumerate(drawn.items())
    }
    outputs = run(graph, weights, x)
    return [outputs[name].tobytes() for name in graph.outputs]


def assert_comes_back(graph: Graph, folder: Path) -> str:
    """Through files, and by execution: the same bytes come out."""
    made = Network(graph, seeded(3)).to_spec(folder / "s.yaml")
    again = resolve(read(folder / "s.yaml"))
    weights = from_file(again, folder / "s.safetensors")
    assert executed(again, weights) == executed(graph, seeded(3))
    return made.text


def test_every_kind_of_layer_has_a_writer() -> None:
    assert {*WRITERS} | {*WITHOUT_WRITER} == {*LAYERS} == {*LOWERINGS}
    assert not {*WRITERS} & {*WITHOUT_WRITER}


@pytest.mark.parametrize("index", range(len(CASES)), ids=[f"{i}-{op.kind}" for i, (op, _) in enumerate(CASES)])
def test_every_operator_comes_back(index: int, tmp_path: Path) -> None:
    op, shape = CASES[index]
    if unsaid(op):
        with pytest.raises(ModelError, match="has no kind of layer"):
            specify(chain(shape, op))
    else:
        assert_comes_back(chain(shape, op), tmp_path)


def unsaid(op: Operator) -> bool:
    """What the spec language has no words for: operators that no kind of layer is, and these cases of others."""
    if not isinstance(op, tuple(operator for operator, _ in WRITERS.values())):
        return True
    match op:
        case Resize(axes=axes, coordinates=coordinates):
            scales = {axis.scale for axis in axes}
            return coordinates == "tf_crop_and_resize" or (
                len(scales) > 1 and any(s is None or s[1] > 1 for s in scales)
            )
    return False


@pytest.mark.parametrize("seed", SEEDS)
def test_random_nets_come_back(seed: int, tmp_path: Path) -> None:
    assert_comes_back(net(seed), tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_graphs_with_joins_come_back(seed: int, tmp_path: Path) -> None:
    graph = random_graph(seed)
    if any(unsaid(node.op) for node in graph.nodes):
        with pytest.raises(ModelError, match="has no kind of layer"):
            specify(graph)
    else:
        assert_comes_back(graph, tmp_path)


LINES = {"wavenet": 7, "mobilenet_v2": 1.7}
"""Lines of the spec made of a network's graph, in units of the shipped spec's own, comments left out; of the others 1.5.

A tensor of WaveNet's units is read within its unit, and by a sum of all of them at the end: such layers have names.
"""


@pytest.mark.parametrize("name", SPECS)
def test_shipped_specs_come_back(name: str) -> None:
    text = (ROOT / "specs" / f"{name}.yaml").read_text(encoding="utf-8")
    graph = resolve(parse(text))
    made = specify(graph)
    assert resolve(parse(made.text)) == made.graph
    assert sorted(str(n.op) for n in made.graph.nodes) == sorted(str(n.op) for n in graph.nodes)
    assert sum(math.prod(p.shape) for p in made.graph.params()) == sum(math.prod(p.shape) for p in graph.params())
    own = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(made.text.splitlines()) <= LINES.get(name, 1.5) * len(own)


@pytest.mark.parametrize("name", ["lenet5", "quickstart", "srcnn", "aspp", "squeezenet1_1"])
def test_built_imported_and_built_again(name: str, tmp_path: Path) -> None:
    """The two models are compared by onnx, node by node and number by number."""
    first, again = tmp_path / "first.onnx", tmp_path / "again.onnx"
    onnxconv.build(ROOT / "specs" / f"{name}.yaml", first, seed=5)
    assert call("import", str(first), "-o", str(tmp_path / "s.yaml")).exit_code == 0
    assert (
        call(
            "build", str(tmp_path / "s.yaml"), "--weights", str(tmp_path / "s.safetensors"), "-o", str(again)
        ).exit_code
        == 0
    )
    one, other = (onnx.load(file).graph for file in (first, again))
    assert [v.name for v in one.output] == [v.name for v in other.output]
    assert said(one) == said(other)


def said(graph: onnx.GraphProto) -> list[object]:
    held = {t.name: onnx.numpy_helper.to_array(t).tobytes() for t in graph.initializer}
    return sorted(
        (n.op_type, sorted(str(a) for a in n.attribute), [held[name] for name in n.input if name in held])
        for n in graph.node
    )


# Words


def text_of(proto: onnx.ModelProto, folder: Path) -> str:
    source = saved(proto, folder)
    onnxconv.read(source).to_spec(folder / "s.yaml")
    return (folder / "s.yaml").read_text(encoding="utf-8")


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


W = floats(4, 4, 3, 3)


@pytest.mark.parametrize(
    ("proto", "line"),
    [
        (one("Conv", (1, 4, 8, 8), {"w": W}, pads=[1] * 4), "conv: {filters: 4, kernel: 3, bias: false, pad: 1}"),
        (one("Conv", (1, 4, 8, 8), {"w": W}, strides=[2, 2], auto_pad="SAME_UPPER"), "conv: {filters: 4, kernel: 3, stride: 2, bias: false, pad: same}"),
        (one("Conv", (1, 4, 8, 8), {"w": W}, strides=[2, 2], auto_pad="SAME_LOWER"), "conv: {filters: 4, kernel: 3, stride: 2, bias: false, pad: same_lower}"),
        (one("Conv", (1, 4, 8, 8), {"w": W}, pads=[1, 0, 2, 0]), "conv: {filters: 4, kernel: 3, bias: false, pad: [[1, 2], [0, 0]]}"),
        (one("Conv", (1, 4, 8), {"w": floats(4, 4, 3)}, pads=[4, 0], dilations=[2]), "conv: {filters: 4, kernel: 3, dilation: 2, bias: false, pad: causal}"),
        (one("Conv", (1, 4, 8, 8), {"w": floats(4, 1, 3, 1), "b": floats(4)}, group=4), "conv: {kernel: [3, 1], group: depthwise}"),
        (one("Conv", (1, 4, 8, 8), {"w": floats(8, 2, 3, 3), "b": floats(8)}, group=2), "conv: {filters: 8, kernel: 3, group: 2}"),
        (one("MaxPool", (1, 4, 6, 6), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), "max_pool: {kernel: 3, stride: 2, ceil: true}"),
        (one("MaxPool", (1, 4, 6, 6), kernel_shape=[2, 2], strides=[2, 2]), "max_pool: 2"),
        (one("Clip", (1, 4), opset=6, min=0.0, max=6.0), "relu6:"),
        (one("Clip", (1, 4), opset=6, min=-0.5, max=6.0), "clip: {min: -0.5, max: 6}"),
        (one("LeakyRelu", (1, 4), alpha=0.1), "leaky_relu: 0.1"),
        (one("ConvTranspose", (1, 4, 5, 5), {"w": W}, strides=[2, 2], auto_pad="SAME_UPPER"), "conv_transpose: {filters: 4, kernel: 3, stride: 2, bias: false, pad: same}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_words(proto: onnx.ModelProto, line: str, tmp_path: Path) -> None:
    assert f"  - {line}\n    name: y\n" in text_of(proto, tmp_path)


def test_names_that_the_language_does_not_take(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["in:0 !"], ["/block/no more"]),
        helper.make_node("Sigmoid", ["/block/no more"], ["no"]),
        helper.make_node("Add", ["/block/no more", "no"], ["out put"]),
    ]
    proto = model(nodes, {"in:0 !": ["batch size", 4]}, {}, output="out put")
    proto.graph.output.append(helper.make_tensor_value_info("no", 1, None))
    text = text_of(proto, tmp_path)
    assert "  in_0: float32[batch_size, 4]\n" in text
    assert 'outputs: [out_put, "no"]\n' in text
    again = resolve(read(tmp_path / "s.yaml"))
    assert again.outputs == ("out_put", "no")
    told = call("import", str(tmp_path / "model.onnx"), "-o", str(tmp_path / "s.yaml"))
    assert "'out put' is called 'out_put'" in told.stderr


def test_weights_that_layers_share_are_stored_for_each(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", [a, "w"], [b], pads=[1] * 4) for a, b in (("x", "m"), ("m", "y"))]
    source = saved(model(nodes, {"x": (1, 4, 8, 8)}, {"w": W}), tmp_path)
    told = call("import", str(source), "-o", str(tmp_path / "s.yaml"))
    assert "1 weights that layers share are stored once for each layer" in told.stderr
    graph, weights = load(source)
    again = resolve(read(tmp_path / "s.yaml"))
    assert executed(again, from_file(again, tmp_path / "s.safetensors")) == executed(graph, weights)


@pytest.mark.parametrize("reads", [("x", "f"), ("f", "x")])
def test_a_product_with_a_number_per_channel_is_a_scale(reads: tuple[str, str], tmp_path: Path) -> None:
    proto = model([helper.make_node("Mul", list(reads), ["y"])], {"x": (2, 4, 3, 3)}, {"f": floats(4, 1, 1)})
    assert "  - scale:\n    name: y\n" in text_of(proto, tmp_path)
    graph, weights = load(tmp_path / "model.onnx")
    again = resolve(read(tmp_path / "s.yaml"))
    assert executed(again, from_file(again, tmp_path / "s.safetensors")) == executed(graph, weights)


def test_a_repeat_is_said_once() -> None:
    graph = resolve(
        parse(
            "inputs: {x: 'float32[N, 4, 8, 8]'}\nlayers:\n"
            + "  - conv: {filters: 4, kernel: 3, pad: 1}\n  - relu\n" * 5
        )
    )
    assert (
        "  - layers:\n      - conv: {filters: 4, kernel: 3, pad: 1}\n      - relu\n    repeat: " in specify(graph).text
    )


def test_a_form_is_said_once_with_parameters_for_what_differs() -> None:
    layers = "".join(
        f"  - conv: {{filters: {f}, kernel: 3, pad: 1, bias: {b}}}\n  - batch_norm\n  - clip: {{min: {low}, max: 2}}\n"
        for f, b, low in (
            (8, "true", -1),
            (16, "false", -1),
            (32, "true", -2),
            (8, "false", -1),
            (64, "true", -1),
            (8, "true", -3),
            (9, "true", -1),
        )
    )
    text = specify(resolve(parse(f"inputs: {{x: 'float32[N, 4, 8, 8]'}}\nlayers:\n{layers}"))).text
    assert "  conv_batch_norm_clip:\n    parameters: {filters, bias: true, min_: -1}\n" in text
    assert "      - conv: {filters: filters, kernel: 3, bias: bias, pad: 1}\n" in text
    assert (
        "  - conv_batch_norm_clip: {filters: 16, bias: false}\n  - conv_batch_norm_clip: {filters: 32, min_: -2}\n"
        in text
    )
    assert "  - conv: {filters: 9, kernel: 3, pad: 1}\n" in text, (
        "what makes the output keeps its name, and is no block"
    )


def test_what_blocks_would_not_shorten_has_none() -> None:
    graph = resolve(
        parse(
            "inputs: {x: 'float32[N, 4, 8, 8]'}\nlayers: [{conv: {filters: 4, kernel: 3}}, relu, {conv: {filters: 5, kernel: 3}}, relu]"
        )
    )
    assert "blocks:" not in specify(graph).text


def test_weights_files_are_those_of_the_format(tmp_path: Path) -> None:
    """Read by the format's own description: 8 bytes of length, JSON, then the arrays without gaps."""
    import json

    from safetensors.numpy import load_file

    graph = resolve(read(ROOT / "specs" / "lenet5.yaml"))
    Network(graph, seeded(1)).to_spec(tmp_path / "s.yaml")
    content = (tmp_path / "s.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(content) - 8 - length
    arrays = load_file(tmp_path / "s.safetensors")
    for param in graph.params():
        assert arrays[param.name].tobytes() == seeded(1)[param].tobytes()


def test_constants_are_read_by_joins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a spec to a model and back: the same numbers, the same outputs; one reads nothing, wherever it stands."""
    monkeypatch.chdir(tmp_path)
    text = """\
inputs: {x: 'float32[N, 4, 9, 9]'}
layers:
- conv: {filters: 6, kernel: 3}
- add: [previous, [constant: [6, 1, 1]]]
- constant: [1, 6, 7, 7]
  name: mask
- sub: [add, mask]
"""
    (tmp_path / "s.yaml").write_text(text)
    assert call("build", "s.yaml", "-o", "m.onnx", "--seed", "3").exit_code == 0
    assert call("import", "m.onnx", "-o", "t.yaml").exit_code == 0
    first, second = onnxconv.read("s.yaml", seed=3), onnxconv.read("t.yaml", weights="t.safetensors")
    assert [node.op for node in first.graph.nodes] == [node.op for node in second.graph.nodes]
    x = {"x": np.random.default_rng(0).standard_normal((2, 4, 9, 9)).astype(np.float32)}
    (one,), (other,) = first.run(x).values(), second.run(x).values()
    assert np.array_equal(one, other)
    assert sum(param.learned for param in first.graph.params()) == 6 * 4 * 9 + 6 + 6 + 6 * 49


def comes_back(proto: onnx.ModelProto, folder: Path) -> str:
    """Imported and read again, on other files than the model's: the same bytes; the text."""
    text = text_of(proto, folder)
    graph, weights = load(folder / "model.onnx")
    again = resolve(read(folder / "s.yaml"))
    assert executed(again, from_file(again, folder / "s.safetensors")) == executed(graph, weights)
    return text


def test_a_gelu_in_parts_says_its_numbers(tmp_path: Path) -> None:
    """As torch writes it before opset 20, its numbers shared between two of them."""
    nodes = []
    for x, y in (("x", "m"), ("m", "y")):
        nodes += [
            helper.make_node("Div", [x, "root"], [f"{y}0"]),
            helper.make_node("Erf", [f"{y}0"], [f"{y}1"]),
            helper.make_node("Add", [f"{y}1", "one"], [f"{y}2"]),
            helper.make_node("Mul", [x, f"{y}2"], [f"{y}3"]),
            helper.make_node("Mul", [f"{y}3", "half"], [y]),
        ]
    held = {"root": np.float32(1.4142135), "one": np.float32(1), "half": np.float32([0.5])}
    text = comes_back(model(nodes, {"x": (2, 4)}, {k: np.asarray(v) for k, v in held.items()}), tmp_path)
    assert "- div: [previous, [constant: {value: 1.4142135}]]\n" in text
    assert "  - mul: [previous, [constant: {shape: [1], value: 0.5}]]\n" in text
    assert from_file_names(tmp_path) == []


def from_file_names(folder: Path) -> list[str]:
    from safetensors.numpy import load_file

    return sorted(load_file(folder / "s.safetensors"))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -0.0, 3.4028235e38, 1e-45, 1 / 3, 2**24 + 2])
def test_numbers_come_back_to_the_bit(value: float, tmp_path: Path) -> None:
    held = {"c": np.float32(value).reshape(())}
    text = comes_back(model([helper.make_node("Mul", ["x", "c"], ["y"])], {"x": (2, 4)}, held), tmp_path)
    said = math.isfinite(value) and value != 0 and value < 3.4e38  # whose shortest decimal is above it
    assert ("value:" in text) == said
    assert (from_file_names(tmp_path) == []) == said


@pytest.mark.parametrize("order", [1, -1])
def test_products_over_the_last_axis_are_dense_layers(order: int, tmp_path: Path) -> None:
    """Their weights are stored as those of any dense layer, [features, inputs]; a bias that is read twice is not theirs."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "b"][::order], ["c"]),
        helper.make_node("MatMul", ["c", "v"], ["d"]),
        helper.make_node("Add", ["d", "e"][::order], ["f"]),
        helper.make_node("Add", ["f", "e"], ["y"]),
    ]
    held = {"w": floats(6, 5), "b": floats(5), "v": floats(5, 2), "e": floats(2)}
    text = comes_back(model(nodes, {"x": (2, 3, 6)}, held), tmp_path)
    assert "  - dense: {features: 5, last_axis: true}\n" in text
    assert "  - dense: {features: 2, last_axis: true, bias: false}\n" in text
    from safetensors.numpy import load_file

    stored = load_file(tmp_path / "s.safetensors")
    assert stored["dense.weight"].tobytes() == held["w"].T.tobytes()
    assert stored["dense.bias"].tobytes() == held["b"].tobytes()


def test_a_tensor_joined_with_itself_is_one_tensor(tmp_path: Path) -> None:
    """So that a normalisation in parts is a fork that meets again; a tensor that another branch reads too is said by name."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1]),
        helper.make_node("Sub", ["x", "m"], ["a"]),
        helper.make_node("Mul", ["a", "a"], ["s"]),
        helper.make_node("ReduceMean", ["s"], ["v"], axes=[1]),
        helper.make_node("Sqrt", ["v"], ["d"]),
        helper.make_node("Div", ["a", "d"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Concat", ["r", "r", "n"], ["y"], axis=1),
    ]
    text = comes_back(model(nodes, {"x": (2, 4, 3)}, {}), tmp_path)
    assert (
        "  - div:\n      - []\n      - - mul: [previous, previous]\n        - reduce_mean: 1\n        - sqrt\n" in text
    )
    assert "[previous, previous, n]" in text, text


def test_integers_come_back(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["x", "places"], ["a"], axis=2),
        helper.make_node("Cast", ["a"], ["b"], to=6),
        helper.make_node("Mul", ["b", "three"], ["c"]),
        helper.make_node("Add", ["c", "row"], ["d"]),
        helper.make_node("Cast", ["d"], ["y"], to=2),
    ]
    held = {
        "places": np.array([[2, 0], [1, 1]]),
        "three": np.array(-3, np.int32),
        "row": np.array([7, 2**30], np.int32),
    }
    text = comes_back(model(nodes, {"x": (2, 4, 3)}, held, dtype="uint8"), tmp_path)
    for line in (
        "  x: uint8[2, 4, 3]\n",
        "- gather: {axis: 2, indices: [2, 0, 1, 1], shape: [2, 2]}\n",
        "- cast: int32\n",
        "- mul: [previous, [constant: {value: -3, dtype: int32}]]\n",
        "- add: [previous, [constant: {shape: [2], dtype: int32}]]\n",
    ):
        assert line in text


@pytest.mark.parametrize(
    "layers",
    [
        *EXACT,
        "- conv: {filters: 6, kernel: 3, group: 2, int8: per_filter}",
        "- flatten\n- dense: {features: 3, int8: per_tensor}",
    ],
)
def test_integer_layers_come_back(layers: str, tmp_path: Path) -> None:
    assert_comes_back(of_integers(layers), tmp_path)


def test_a_quantised_network_comes_back(tmp_path: Path) -> None:
    """Pairs with shared numbers, of shapes [] and [1], with and without zero points, between layers on integers."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("DequantizeLinear", ["a", "s", "z"], ["b"]),
        helper.make_node("DequantizeLinear", ["w", "ws"], ["wf"], axis=0),
        helper.make_node("Conv", ["b", "wf"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s"], ["d"]),
        helper.make_node("QLinearConv", ["d", "s", "z", "v", "vs", "vz", "t", "z", "bias"], ["e"]),
        helper.make_node("DequantizeLinear", ["e", "t"], ["f"]),
        helper.make_node("ConvInteger", ["d", "v"], ["g"]),
        helper.make_node("Cast", ["g"], ["h"], to=1),
        helper.make_node("Mul", ["h", "s"], ["i"]),
        helper.make_node("Add", ["i", "f"], ["y"]),
    ]
    draw = np.random.default_rng(0)
    held = {
        "s": np.float32([0.02]),
        "z": np.uint8([117]),
        "t": np.float32(0.04).reshape(()),
        "w": draw.integers(-127, 128, (3, 4, 1, 1)).astype(np.int8),
        "ws": np.float32([0.01, 0.02, 0.03]),
        "v": draw.integers(-127, 128, (2, 3, 3, 3)).astype(np.int8),
        "vs": np.float32([0.01, 0.02]),
        "vz": np.int8([0, 0]),
        "bias": np.int32([700, -300]),
    }
    text = comes_back(model(nodes, {"x": (2, 4, 5, 5)}, held), tmp_path)
    for line in (
        "- quantize_linear: {scale: 0.02, zero_point: 117}\n",
        "- dequantize_linear: {scale: 0.02, zero_point: 117}\n",
        "- conv: {filters: 3, kernel: 1, bias: false, int8: per_filter}\n",
        "- qlinear_conv: {filters: 2, kernel: 3, x_scale: 0.02, x_zero_point: 117, y_scale: 0.04, y_zero_point: 117}\n",
        "- conv_integer: {of: [previous, [constant: {value: 0, dtype: uint8}]], filters: 2, kernel: 3, weight_zero_point: 0}\n",
    ):
        assert line in text, text


def test_open_sizes_are_the_symbols_of_inputs(tmp_path: Path) -> None:
    """As exporters write a class token for every image: expanded to the size of the batch, which another tensor tells."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Shape", ["a"], ["s"]),
        helper.make_node("Slice", ["s", "zero", "one"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["to"], axis=0),
        helper.make_node("Expand", ["token", "to"], ["t"]),
        helper.make_node("Reshape", ["a", "flat"], ["b"]),
        helper.make_node("Concat", ["t", "b"], ["y"], axis=2),
    ]
    held = {
        "w": floats(3, 2, 4, 4),
        "zero": np.array([0]),
        "one": np.array([1]),
        "rest": np.array([3, 1]),
        "token": floats(1, 3, 1),
        "flat": np.array([0, 3, -1]),
    }
    text = comes_back(model(nodes, {"x": ["batch size", 2, 8, 8]}, held), tmp_path)
    assert "  x: float32[batch_size, 2, 8, 8]\n" in text
    assert '  - expand: ["batch_size", 3, 1]\n' in text


def test_open_sizes_are_no_parameters_of_blocks() -> None:
    layers = "".join(
        f"- conv: {{filters: 4, kernel: 3, pad: 1}}\n- relu\n- sigmoid\n- tanh\n- reshape: [{n}, 4, -1]\n- reshape: [0, 4, H, 8]\n"
        for n in ("N", "N", "0", "N", "N")
    )
    text = specify(resolve(parse(f"inputs: {{x: 'float32[N, 4, H, 8]'}}\nlayers:\n{layers}"))).text
    assert "blocks:" in text or "repeat:" in text
    assert "parameters: {shape" not in text


def test_a_scale_that_is_computed_is_not_said(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["s"], keepdims=0),
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"], name="rounding"),
        helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    source = saved(model(nodes, {"x": (2, 4)}, {}), tmp_path)
    told = call("import", str(source), "-o", str(tmp_path / "s.yaml"))
    assert told.exit_code == 2
    assert "layer 'rounding': QuantizeLinear is not said as it is here" in told.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx"]


# What cannot be


def test_what_is_not_understood_is_refused_by_name(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Det", ["x"], ["a"], name="one"),
        helper.make_node("Nonsense", ["a"], ["y"], name="two", domain="own"),
    ]
    source = saved(model(nodes, {"x": (2, 3, 3)}, {}), tmp_path)
    told = call("import", str(source), "-o", str(tmp_path / "s.yaml"))
    assert told.exit_code == 2
    assert "'one'" in told.stderr
    assert "'two'" in told.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx"]


def test_a_graph_with_nodes_left_out_is_refused() -> None:
    graph = chain((1, 4, 8, 8), Relu())
    with pytest.raises(ModelError, match="'w' \\(Foo\\): it is odd"):
        specify(replace(graph, unread=(Unread("w", "Foo", "it is odd"),)))


@pytest.mark.parametrize(
    ("source", "output"),
    [("net.yaml", "s.yaml"), ("m.onnx", "s.txt"), ("m.onnx", "-"), ("m.onnx", "absent/s.yaml")],
)
@pytest.mark.usefixtures("tmp_path")
def test_wrong_files(source: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(chain((1, 4, 8, 8), Relu()), seeded(), "m.onnx")
    assert call("import", source, "-o", output).exit_code == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx"]


def test_a_difference_is_found() -> None:
    """The comparison that every spec goes through before it is written can fail."""
    graph = resolve(
        parse(
            "inputs: {x: 'float32[N, 4, 8, 8]', z: 'float32[N, 4, 8, 8]'}\nlayers:\n  - relu:\n    from: x\n    name: a\n  - add: [a, z]\n"
        )
    )
    nodes = graph.nodes
    assert not differs(graph, nodes, graph)
    assert "is Sigmoid" in differs(graph, nodes, replace(graph, nodes=(replace(nodes[0], op=Sigmoid()), nodes[1])))
    assert "reads" in differs(graph, nodes, replace(graph, nodes=(nodes[0], replace(nodes[1], inputs=("z", "a")))))
    assert "outputs" in differs(graph, nodes, replace(graph, outputs=("a",)))
    assert "operators" in differs(graph, nodes[:1], graph)
    assert "inputs" in differs(graph, nodes, resolve(parse("inputs: {x: 'float32[N, 4]'}\nlayers: [relu]")))
    assert differs(graph, nodes, replace(graph, inputs=graph.inputs[::-1]))
