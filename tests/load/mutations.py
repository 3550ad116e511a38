"""Seeded damage to ONNX models, and a campaign of reports on them under bounds of time and memory.

``python mutations.py FIRST COUNT`` reports on that many damaged models; it ends with 1 where one is not answered properly.
"""

from __future__ import annotations

import faulthandler
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

MEMORY = 6 << 30
"""Bytes of address space for all of a campaign."""
SECONDS = 20
"""For one report."""

INTEGERS = (-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 7, 64, 1000, 2**20, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1)
OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""})


def classifier() -> onnx.ModelProto:
    """An image network with most layers that are read, and shapes computed from shapes."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["h"], pads=[1, 1, 1, 1], strides=[2, 2], name="conv"),
        helper.make_node("BatchNormalization", ["h", "b", "b", "b", "b"], ["n"], epsilon=0.5),
        helper.make_node("MaxPool", ["n"], ["m"], kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("Clip", ["m", "", "six"], ["c"]),
        helper.make_node("Pad", ["c", "pads"], ["p"], mode="edge"),
        helper.make_node("ConvTranspose", ["p", "t"], ["u"], strides=[2, 2], output_padding=[1, 0]),
        helper.make_node("Resize", ["u", "", "scales"], ["z"], mode="nearest"),
        helper.make_node("Shape", ["z"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["s0"], axis=0),
        helper.make_node("Unsqueeze", ["s0", "zero1"], ["s1"]),
        helper.make_node("Concat", ["s1", "rest"], ["to"], axis=0),
        helper.make_node("Reshape", ["z", "to"], ["f"]),
        helper.make_node("Relu", ["f"], ["y"]),
    ]
    constants = {
        "w": np.ones((2, 3, 3, 3), np.float32),
        "b": np.ones(2, np.float32),
        "six": np.array(6, np.float32),
        "pads": np.array([0, 0, 1, 1, 0, 0, 0, 0]),
        "t": np.ones((2, 2, 3, 3), np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "zero": np.array(0),
        "zero1": np.array([0]),
        "rest": np.array([-1]),
    }
    return _model(nodes, {"x": ("N", 3, 16, 16)}, constants, 17)


def signal_network() -> onnx.ModelProto:
    """A recurrent layer between convolutions, an If, a function, a custom operator: much that is not understood."""
    then = helper.make_graph(
        [helper.make_node("Relu", ["c"], ["then_y"])], "then", [], [helper.make_tensor_value_info("then_y", 1, None)]
    )
    other = helper.make_graph(
        [helper.make_node("Neg", ["c"], ["else_y"])], "else", [], [helper.make_tensor_value_info("else_y", 1, None)]
    )
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], dilations=[4], pads=[4, 4], name="conv"),
        helper.make_node("Twice", ["h"], ["d"], domain="local"),
        helper.make_node("Transpose", ["d"], ["t"], perm=[2, 0, 1]),
        helper.make_node("LSTM", ["t", "i", "r"], ["", "last"], hidden_size=4, name="lstm"),
        helper.make_node("Split", ["d"], ["a", "b"], axis=1, num_outputs=2),
        helper.make_node("Mul", ["a", "b"], ["c"]),
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Size", ["s"], ["n"]),
        helper.make_node("Equal", ["n", "three"], ["same"]),
        helper.make_node("If", ["same"], ["q"], then_branch=then, else_branch=other),
        helper.make_node("Warp", ["q"], ["v"], domain="my.ops"),
        helper.make_node("Sum", ["v", "q"], ["y"]),
    ]
    constants = {
        "w": np.ones((4, 2, 3), np.float32),
        "i": np.ones((1, 16, 4), np.float32),
        "r": np.ones((1, 16, 4), np.float32),
        "three": np.array(3),
    }
    model = _model(nodes, {"x": ("N", 2, "L")}, constants, 18)
    body = [helper.make_node("Add", ["p", "p"], ["q"])]
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("local", "Twice", ["p"], ["q"], body, opsets))
    model.opset_import.extend([helper.make_opsetid("local", 1), helper.make_opsetid("my.ops", 1)])
    model.graph.value_info.append(helper.make_tensor_value_info("v", TensorProto.FLOAT, ["N", 2, "L"]))
    return model


def _model(
    nodes: list[onnx.NodeProto], inputs: dict[str, tuple[int | str, ...]], constants: dict[str, np.ndarray], opset: int
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "fuzzed",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


MODELS: tuple[Callable[[], onnx.ModelProto], ...] = (classifier, signal_network)


def _pick(random: np.random.Generator, among: object) -> object:
    return among[int(random.integers(len(among)))]  # type: ignore[index,arg-type]


def _integer(random: np.random.Generator) -> int:
    return int(_pick(random, INTEGERS))  # type: ignore[call-overload]


def _attribute(model: onnx.ModelProto, random: np.random.Generator) -> None:
    """Another number, one more, one less, another type, another name."""
    found = [a for node in model.graph.node for a in node.attribute]
    if not found:
        return
    attribute = _pick(random, found)
    assert isinstance(attribute, AttributeProto)
    match int(random.integers(5)):
        case 0:
            attribute.i = _integer(random)
            if attribute.ints:
                attribute.ints[int(random.integers(len(attribute.ints)))] = _integer(random)
        case 1:
            attribute.ints.append(_integer(random))
        case 2:
            del attribute.ints[-1:]
        case 3:
            attribute.type = int(random.integers(0, 15))
        case 4:
            attribute.name = str(_pick(random, ("axis", "pads", "group", "kernel_shape", "mode", "auto_pad", "")))


def _initializer(model: onnx.ModelProto, random: np.random.Generator) -> None:
    if not model.graph.initializer:
        return
    tensor = _pick(random, model.graph.initializer)
    assert isinstance(tensor, TensorProto)
    match int(random.integers(5)):
        case 0 if tensor.dims:
            tensor.dims[int(random.integers(len(tensor.dims)))] = _integer(random)
        case 1:
            tensor.data_type = int(random.integers(0, 26))
        case 2:
            tensor.raw_data = tensor.raw_data[: int(random.integers(0, len(tensor.raw_data) + 1))]
        case 3:
            array = np.array([_integer(random) for _ in range(int(random.integers(0, 5)))], np.int64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        case 4:
            tensor.name = str(_pick(random, _names(model)))


def _shape(model: onnx.ModelProto, random: np.random.Generator) -> None:
    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    value = _pick(random, values)
    assert isinstance(value, onnx.ValueInfoProto)
    tensor = value.type.tensor_type
    match int(random.integers(5)):
        case 0 if tensor.shape.dim:
            tensor.shape.dim[int(random.integers(len(tensor.shape.dim)))].dim_value = _integer(random)
        case 1 if tensor.shape.dim:
            name = str(_pick(random, ("N", "?", "-1", "1+1", "(H+1)//2", "x" * 10_000, "\n", "0")))
            tensor.shape.dim[int(random.integers(len(tensor.shape.dim)))].dim_param = name
        case 2:
            tensor.elem_type = int(random.integers(0, 26))
        case 3:
            tensor.ClearField("shape")
        case 4:
            del tensor.shape.dim[-1:]


def _names(model: onnx.ModelProto) -> list[str]:
    nodes = [name for node in model.graph.node for name in (*node.input, *node.output)]
    return sorted({"", "nowhere", *nodes, *(tensor.name for tensor in model.graph.initializer)})


def _edge(model: onnx.ModelProto, random: np.random.Generator) -> None:
    if not model.graph.node:
        return
    node = _pick(random, model.graph.node)
    assert isinstance(node, onnx.NodeProto)
    ends = node.input if random.integers(2) and node.input else node.output
    if ends:
        ends[int(random.integers(len(ends)))] = str(_pick(random, _names(model)))
    if not random.integers(4):
        node.input.append(str(_pick(random, _names(model))))


def _node(model: onnx.ModelProto, random: np.random.Generator) -> None:
    if not model.graph.node:
        return
    index = int(random.integers(len(model.graph.node)))
    match int(random.integers(4)):
        case 0:
            model.graph.node[index].op_type = str(_pick(random, OPERATORS))
        case 1:
            del model.graph.node[index]
        case 2:
            model.graph.node.add().CopyFrom(model.graph.node[index])
        case 3:
            model.graph.node[index].domain = str(_pick(random, ("", "ai.onnx", "ai.onnx.ml", "other", "local")))


def _version(model: onnx.ModelProto, random: np.random.Generator) -> None:
    if model.opset_import and random.integers(2):
        versions = (*range(1, 28), 0, -1, 99, 2**62)
        model.opset_import[0].version = int(_pick(random, versions))  # type: ignore[call-overload]
    else:
        model.ir_version = int(_pick(random, (0, 1, 3, 4, 8, 13, 99, 2**62)))  # type: ignore[call-overload]


CHANGES = (_attribute, _attribute, _initializer, _initializer, _shape, _shape, _edge, _node, _version)


def damaged(seed: int) -> bytes:
    """A model with one to four changes, or with its bytes cut short or changed."""
    random = np.random.default_rng(seed)
    model = MODELS[seed % len(MODELS)]()
    whole = model.SerializeToString()
    if seed % 4 == 3:
        content = bytearray(whole[: int(random.integers(len(whole)))] if seed % 8 == 3 else whole)
        for at in random.integers(0, max(1, len(content)), 3):
            content[at : at + 1] = bytes([int(random.integers(256))])
        return bytes(content)
    for _ in range(int(random.integers(1, 5))):
        CHANGES[int(random.integers(len(CHANGES)))](model, random)
    return model.SerializeToString()


def campaign(first: int, count: int, folder: Path) -> Iterator[str]:
    """What was answered to each damaged model: ``reported``, ``partly`` or ``refused``. Raises whatever else happens."""
    import onnxconv
    from onnxconv.errors import OnnxconvError

    path = folder / "model.onnx"
    for seed in range(first, first + count):
        path.write_bytes(damaged(seed))
        signal.alarm(SECONDS)
        try:
            report = onnxconv.report(path)
            for format in ("text", "json", "csv", "markdown", "html"):
                report.render(format)
            yield "partly" if report.document["unread"] else "reported"
        except OnnxconvError:
            yield "refused"
        except BaseException:
            print(f"seed {seed}", file=sys.stderr)
            raise
        finally:
            signal.alarm(0)


def main() -> None:
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        answers = list(campaign(int(sys.argv[1]), int(sys.argv[2]), Path(folder)))
    print(*(f"{answers.count(kind)} {kind}" for kind in ("reported", "partly", "refused")), sep=", ")


if __name__ == "__main__":
    main()
